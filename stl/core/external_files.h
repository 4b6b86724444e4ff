// Files that a file refers to: external links, raw storage, playlists. A file of unknown origin must not make the
// program read the user's other files.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl {

struct ExternalFiles {
    bool allowed = false;  ///< true: read them wherever they are (--allow-external)
};

/// True if `other` is in the folder of `file` or below it, after resolving symbolic links. Both must exist.
bool lies_beside(const fs::path& file, const fs::path& other);

/// Error unless lies_beside(file, other) or `external` allows it: "<file>: refers to <other>, ...".
void require_allowed(const fs::path& file, const fs::path& other, ExternalFiles external);

}  // namespace stl
