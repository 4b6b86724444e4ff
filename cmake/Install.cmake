# cmake --install build --prefix DIR: a folder that can be moved to another machine of the same kind. LibTorch goes
# along; FFmpeg, HDF5 and the other Debian packages are expected there.

set_target_properties(stl PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
install(TARGETS stl RUNTIME DESTINATION bin)
if(TARGET stl_cuda)
    install(TARGETS stl_cuda LIBRARY DESTINATION lib)
endif()
install(DIRECTORY ${STL_TORCH_ROOT}/lib/ DESTINATION lib
        FILES_MATCHING PATTERN "*.so*"
        PATTERN "libtorch_python*" EXCLUDE PATTERN "libshm*" EXCLUDE PATTERN "libtorch_global_deps*" EXCLUDE)
# What libtorch_cpu.so of the PyPI package links, and on a machine with a GPU everything that libtorch_cuda.so does.
file(GLOB cuda_libraries ${STL_TORCH_ROOT}/../nvidia/*/lib/*.so*)
install(FILES ${cuda_libraries} DESTINATION lib)
install(DIRECTORY datasets experiments DESTINATION share/stl)
install(FILES README.md LICENSE DESTINATION share/stl)
