# Warnings are errors in every build that we ship or test.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith
	-Wformat=2 -Wundef -Wwrite-strings -Wvla -Wswitch-enum -Wimplicit-fallthrough
	-Wno-missing-field-initializers)
option(WARNINGS_AS_ERRORS "Stop at the first warning" ON)
if(WARNINGS_AS_ERRORS)
	add_compile_options(-Werror)
endif()
