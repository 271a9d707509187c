#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may include whom: ihad, xhad -> ha-core -> common; the core's pure parts; one door a library.
# Prints FILE:LINE: and the broken rule; exits 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/../.."

sources() {
	find "$@" -name '*.[ch]' | sort
}

# Every include as FILE:LINE INCLUDED, the included with its <> or "".
includes() {
	grep -nE '^[[:space:]]*#[[:space:]]*include' "$@" /dev/null |
		sed -E 's/^([^:]+:[0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*/\1 /'
}

mapfile -t all < <(sources common ha-core ihad xhad)
mapfile -t everything < <(sources common ha-core ihad xhad test)

includes "${everything[@]}" | awk '
function broken(rule) { print $1 ": " $2 ": " rule; bad = 1 }
function is(prefix) { return index(file, prefix) == 1 }
{
	split($1, place, ":")
	file = place[1]
	name = substr($2, 2, length($2) - 2)
	own = substr($2, 1, 1) == "\""

	# 5. from the root
	if (own && index(name, "/") == 0 && !is("test/"))
		broken("includes are written from the root")

	# 1. calls go down
	if (is("common/") && own && name !~ /^common\//)
		broken("common knows nothing of the rest")
	if (is("ha-core/") && own && name !~ /^(common|ha-core)\//)
		broken("the core sees itself and common only")
	if (is("ihad/") && name ~ /^xhad\// || is("xhad/") && name ~ /^ihad\//)
		broken("the daemons never see each other")
	if ((is("ihad/") || is("xhad/")) && name ~ /^ha-core\// &&
	    name !~ /^ha-core\/(ha\.h|ha_conf\.h|engine\/ha_policy\.h|wire\/.*|tunnel\/tunnel\.h)$/)
		broken("of the core a daemon sees ha.h, ha_conf.h, ha_policy.h, tunnel.h and wire/ only")
	if (is("common/") && !is("common/cli/") && name ~ /^common\/cli\//)
		broken("nothing includes the CLI")
	if (!is("test/") && own && name ~ /^test\//)
		broken("no program depends on tests")

	# 2. pure parts: no socket, no loop
	pure = file ~ /^ha-core\/(wire|auth|binding|engine)\// ||
	       file ~ /^ha-core\/tunnel\/(broadcast|encap|icmp|icmp_quote|filter|ipv4|mss|soft_state)\.[ch]$/
	if (pure && name ~ /^(common\/(loop|ctl|daemon|conf)\.h|sys\/socket\.h|unistd\.h|poll\.h|fcntl\.h)$/)
		broken("this part is pure: no I/O")
	if (is("ha-core/wire/") && own && name !~ /^(common\/(addr|err)\.h|ha-core\/wire\/.*)$/)
		broken("the codec stands on nothing but itself")

	# 3. one door a library
	door["ev.h"] = "common/loop.c"
	door["yaml.h"] = "common/conf.c"
	door["lmdb.h"] = "ha-core/store/database.h"
	if ((name in door) && file != door[name])
		broken("enters through " door[name] " only")
	if (name ~ /^openssl\// && file != "ha-core/auth/mac.c" && file != "ha-core/cluster/tls.c" &&
	    !is("test/"))
		broken("enters through ha-core/auth/mac.c only, libssl through ha-core/cluster/tls.c")
	if (name ~ /^net-snmp\// && file != "common/agentx.c")
		broken("enters through common/agentx.c only")
	if (name ~ /^libmnl\// && file != "ha-core/tunnel/rtnl.c" && !is("test/"))
		broken("enters through ha-core/tunnel/rtnl.c only")
	if ((name ~ /^bpf\// || name == "habpf.skel.h") && !is("ha-core/tunnel/bpf/") && !is("test/"))
		broken("enters through ha-core/tunnel/bpf/ only")
	if (name ~ /^hiredis\// && file != "ha-core/cluster/redis.c")
		broken("enters through ha-core/cluster/redis.c only")
	if (name ~ /^systemd\// && file != "common/daemon.c")
		broken("enters through common/daemon.c only")
	if (name ~ /^(cap-ng|seccomp)\.h$/ && file != "common/privs.c")
		broken("enters through common/privs.c only")
	if (name == "cmocka.h" && !is("test/"))
		broken("is for tests only")
}
END { exit bad }
' || failed=1

# 2. and no clock: time is a parameter. 4. nothing shells out, nothing sleeps.
mapfile -t pure < <(sources ha-core/wire ha-core/auth ha-core/binding ha-core/engine
	find ha-core/tunnel -name 'broadcast.[ch]' -o -name 'encap.[ch]' -o -name 'icmp.[ch]' -o -name 'filter.[ch]' -o -name 'icmp_quote.[ch]' \
		-o -name 'mss.[ch]' -o -name 'soft_state.[ch]')
forbid() {
	local rule=$1 pattern=$2 hits
	shift 2
	hits=$(grep -nE "(^|[^A-Za-z0-9_>.\"])($pattern)[[:space:]]*\(" "$@" /dev/null |
		grep -vE '^[^:]+:[0-9]+:[[:space:]]*(\*|/\*|//)' || true)
	[ -n "$hits" ] || return 0
	sed -E "s|^([^:]+:[0-9]+):.*|\1: $rule|" <<<"$hits"
	failed=1
}
forbid "this part is pure: time is a parameter" \
	'clock_gettime|gettimeofday|time|clock_read|loop_now|getrandom|rand|random' "${pure[@]}"
forbid "nothing shells out" 'system|popen|execl|execlp|execle|execv|execvp|execvpe' "${all[@]}"
forbid "wait for an event instead" 'sleep|usleep|nanosleep' "${everything[@]}"

exit "${failed:-0}"
