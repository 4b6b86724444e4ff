# Compiler settings that hold for every target of ours.

add_library(stl_options INTERFACE)
# -fPIC for programs too: with -fPIE they could not use the libraries' precompiled header.
target_compile_options(stl_options INTERFACE
                       $<BUILD_INTERFACE:-fPIC> $<BUILD_INTERFACE:-Wall> $<BUILD_INTERFACE:-Wextra>
                       $<BUILD_INTERFACE:$<$<BOOL:${STL_WERROR}>:-Werror>>)
target_compile_features(stl_options INTERFACE cxx_std_20)
target_include_directories(stl_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                 $<INSTALL_INTERFACE:include>)

# For the CPU's kernels.
set(stl_kernel_options -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math)

# For tests and the command line, whose time is that of the library: half the compiler's work.
set(stl_quick_to_build $<$<CONFIG:Release>:-O1>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 warns of std::string's own operator+ when it optimizes (GCC bug 105651).
    target_compile_options(stl_options INTERFACE $<BUILD_INTERFACE:-Wno-restrict>)
    # At -O1 also of bounds within it.
    list(APPEND stl_quick_to_build $<$<CONFIG:Release>:-Wno-array-bounds> $<$<CONFIG:Release>:-Wno-stringop-overflow>)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18)
    # LibTorch is compiled by GCC, which names constrained templates in object files as Clang did up to 17.
    target_compile_options(stl_options INTERFACE -fclang-abi-compat=17)
endif()

set(STL_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")
if(STL_SANITIZE)
    target_compile_options(stl_options INTERFACE -fsanitize=${STL_SANITIZE} -fno-omit-frame-pointer
                                                 -fno-sanitize-recover=all)
    target_link_options(stl_options INTERFACE -fsanitize=${STL_SANITIZE})
endif()

# Of use from the second build on; a first one takes longer, because the precompiled header (over 0.5 GB) is read once
# more for every file.
option(STL_CCACHE "Compile through ccache where it is" ON)
find_program(CCACHE_PROGRAM ccache)
if(STL_CCACHE AND CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The precompiled header's time stamp and __TIME__ must not spoil the cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()
