#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Is this program hardened (cmake/hardening.cmake)? Read off the program itself, however it was
# built. Prints PROGRAM: and what it lacks; exits 1 if that is anything.
set -uo pipefail
if [ $# -eq 0 ]; then
	echo "usage: $0 PROGRAM..." >&2
	exit 2
fi
bad=0

lacks() {
	echo "$program: $1"
	bad=1
}

# has FILE PATTERN: grep -q would end the pipe early
has() {
	grep -E "$2" "$1" >"$work/found"
}

# The linker sets these marks if every object has them: with start files of a C library that has
# not (Debian's), the code itself is what there is to look at.
start_files_are_marked() {
	readelf -nW "$(gcc -print-file-name=Scrt1.o)" >"$work/start" 2>/dev/null &&
		has "$work/start" 'IBT.*SHSTK'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for program; do
	if ! readelf -hlndW "$program" >"$work/elf" || ! readelf -sW --dyn-syms "$program" >"$work/symbols"; then
		lacks "is no program"
		continue
	fi
	has "$work/elf" '^ *Type: +DYN' && has "$work/elf" '\(FLAGS_1\).*PIE' ||
		lacks "is not position-independent (PIE)"
	has "$work/elf" '^ *GNU_RELRO' || lacks "no GNU_RELRO segment"
	has "$work/elf" '\(FLAGS_1\).*NOW' || lacks "binds symbols late (no BIND_NOW)"
	has "$work/elf" '^ *GNU_STACK .* RW ' || lacks "has an executable stack"
	has "$work/elf" '^ *LOAD .* RWE' && lacks "has memory that is written and executed"
	has "$work/elf" '\((RPATH|RUNPATH)\)' && lacks "looks for libraries in places of its own"
	has "$work/symbols" ' __stack_chk_fail' || lacks "no stack protector"
	has "$work/symbols" ' __[a-z]+_chk' || lacks "no fortified call"
	case $(uname -m) in
	x86_64)
		objdump -d -j .text "$program" >"$work/code"
		if start_files_are_marked; then
			has "$work/elf" 'x86 feature: IBT, SHSTK' || lacks "is not marked for IBT and SHSTK"
		fi
		[ "$(grep -c endbr64 "$work/code")" -ge 20 ] || lacks "functions without endbr64"
		;;
	esac
done
exit $bad
