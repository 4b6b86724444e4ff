# cmake --install build --prefix DIR: a folder that can be moved to another machine of the same kind. LibTorch goes
# along; FFmpeg, HDF5 and the other Debian packages are expected there.
#
# Components: `stl`, the program, the shared library and their data; `torch`, LibTorch's libraries for the CPU, in a
# folder of their own; `gpu`, its libraries for GPUs, where it has them; `mpi`, by which several ranks talk to each other;
# `development`, what others build with.

# stl_install(<target> DESTINATION <folder> RPATH <where it looks for libraries>)
# Not install(TARGETS): for what it installs CMake pads the RUNPATH in the build folder with an empty element, which the
# loader takes for the current folder: a libgomp.so.1 among downloaded data would be run.
function(stl_install target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESTINATION;RPATH;COMPONENT" "")
    if(NOT arg_COMPONENT)
        set(arg_COMPONENT stl)
    endif()
    install(PROGRAMS $<TARGET_FILE:${target}> DESTINATION ${arg_DESTINATION} COMPONENT ${arg_COMPONENT})
    install(CODE "file(RPATH_SET FILE
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${arg_DESTINATION}/$<TARGET_FILE_NAME:${target}>\"
        NEW_RPATH [[${arg_RPATH}]])" COMPONENT ${arg_COMPONENT})
endfunction()

set(torch_folder lib/stl/torch)

stl_install(stl DESTINATION bin RPATH "$ORIGIN/../${torch_folder}/lib")
stl_install(stl_shared DESTINATION lib RPATH "$ORIGIN/stl/torch/lib")
install(FILES $<TARGET_SONAME_FILE:stl_shared> DESTINATION lib COMPONENT stl)
if(TARGET stl_cuda)
    stl_install(stl_cuda DESTINATION lib/stl RPATH "$ORIGIN/torch/lib")
endif()
if(TARGET stl_mpi)
    stl_install(stl_mpi DESTINATION lib/stl RPATH "$ORIGIN/torch/lib" COMPONENT mpi)
endif()
install(DIRECTORY datasets experiments DESTINATION share/stl COMPONENT stl)
install(FILES README.md LICENSE DESTINATION share/stl COMPONENT stl)

# Licences: ours, and of what is installed along or compiled in.
install(FILES LICENSE DESTINATION share/doc/stl RENAME copyright COMPONENT stl)
file(GLOB wheels ${STL_TORCH_ROOT}/../torch-*.dist-info ${STL_TORCH_ROOT}/../nvidia_*.dist-info)
foreach(wheel IN LISTS wheels)
    string(REGEX REPLACE "^.*/([^/]*)[.]dist-info$" "\\1" name ${wheel})
    install(DIRECTORY ${wheel}/licenses/ DESTINATION share/doc/stl/licences/${name} COMPONENT torch)
endforeach()
foreach(package nlohmann-json3-dev libcli11-dev libprotozero-dev libspdlog-dev libgomp1)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION share/doc/stl/licences/${package} COMPONENT stl OPTIONAL)
endforeach()

# zsh looks in the first folder below /usr/local and elsewhere, in the second below Debian's /usr.
set(shell_folder ${CMAKE_BINARY_DIR}/generated/shell)
install(FILES ${shell_folder}/stl DESTINATION share/bash-completion/completions COMPONENT stl)
foreach(folder site-functions vendor-completions)
    install(FILES ${shell_folder}/_stl DESTINATION share/zsh/${folder} COMPONENT stl)
endforeach()
install(FILES ${shell_folder}/stl.fish DESTINATION share/fish/vendor_completions.d COMPONENT stl)
install(DIRECTORY ${shell_folder}/man/ DESTINATION share/man/man1 COMPONENT stl)

# libtorch_cpu.so of the PyPI package links two of CUDA's libraries, libtorch_cuda.so all others that are there.
file(GLOB torch_libraries ${STL_TORCH_ROOT}/lib/*.so* ${STL_TORCH_ROOT}/../nvidia/*/lib/*.so*)
list(FILTER torch_libraries EXCLUDE REGEX "/(libtorch_python|libshm|libtorch_global_deps)[^/]*$")
set(gpu_libraries ${torch_libraries})
list(FILTER torch_libraries INCLUDE REGEX "/lib(c10|torch|torch_cpu|gomp|cudart|cupti)[.-][^/]*$")
list(REMOVE_ITEM gpu_libraries ${torch_libraries})
install(FILES ${torch_libraries} DESTINATION ${torch_folder}/lib COMPONENT torch)
install(FILES ${gpu_libraries} DESTINATION ${torch_folder}/lib COMPONENT gpu)
# The wheels' libraries look in their neighbours' folders, which here lie beside the installation, where whoever writes
# (/tmp is everyone's) would have them loaded. All of them are in one folder now.
install(CODE "file(GLOB libraries \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${torch_folder}/lib/*.so*\")" COMPONENT torch)
install(CODE [[
    foreach(library IN LISTS libraries)
        if(IS_SYMLINK "${library}")
            continue()
        endif()
        unset(rpath)
        unset(runpath)  # a file without one leaves them as they are
        file(READ_ELF "${library}" RPATH rpath RUNPATH runpath CAPTURE_ERROR not_read)
        if("${rpath}${runpath}" MATCHES "[.][.]")
            file(RPATH_SET FILE "${library}" NEW_RPATH "$ORIGIN")
        endif()
    endforeach()]] COMPONENT torch)

# find_package(stl): docs/library.md.
include(CMakePackageConfigHelpers)
set(package_folder lib/cmake/stl)
install(FILES stl/c/stl.h DESTINATION include COMPONENT development)
install(FILES $<TARGET_LINKER_FILE:stl_shared> DESTINATION lib COMPONENT development)
install(DIRECTORY stl DESTINATION include COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN "*.def"
        PATTERN "stl/c" EXCLUDE PATTERN "gpu/cuda" EXCLUDE PATTERN "gpu/emulated" EXCLUDE PATTERN "variants" EXCLUDE)
install(DIRECTORY ${STL_TORCH_ROOT}/include DESTINATION ${torch_folder} COMPONENT development)
stl_folders(folders)
foreach(folder IN LISTS folders)
    set_target_properties(stl_${folder} PROPERTIES EXPORT_NAME ${folder})
    install(TARGETS stl_${folder} EXPORT stl ARCHIVE DESTINATION lib/stl COMPONENT development)
endforeach()
foreach(name options library)
    set_target_properties(stl_${name} PROPERTIES EXPORT_NAME ${name})
    install(TARGETS stl_${name} EXPORT stl COMPONENT development)
endforeach()
install(EXPORT stl FILE stlTargets.cmake NAMESPACE stl:: DESTINATION ${package_folder} COMPONENT development)
configure_package_config_file(cmake/stlConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/stlConfig.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/stlConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/stlConfig.cmake ${CMAKE_BINARY_DIR}/generated/stlConfigVersion.cmake
              cmake/Libraries.cmake cmake/LibTorch.cmake
        DESTINATION ${package_folder} COMPONENT development)
