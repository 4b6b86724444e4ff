#include "stl/formats/file_sizes.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {

void FileSizes::add(const fs::path& path) {
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0)
        fail_call(errno, "{}: cannot be read ({})", path.string(), std::strerror(errno));
    files_.push_back({path, now.st_dev, now.st_ino, now.st_size});
}

void FileSizes::add(const FileSizes& others) {
    files_.insert(files_.end(), others.files_.begin(), others.files_.end());
}

void FileSizes::require_whole() const {
    for (const auto& [path, device, number, size] : files_) {
        struct stat now {};
        if (::stat(path.c_str(), &now) != 0 || now.st_dev != device || now.st_ino != number) continue;
        if (now.st_size >= size) continue;
        fail("{}: cut short while it was being read: {} of {} are left", path.string(),
             bytes_text(static_cast<std::uint64_t>(now.st_size)),
             bytes_text(static_cast<std::uint64_t>(size)));
    }
}

}  // namespace stl
