#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Do the daemons take the examples that we hand out? etc/*.yaml, and the README's YAML blocks that
# are whole configurations. Usage: examples.sh DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
checked=0

# check NAME PROGRAM FILE: by a copy that only we may read, as the installed file will be
check() {
	install -m 0600 "$3" "$dir/example.yaml"
	checked=$((checked + 1))
	if ! "$bin/$2" --check -c "$dir/example.yaml" 2>"$dir/faults"; then
		sed "s|$dir/example.yaml|$1|" "$dir/faults"
		failed=1
	fi
}

# The daemon whose file it is: by the keys that only one of them has.
program_of() {
	if grep -qE '^(forwarding|inside):' "$1"; then echo xhad; else echo ihad; fi
}

for file in etc/*.yaml etc/deployment/*.yaml; do
	[ -e "$file" ] || continue
	case ${file##*/} in
	xhad*) check "$file" xhad "$file" ;;
	*) check "$file" ihad "$file" ;;
	esac
done

if [ -e README.md ]; then
	awk -v dir="$dir" '
		/^```ya?ml/ { inside = 1; name = sprintf("%s/block-%d", dir, NR + 1); next }
		/^```/ { inside = 0 }
		inside { print > name }
	' README.md
	for block in "$dir"/block-*; do
		[ -e "$block" ] || continue
		grep -qE '^home-agent:' "$block" || continue # a part, shown to explain it
		check "README.md, block at line ${block##*-}" "$(program_of "$block")" "$block"
	done
fi

if [ "$checked" -eq 0 ]; then
	echo "there is no example to check"
	failed=1
fi
exit "${failed:-0}"
