// What the inputs of an import stand for: files, folders searched through, patterns.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct ImportSource {
    enum class Kind { video, pictures, array } kind = Kind::video;
    std::string name;  ///< the path as found; of an array perhaps with ":DATASET"
};

/// In natural order, each file once, however it is spelled or linked to. A folder gives the videos and arrays
/// in it, and itself where it holds pictures; so do the folders inside it (not those linked to). Error:
/// nothing there, or nothing that can be read.
std::vector<ImportSource> find_sources(std::span<const std::string> inputs);

}  // namespace stl
