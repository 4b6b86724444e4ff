# Every library that is not ours, as targets. What installs them stands in cmake/dependencies.txt.

include(Libraries)
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_writer.hpp REQUIRED DOC "The folder that holds protozero/")
add_library(stl_protozero INTERFACE)
target_include_directories(stl_protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE_DIR})

if(NOT STL_READERS_ONLY)
    find_package(CLI11 REQUIRED)
    include(LibTorch)
endif()
if(STL_TESTS)
    find_package(GTest REQUIRED)
endif()
