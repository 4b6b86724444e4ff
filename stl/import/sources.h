// What the inputs of an import stand for: files, folders searched through, patterns.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "stl/formats/data_file.h"

namespace stl {

struct ImportSource {
    enum class Kind { video, pictures, array } kind = Kind::video;
    DataFile file;  ///< as found
    std::string name() const { return file.string(); }
};

/// In natural order, each file once, however it is spelled or linked to. A folder gives the videos, arrays and stacks
/// of pictures in it, and itself where it holds single pictures; so do the folders inside it. Links are followed, but
/// none that leads to a folder around it. `warn` is told of links that lead nowhere, and of pictures that can't be read
/// in folders without others. Error: nothing there, or nothing that can be read.
std::vector<ImportSource> find_sources(std::span<const std::string> inputs,
                                       const std::function<void(const std::string&)>& warn = {});

}  // namespace stl
