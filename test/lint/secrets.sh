#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Is each authenticator compared in constant time? One place compares them: mac_verify(), by
# CRYPTO_memcmp(). Elsewhere memcmp() and its like meet nothing whose name says secret, but for the
# lines below, which compare what no stranger has sent.
# Prints FILE:LINE: and the line; exits 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/../.."

# FILE and what stands in the line; why
allowed='ha-core/auth/sa\.c:.*a->key, b->key'          # two keys of the configuration, at a reload
allowed+='|ha-core/auth/mac\.c:.*m->key, last\.key'    # two keys of the configuration
allowed+='|ha-core/ha_conf\.c:.*key, key \+ 1'       # one of the configuration with itself
allowed+='|ha-core/store/journal\.c:.*a->key, b->key'  # names of records in our own file
allowed+='|ha-core/engine/memory\.c:.*key\[0\], key\[1\]' # the order of our own records
allowed+='|ha-core/store/store\.c:.*about_key'         # the name of a record
allowed+='|ha-core/ha_reload\.c:.*digest'              # of our own file, to see whether it changed

bad=$(grep -rnE '(^|[^_])\b(memcmp|bcmp)\([^;]*\b(\w*->|\w*\.|\w*_)?(mac|key|auth|expect|digest|secret)\b' \
	--include='*.[ch]' common ha-core ihad xhad | grep -vE "^($allowed)" || true)
calls=$(grep -rn 'CRYPTO_memcmp(' --include='*.[ch]' common ha-core ihad xhad | wc -l || true)
if [ "$calls" -ne 1 ]; then
	bad+="ha-core/auth/mac.c: CRYPTO_memcmp() is called in $calls places; mac_verify() is the one"
fi
if [ -n "$bad" ]; then
	echo "$bad"
	exit 1
fi
