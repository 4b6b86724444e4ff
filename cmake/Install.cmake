# cmake --install build --prefix DIR: a folder that can be moved to another machine of the same kind. LibTorch goes
# along; FFmpeg, HDF5 and the other Debian packages are expected there. `--component stl` installs what is ours alone.

# stl_install(<target> DESTINATION <folder> RPATH <where it looks for libraries>)
# Not install(TARGETS): for what it installs CMake pads the RUNPATH in the build folder with an empty element, which the
# loader takes for the current folder: a libgomp.so.1 among downloaded data would be run.
function(stl_install target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESTINATION;RPATH" "")
    install(PROGRAMS $<TARGET_FILE:${target}> DESTINATION ${arg_DESTINATION} COMPONENT stl)
    install(CODE "file(RPATH_SET FILE
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${arg_DESTINATION}/$<TARGET_FILE_NAME:${target}>\"
        NEW_RPATH [[${arg_RPATH}]])" COMPONENT stl)
endfunction()

stl_install(stl DESTINATION bin RPATH "$ORIGIN/../lib")
if(TARGET stl_cuda)
    stl_install(stl_cuda DESTINATION lib RPATH "$ORIGIN")
endif()
if(TARGET stl_mpi)
    stl_install(stl_mpi DESTINATION lib RPATH "$ORIGIN")
endif()
install(DIRECTORY ${STL_TORCH_ROOT}/lib/ DESTINATION lib
        FILES_MATCHING PATTERN "*.so*"
        PATTERN "libtorch_python*" EXCLUDE PATTERN "libshm*" EXCLUDE PATTERN "libtorch_global_deps*" EXCLUDE)
# What libtorch_cpu.so of the PyPI package links, and on a machine with a GPU everything that libtorch_cuda.so does.
file(GLOB cuda_libraries ${STL_TORCH_ROOT}/../nvidia/*/lib/*.so*)
install(FILES ${cuda_libraries} DESTINATION lib)
install(DIRECTORY datasets experiments DESTINATION share/stl COMPONENT stl)
install(FILES README.md LICENSE DESTINATION share/stl COMPONENT stl)
# The wheels' libraries look in their neighbours' folders, which here lie beside the installation, where whoever writes
# (/tmp is everyone's) would have them loaded. All of them are in one folder now.
install(CODE [[
    file(GLOB libraries "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/*.so*")
    foreach(library IN LISTS libraries)
        if(IS_SYMLINK "${library}")
            continue()
        endif()
        file(READ_ELF "${library}" RPATH rpath RUNPATH runpath CAPTURE_ERROR not_read)
        if("${rpath}${runpath}" MATCHES "[.][.]")
            file(RPATH_SET FILE "${library}" NEW_RPATH "$ORIGIN")
        endif()
    endforeach()]])
