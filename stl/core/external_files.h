// Files that a file names: external links, raw storage, playlists. A file from somewhere else must not make a
// program read its user's other files.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl {

struct ExternalFiles {
    bool allowed = false;  ///< wherever they lie (--allow-external)
};

/// True if `other` lies in the folder of `file` or below it, symbolic links resolved. Both must exist.
bool lies_beside(const fs::path& file, const fs::path& other);

/// Error unless `other` lies beside `file` or `external` allows it: "<file>: refers to <other>, ...".
void require_allowed(const fs::path& file, const fs::path& other, ExternalFiles external);

}  // namespace stl
