# bash completion for hactl(8). Made from the rows of its commands: @VERSION@

_hactl_commands() {
	cat <<'END'
@COMMAND-ROWS@
END
}

_hactl_options() {
	cat <<'END'
@OPTION-ROWS@
END
}

# Home addresses and NAIs that the daemon knows, if it may be asked.
_hactl_nodes() {
	hactl "${flags[@]}" show mobile-nodes 2>/dev/null |
		awk 'NR > 1 && NR < 1000 { for (i = 1; i <= 2; i++) if ($i != "-") print $i }'
}

_hactl_arguments() {
	local word
	for word in ${1//[\[\]|]/ }; do
		case $word in
		HOME-ADDRESS | NAI) _hactl_nodes ;;
		LEVEL) printf '%s\n' error warning notice info debug ;;
		ALGORITHM) printf '%s\n' hmac-sha256 hmac-sha1 hmac-md5 ;;
		KEY) hactl "${flags[@]}" show config 2>/dev/null | awk 'NR > 1 { print $1 }' ;;
		*[!A-Z-]*) printf '%s\n' "$word" ;; # a word to be written as it is
		esac
	done
}

_hactl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local -a words=() flags=()
	local i line name letter argument typed rest

	COMPREPLY=()
	while IFS='|' read -r name letter argument _; do
		[[ -n $argument && $argument != \[* ]] || continue
		[[ $prev == "$name" || $prev == "$letter" ]] || continue
		if [[ $argument == PATH ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	done < <(_hactl_options)
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) flags=(-s "${COMP_WORDS[++i]}") ;;
		-f | --filter | -S | --sort) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_hactl_options | cut -d'|' -f1)" -- "$cur")
		return
	fi
	typed="${words[*]}"
	mapfile -t COMPREPLY < <(
		while IFS='|' read -r name argument _; do
			if [[ -z $typed ]]; then
				printf '%s\n' "${name%% *}"
			elif [[ $name == "$typed "* ]]; then
				rest=${name#"$typed "}
				printf '%s\n' "${rest%% *}"
			elif [[ -n $argument && ($typed == "$name" || $typed == "$name "*) ]]; then
				_hactl_arguments "$argument"
			fi
		done < <(_hactl_commands) | sort -u | while IFS= read -r line; do
			[[ $line == "$cur"* ]] && printf '%s\n' "$line"
		done
	)
}

complete -F _hactl hactl
