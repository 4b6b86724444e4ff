// Films of the Caltech Pedestrian set: Norpix .seq files of JPEG pictures.
//
// A header of 1024 bytes (0xFEED, at 4 "Norpix seq" in UTF-16, at 32 its own size), then for each picture its
// size in bytes (uint32, these four counted), the picture, and a time stamp of 8 bytes or more. Numbers are
// little-endian. Source of the layout: P. Dollar's toolbox for MATLAB (seqIo).
#pragma once

#include <cstdint>
#include <optional>

#include "stl/core/file.h"
#include "stl/media/image.h"

namespace stl {

class SeqFile {
  public:
    /// Error: no .seq file, another kind of picture.
    explicit SeqFile(const fs::path& path);
    /// RGB; empty at the end. Error: cut off within a picture, or damaged.
    std::optional<Image> next();

  private:
    std::uint32_t number_at(std::size_t offset) const;
    bool picture_at(std::size_t offset) const;
    std::size_t after(std::size_t end) const;

    MappedFile file_;
    std::size_t at_ = 0;  ///< of the next picture's size
    int number_ = 0;
};

}  // namespace stl
