# Every library that is not ours, as targets. What installs them stands in cmake/dependencies.txt.

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale)

if(NOT STL_READERS_ONLY)
    find_package(CLI11 REQUIRED)
    include(LibTorch)
endif()
if(STL_TESTS)
    find_package(GTest REQUIRED)
endif()
