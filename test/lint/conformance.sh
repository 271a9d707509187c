#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Does each row of test/conformance.md name tests that exist? A test is a scenario (NAME.scn), a
# file of golden packets (NAME.hex), a function of test/netns (test_NAME) or a cmocka test. Rows that
# say "none yet" are counted.
# Prints FILE:LINE: and what is wrong; exits 1 if there is anything.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests=$(
	find test/scenario -name '*.scn' -printf '%f\n'
	find test/unit/vectors -name '*.hex' -printf '%f\n'
	grep -hoE '^def test_\w+' test/netns/test_*.py | cut -d' ' -f2
	# Written, and in a list of tests that is run.
	comm -12 \
		<(grep -rhoE --include='*.c' '^static void \w+\(void \*\*state\)' test |
			sed -E 's/^static void (\w+).*/\1/' | sort -u) \
		<(grep -rhoE --include='*.c' '\b([A-Za-z_]*(TEST|test)|cmocka_unit_test\w*)\(\w+' test |
			sed 's/.*(//' | sort -u)
)

awk -F'|' -v tests="$tests" '
function wrong(what) { print FILENAME ":" FNR ": " what; bad = 1 }
BEGIN {
	n = split(tests, list, "\n")
	for (i = 1; i <= n; i++) known[list[i]] = 1
	n = split("MUST,MUST NOT,SHOULD,SHOULD NOT,MAY", list, ",")
	for (i = 1; i <= n; i++) levels[list[i]] = 1
}
!/^\|/ || /^\| *(Standard|---)/ { next }
{
	rows++
	if (NF != 6) { wrong("a row has four columns: standard, level, rule, test"); next }
	level = $3; cell = $5
	gsub(/^ +| +$/, "", level); gsub(/^ +| +$/, "", cell)
	if (!(level in levels)) wrong("not a level: " level)
	if (cell == "none yet") { untested++; next }
	n = split(cell, list, /, */)
	for (i = 1; i <= n; i++) {
		name = list[i]
		if (name !~ /^`[A-Za-z0-9_.-]+`$/) { wrong("not a test: " name); continue }
		gsub(/`/, "", name)
		if (!(name in known)) wrong("there is no test " name)
	}
}
END {
	if (rows == 0) wrong("the table is empty")
	printf "%d rules, %d of them without a test yet\n", rows, untested
	exit bad
}
' test/conformance.md
