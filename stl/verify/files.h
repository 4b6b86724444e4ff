// Checks of single files. For this folder alone.
#pragma once

#include <optional>

#include "stl/verify/verify.h"

namespace stl {

/// By its name and first bytes; nothing: it is of no kind that is known here.
std::optional<Verdict> verify_file(const fs::path& file, Reporter& reporter, const StopRequested& stop);

}  // namespace stl
