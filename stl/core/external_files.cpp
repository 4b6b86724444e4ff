#include "stl/core/external_files.h"

#include <algorithm>

#include "stl/core/error.h"

namespace stl {

bool lies_beside(const fs::path& file, const fs::path& other) {
    const auto folder = fs::canonical(file).parent_path();
    const auto target = fs::canonical(other);
    return std::ranges::mismatch(folder, target).in1 == folder.end();
}

void require_allowed(const fs::path& file, const fs::path& other, ExternalFiles external) {
    if (external.allowed || lies_beside(file, other)) return;
    fail("{}: refers to {}, which lies outside its folder and is not read (--allow-external permits it)",
         file.string(), other.string());
}

}  // namespace stl
