#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What clang-tidy finds in every C file of the programs and the instruments (.clang-tidy says what
# it looks for): test/lint/tidy.sh BUILD_DIR [FILE...], with the FILEs only; BUILD_DIR has a
# compile_commands.json. Some minutes. Exits 1 if there is anything, 77 without clang-tidy.
#
# Not looked at: the programs of the kernel (*.bpf.c), which are no files of the build's database
# and are checked by the kernel before they run, and what bpftool makes of them. Assertions are on:
# they say what the analyzer cannot know.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
if ! command -v clang-tidy >/dev/null; then
	echo "clang-tidy is not installed"
	exit 77
fi
build=${1:?usage: test/lint/tidy.sh BUILD_DIR [FILE...]}
shift
mapfile -t files < <(test/lint/sources.py "$build" "$@" | cut -f 1)
if [ ${#files[@]} -eq 0 ]; then
	echo "$build: no file to look at; is it a build directory?"
	exit 1
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# The last of several flags counts: not every clang knows how to zero variables.
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet \
	--extra-arg=-UNDEBUG --extra-arg=-ftrivial-auto-var-init=uninitialized \
	--extra-arg=-fno-sanitize=all --extra-arg=-Wno-unknown-warning-option >"$out" 2>/dev/null
code=$?
sed -i "s|^$PWD/||" "$out"
cat "$out"
# What bpftool makes is not ours: what is found in the build directory counts for nothing.
findings=$(grep -E '^[^ ]+:[0-9]+:[0-9]+: (warning|error): ' "$out" | grep -vc "^${build%/}/")
echo "clang-tidy: ${#files[@]} files, $findings findings, $SECONDS s"
[ $code -le 123 ] && [ "$findings" -eq 0 ] # 123: some had findings; above, it did not run
