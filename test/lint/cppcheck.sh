#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What cppcheck finds in the programs; what it is wrong about is in cppcheck.suppressions. Exits 1
# if there is anything, 77 without cppcheck. The programs of the kernel are checked by the kernel.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v cppcheck >/dev/null; then
	echo "cppcheck is not installed"
	exit 77
fi
exec cppcheck --std=c11 --enable=warning,performance,portability --quiet --error-exitcode=1 -I. \
	-D_GNU_SOURCE '-DLIBBPF_OPTS(type,name,...)=struct type name' -i ha-core/tunnel/bpf/ha_tc.bpf.c \
	-i ha-core/tunnel/bpf/ha_xdp.bpf.c --suppressions-list=test/lint/cppcheck.suppressions \
	--template='{file}:{line}: {id}: {message}' common ha-core ihad xhad
