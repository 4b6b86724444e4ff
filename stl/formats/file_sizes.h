// The sizes of the files that values lie in. HDF5 reads zeros beyond the end of a file that was cut short after it was
// opened, and so does a memory map up to the end of a page. For the files of this folder alone.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "stl/core/file.h"

namespace stl {

class FileSizes {
  public:
    /// A file as it is now. Error: it is missing.
    void add(const fs::path& path);
    void add(const FileSizes& others);
    /// Error: one has become shorter. One that was replaced meanwhile is another file: what was opened stays whole.
    void require_whole() const;

  private:
    struct File {
        fs::path path;
        dev_t device;
        ino_t number;
        off_t size;
    };
    std::vector<File> files_;
};

}  // namespace stl
