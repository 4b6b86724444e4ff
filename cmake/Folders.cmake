# A folder of stl/ is one static library, stl_<folder>; its tests are one program, test_<folder>.
# Files are found by themselves: adding one needs no edit here.
#
# Four precompiled headers, each compiled once: stl_plain_pch and stl_torch_pch for the library, without and with
# LibTorch, stl_plain_test_pch and stl_torch_test_pch for the tests.

# stl_precompiled(<name> HEADERS <headers...> LINK <libraries...>): a library that holds a precompiled header.
function(stl_precompiled name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.cpp CONTENT "// holds a precompiled header\n")
    add_library(${name} STATIC ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
    target_link_libraries(${name} PUBLIC stl_options ${arg_LINK})
    target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

# stl_folder(<name> [TORCH] [OWN_FLAGS] [WITHOUT <subfolders...>] [LINK <libraries...>])
# OWN_FLAGS: its files are compiled with flags that no precompiled header was made with.
# WITHOUT: subfolders that are libraries of their own.
function(stl_folder name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH;OWN_FLAGS" "" "WITHOUT;LINK")
    set_property(GLOBAL APPEND PROPERTY STL_FOLDERS ${name})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
    foreach(subfolder IN LISTS arg_WITHOUT)
        list(FILTER sources EXCLUDE REGEX "/${name}/${subfolder}/")
    endforeach()
    if(NOT sources)
        add_library(stl_${name} INTERFACE)
        target_link_libraries(stl_${name} INTERFACE stl_options ${arg_LINK})
        return()
    endif()
    add_library(stl_${name} STATIC ${sources})
    target_link_libraries(stl_${name} PUBLIC stl_options ${arg_LINK})
    if(arg_TORCH)
        target_precompile_headers(stl_${name} REUSE_FROM stl_torch_pch)
        target_link_libraries(stl_${name} PUBLIC stl::torch)
    elseif(NOT arg_OWN_FLAGS)
        target_precompile_headers(stl_${name} REUSE_FROM stl_plain_pch)
    endif()
endfunction()

# stl_folders(<variable>): the names that stl_folder() was called with so far.
function(stl_folders variable)
    get_property(folders GLOBAL PROPERTY STL_FOLDERS)
    set(${variable} ${folders} PARENT_SCOPE)
endfunction()

# stl_tests(<name> [TORCH] [LINK <libraries...>])
function(stl_tests name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "LINK")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
    if(NOT sources)
        return()
    endif()
    add_executable(test_${name} ${sources})
    target_link_libraries(test_${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main)
    target_compile_definitions(test_${name} PRIVATE STL_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/fixtures"
                                                    STL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                    STL_PROGRAM="${CMAKE_BINARY_DIR}/bin/stl")
    target_compile_options(test_${name} PRIVATE ${stl_quick_to_build})
    if(arg_TORCH)
        target_precompile_headers(test_${name} REUSE_FROM stl_torch_test_pch)
    else()
        target_precompile_headers(test_${name} REUSE_FROM stl_plain_test_pch)
    endif()
    include(GoogleTest)
    # One thread a test: ctest runs several at a time.
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 900 ENVIRONMENT OMP_NUM_THREADS=1)
endfunction()
