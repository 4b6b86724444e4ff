// A folder of frame_0000.png, frame_0001.png, ... that appears under its name only when it is whole.
#pragma once

#include <cstdint>

#include "stl/core/file.h"
#include "stl/media/image.h"

namespace stl {

class PictureFolder {
  public:
    /// Error if something is at `path`, unless it is an empty folder or, with force, one that holds nothing
    /// but pictures named as these.
    PictureFolder(fs::path path, bool force);
    ~PictureFolder();
    PictureFolder(const PictureFolder&) = delete;
    PictureFolder& operator=(const PictureFolder&) = delete;

    void add(const Image& image);
    void commit();
    const fs::path& path() const { return final_; }

  private:
    fs::path final_, temporary_;
    bool force_;
    std::int64_t count_ = 0;
};

}  // namespace stl
