#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Are our MIB modules sound (smilint, level 6), and does the first it have the objects that the subagent
# serves, no more and no fewer? Then the dashboard and the exporter's module: they name only
# objects that there are. Exit codes: 0 yes, 1 no, 77 cannot tell.
# Usage: mibs.sh [DIRECTORY-OF-THE-UNIT-TESTS]
set -euo pipefail
tests=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/../.."
module=mibs/HOME-AGENT-MIB.txt

for tool in smilint smidump; do
	if ! command -v $tool >/dev/null; then
		echo "$tool is not installed (smitools, libsmi)"
		exit 77
	fi
done
# The standard modules where they are installed; else as much of them as ours imports.
export SMIPATH=/usr/share/snmp/mibs/ietf:/var/lib/mibs/ietf:/usr/share/mibs/ietf:$PWD/test/lint/mibs:$PWD/mibs

said=$(smilint -l 6 "$module" mibs/HOME-AGENT-CAPS-MIB.txt 2>&1)
if [ -n "$said" ]; then
	echo "$said"
	failed=1
fi

# NAME OID of every object that can be read.
objects=$(smidump -f identifiers "$module" 2>/dev/null |
	awk '$3 ~ /^(scalar|column)$/ { print $2, $4 }')
if [ -n "$tests" ]; then
	readable=$(awk '
		/OBJECT-TYPE$/ { name = $1 }
		/MAX-ACCESS +read-only/ { print name }' "$module")
	text=$(while read -r name; do awk -v n="$name" '$1 == n { print $2 }' <<<"$objects"; done \
		<<<"$readable" | sort)
	served=$("$tests/test_mib" --columns | sort)
	if ! diff <(echo "$text") <(echo "$served"); then
		echo "< in $module, > served by ha-core/snmp/home_agent_mib.c"
		failed=1
	fi
fi

/usr/bin/python3 test/lint/mib_users.py "$module" || failed=1
exit "${failed:-0}"
