cmake_policy(VERSION 3.25)
# Writes OUTPUT with the version and git revision of SOURCE, and touches it only when they changed.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
    set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#pragma once
#define STL_VERSION \"@VERSION@\"
#define STL_REVISION \"@revision@\"
" @ONLY)
