# cpack (in the build folder): a relocatable stl-VERSION-linux-x86_64.tar.zst of everything, and the Debian packages stl and
# stl-dev. LibTorch's libraries for GPUs are in neither: they are larger than all the rest.

set(CPACK_GENERATOR TZST DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGE_FILE_NAME stl-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_CONTACT "stl maintainers <maintainers@stl.invalid>")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_COMPONENTS_ALL stl torch development)
set(CPACK_COMPONENT_STL_GROUP runtime)
set(CPACK_COMPONENT_TORCH_GROUP runtime)
set(CPACK_COMPONENT_DEVELOPMENT_GROUP development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/PackageFormat.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME stl)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION science)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
    "Learns from videos to predict their next frames: generates and imports data, trains SimVP networks, evaluates and
 renders. LibTorch comes along, in a folder of its own.")
# What the libraries of the package link and is not in it.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${STL_TORCH_ROOT}/lib)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME stl-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "stl (= ${PROJECT_VERSION})")
# For the C++ library; the C interface needs none of them.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/dependencies.txt development REGEX "^apt +[a-z0-9-]+-dev ")
list(TRANSFORM development REPLACE "^apt +([a-z0-9-]+) .*$" "\\1")
list(FILTER development EXCLUDE REGEX "libgtest|libgmock|libcli11|libprotozero")
string(JOIN ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS cmake pkg-config ${development})
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "The header of the C interface, the headers and static libraries of the C++ library, and LibTorch's headers.")
include(CPack)
