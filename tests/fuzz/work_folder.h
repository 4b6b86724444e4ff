// A folder for the files that readers are given, removed when the program ends.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl::fuzz {

const fs::path& work_folder();

/// Replaces what is there; in place, so that a name costs nothing twice.
fs::path put_file(const std::string& name, std::string_view bytes);

}  // namespace stl::fuzz
