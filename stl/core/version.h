// What was built: version and git revision.
#pragma once

#include <string>

namespace stl {

std::string version();   ///< "0.1.0"
std::string revision();  ///< "1a2b3c4d5e6f", with "-dirty" for uncommitted changes, or "unknown"
/// Both: "0.1.0 (1a2b3c4d5e6f)"
std::string version_and_revision();

}  // namespace stl
