// For tests that call HDF5 themselves.
#pragma once

#include <hdf5.h>

namespace stl::test {

/// Before the library's first use, as hdf5::Lock does: at exit it would crash over files that could not be written.
inline const bool hdf5_without_exit_handler = H5dont_atexit() >= 0;

}  // namespace stl::test
