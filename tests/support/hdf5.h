// For tests that call HDF5 themselves.
#pragma once

#include <hdf5.h>

#include "stl/formats/hdf5_locks.h"

namespace stl::test {

/// Before the library's first use, as the program and hdf5::Lock do it.
inline const bool hdf5_set_up = (H5dont_atexit(), leave_hdf5_files_unlocked(), true);

}  // namespace stl::test
