# LibTorch as the imported target stl::torch: libtorch_cpu and libc10 alone, so that one program runs with
# and without a GPU; libtorch_cuda is opened at run time (stl/runtime/device.h).
#
# Looked for in: Torch_DIR and CMAKE_PREFIX_PATH (the official zip, or a Python installation's torch folder),
# then .deps/site/torch, where tools/setup puts it, or, in an installation, beside stl. The package's own TorchConfig.cmake is not used: the one
# in the PyPI package insists on a CUDA toolkit.

set(_hints)
if(Torch_DIR)
    list(APPEND _hints ${Torch_DIR}/../../..)
endif()
list(APPEND _hints ${CMAKE_PREFIX_PATH})
find_path(STL_TORCH_ROOT include/torch/csrc/api/include/torch/torch.h
          HINTS ${_hints} PATHS ${CMAKE_CURRENT_LIST_DIR}/../.deps/site/torch ${CMAKE_CURRENT_LIST_DIR}/../../stl/torch
          NO_DEFAULT_PATH
          DOC "The folder that holds LibTorch's include/ and lib/")
if(NOT STL_TORCH_ROOT)
    message(FATAL_ERROR "LibTorch 2.11 was not found. Run tools/setup, or point to one with "
                        "-DCMAKE_PREFIX_PATH=/path/to/libtorch.")
endif()
file(REAL_PATH ${STL_TORCH_ROOT} STL_TORCH_ROOT)
file(STRINGS ${STL_TORCH_ROOT}/include/torch/headeronly/version.h _version_lines
     REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE "[^0-9;]" "" _version "${_version_lines}")
string(REPLACE ";" "." _version "${_version}")
if(NOT _version STREQUAL "2.11")
    message(WARNING "LibTorch ${_version} at ${STL_TORCH_ROOT}; stl is tested with 2.11.")
endif()
message(STATUS "LibTorch: ${STL_TORCH_ROOT} (${_version})")

add_library(stl_c10 SHARED IMPORTED)
set_target_properties(stl_c10 PROPERTIES IMPORTED_LOCATION ${STL_TORCH_ROOT}/lib/libc10.so)
add_library(stl_torch SHARED IMPORTED)
set_target_properties(stl_torch PROPERTIES IMPORTED_LOCATION ${STL_TORCH_ROOT}/lib/libtorch_cpu.so)
# After the system's folders: the package carries a copy of fmt that must not hide the one spdlog was built with.
target_compile_options(stl_torch INTERFACE
    "SHELL:-idirafter ${STL_TORCH_ROOT}/include" "SHELL:-idirafter ${STL_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(stl_torch INTERFACE stl_c10 Threads::Threads)
# The wheel's libraries find their neighbours by relative paths of their own; the linker must not insist.
target_link_options(stl_torch INTERFACE -Wl,--allow-shlib-undefined)
add_library(stl::torch ALIAS stl_torch)
