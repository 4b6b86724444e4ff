// The pictures of a folder as one film: which files they are, their order and its gaps.
#pragma once

#include <string>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct ListedPicture {
    fs::path path;
    bool after_gap = false;  ///< it does not follow on the one before
};

struct PictureList {
    std::vector<ListedPicture> pictures;
    /// What is to be told of it: gaps, pictures that are passed over.
    std::vector<std::string> remarks;
};

/// Links are followed; hidden files, such as macOS's "._*", are not looked at. Error: the folder cannot be read.
PictureList read_picture_list(const fs::path& folder);

}  // namespace stl
