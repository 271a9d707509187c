#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Is what doc/deployment.md shows what the tests run? Each file of etc/deployment stands there whole,
# in a block whose first line names it, and no block names a file that is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=doc/deployment.md
failed=0

# The block of that file, without its fences.
block() {
	awk -v path="$1" '
		/^```/ && inside { exit }
		inside { print }
		/^```/ && $NF == path { inside = 1 }
	' "$page"
}

for file in etc/deployment/*; do
	if ! diff -u --label "$page" --label "$file" <(block "$file") "$file"; then
		failed=1
	fi
done
while read -r file; do
	[ -e "$file" ] || { echo "$page: there is no $file"; failed=1; }
done < <(sed -n 's/^```.* \(etc\/.*\)$/\1/p' "$page")
exit "$failed"
