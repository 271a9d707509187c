#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What gcc's static analyzer (-fanalyzer) finds in every C file of the programs and the instruments:
# test/lint/analyzer.sh BUILD_DIR [FILE...], with the FILEs only; BUILD_DIR has a
# compile_commands.json. Some minutes. What it is wrong about is in analyzer.suppressions: warnings
# of one file, each with its reason. Exits 1 if there is anything, 77 without such a gcc.
#
# Assertions are on: they say what the analyzer cannot know.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
if ! gcc -fanalyzer -x c -o /dev/null -c /dev/null 2>/dev/null; then
	echo "no gcc that has -fanalyzer"
	exit 77
fi
build=${1:?usage: test/lint/analyzer.sh BUILD_DIR [FILE...]}
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OUT=$out

# analyze LINE: one of sources.py
analyze() {
	local file=${1%%$'\t'*} words
	eval "words=(${1#*$'\t'})"
	mapfile -t suppressed < <(awk -v f="$file" '$1 == f { print "-Wno-" $2 }' \
		test/lint/analyzer.suppressions)
	gcc "${words[@]:1}" -UNDEBUG -Wno-error -fanalyzer "${suppressed[@]}" 2>&1
}
export -f analyze

test/lint/sources.py "$build" "$@" >"$out/files"
cnt=$(wc -l <"$out/files")
if [ "$cnt" -eq 0 ]; then
	echo "$build: no file to look at; is it a build directory?"
	exit 1
fi
# A file's findings in one piece, whoever else is at work.
tr '\n' '\0' <"$out/files" | xargs -0 -P "$(nproc)" -I '{}' bash -c \
	'analyze "$1" >"$OUT/$$.log" || echo "it does not compile: ${1%%	*}" >>"$OUT/$$.log"' _ '{}'
cat "$out"/*.log 2>/dev/null | sed "s|^$PWD/||" >"$out/all"
cat "$out/all"
findings=$(grep -cE '(warning|error): |^it does not compile' "$out/all")
echo "gcc -fanalyzer: $cnt files, $findings findings, $(grep -vcE '^(#|$)' \
	test/lint/analyzer.suppressions) suppressed, $SECONDS s"
[ "$findings" -eq 0 ]
