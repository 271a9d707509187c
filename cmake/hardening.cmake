# SPDX-License-Identifier: BSD-2-Clause
#
# What makes a mistake of ours hard to use, in every build for users; test/lint/hardening.sh reads
# it off the programs. What a compiler does not know it does without. Builds for developers (Debug,
# SANITIZE) have less: sanitizers and valgrind shall see what the code does by itself.
include(CheckCCompilerFlag)
include(CheckPIESupported)

function(harden flag)
	string(MAKE_C_IDENTIFIER "HAS${flag}" has)
	set(CMAKE_REQUIRED_FLAGS -Werror) # one that it knows and has no use for is none
	check_c_compiler_flag(${flag} ${has})
	if(${has})
		add_compile_options(${flag})
	endif()
endfunction()

check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON) # addresses that nobody can know
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack) # tables that nobody can write
harden(-fstack-protector-strong)
harden(-fstack-clash-protection) # no step over the guard page
harden(-fcf-protection=full)     # x86: calls end where functions begin, returns where calls were
harden(-mbranch-protection=standard) # ARM: the same
if(NOT SANITIZE AND NOT FUZZ AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	# Level 3 asks the compiler for sizes that are known at run time only; older C libraries take it
	# for 2. The distribution may have set it already, and twice is an error.
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
	harden(-ftrivial-auto-var-init=zero) # no octet of what lay on the stack before gets out
endif()
