// Reading an HDF5 file completely, to find what of it is damaged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/core/reporter.h"

namespace stl {

struct DatasetCheck {
    std::string name;
    std::int64_t rows = 0;              ///< along the first axis
    std::vector<std::int64_t> damaged;  ///< rows that cannot be read, or are not what their checksum says
    bool has_checksums = false;         ///< on all its values
    std::string problem;                ///< why nothing can be read of it, a line; empty: it can
};

struct Hdf5Check {
    bool has_checksums = false;  ///< on what says where the data lie and what they are
    std::vector<DatasetCheck> datasets;
};

/// All numeric datasets of a file; others are passed over. Other files that it names must lie beside it. Error: it cannot be
/// opened as HDF5. Interrupted.
Hdf5Check check_hdf5(const fs::path& path, Reporter& reporter, const StopRequested& stop = {});

}  // namespace stl
