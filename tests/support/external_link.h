// An HDF5 file whose dataset lies in another one.
#pragma once

#include <string>

#include "stl/core/file.h"
#include "tests/support/hdf5.h"

namespace stl::test {

/// In `path`, new, with its folder: a link `name` to `object` of the file `target` (by the name that is given here).
inline std::string write_external_link(const fs::path& path, const std::string& target,
                                       const char* name = "sequences", const char* object = "/sequences") {
    fs::create_directories(path.parent_path());
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(target.c_str(), object, file, name, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    return path.string();
}

}  // namespace stl::test
