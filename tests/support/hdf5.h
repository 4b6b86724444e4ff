// For tests that call HDF5 themselves.
#pragma once

#include <hdf5.h>

#include <cstdlib>

namespace stl::test {

/// Before the library's first use, as hdf5::Lock does it.
inline const bool hdf5_set_up = (H5dont_atexit(), ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0) == 0);

}  // namespace stl::test
