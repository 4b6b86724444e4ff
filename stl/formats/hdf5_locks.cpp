#include "stl/formats/hdf5_locks.h"

#include <cstdlib>

namespace stl {

void leave_hdf5_files_unlocked() {
    ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", /*overwrite=*/0);
}

}  // namespace stl
