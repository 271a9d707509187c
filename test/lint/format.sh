#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Is every C file laid out as .clang-format says, and no line wider than it says, which does not
# hold comments to it? Exit codes: 0 yes, 1 no, 77 cannot tell.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Releases of clang-format differ in detail: the layout is that of Debian 12's.
version=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
if [ "$version" -ne 14 ]; then
	echo "clang-format $version lays out differently from 14, the release used here"
	exit 77
fi
if git rev-parse --git-dir >/dev/null 2>&1; then
	mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.c' '*.h' | sort -u)
else
	mapfile -t files < <(find common ha-core ihad xhad test -name '*.[ch]' | sort)
fi
existing=()
for file in "${files[@]}"; do
	[ ! -f "$file" ] || existing+=("$file")
done
wide=false
for file in "${existing[@]}"; do
	! expand "$file" | LC_ALL=C.UTF-8 grep -nE '^.{101}' | sed "s|^|$file, over 100 columns: |" ||
		wide=true
done
clang-format --dry-run -Werror --ferror-limit=3 "${existing[@]}"
! $wide
