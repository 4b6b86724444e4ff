// HDF5's locks on files.
#pragma once

namespace stl {

/// Sets HDF5_USE_FILE_LOCKING to FALSE in the environment, unless it is there. Our own files are never locked; this is
/// for the sources of virtual datasets, which HDF5 opens by itself: with locks it reads zeros, without a word, where the
/// same file is open without them. For a program to call before HDF5's first use, and before it starts threads.
void leave_hdf5_files_unlocked();

}  // namespace stl
