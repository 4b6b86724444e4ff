# A folder of stl/ is one static library, stl_<folder>; its tests are one program, test_<folder>.
# Files are found by themselves: adding one needs no edit here.

# stl_folder(<name> [TORCH] [LINK <libraries...>])
function(stl_folder name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "LINK")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
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
    endif()
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
    target_compile_definitions(test_${name} PRIVATE STL_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                                                    STL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                    STL_PROGRAM="${CMAKE_BINARY_DIR}/bin/stl")
    if(arg_TORCH)
        target_precompile_headers(test_${name} REUSE_FROM stl_torch_pch)
    endif()
    include(GoogleTest)
    # One thread a test: ctest runs several at a time.
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 900 ENVIRONMENT OMP_NUM_THREADS=1)
endfunction()
