// Pictures set aside on disk, compressed, and given back in order: for writers that have to see all of them
// before they can write the first. Used by this folder alone.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/image.h"

namespace stl {

class FrameSpool {
  public:
    /// A file without a name in the folder of `output`, which messages name; it goes with the spool.
    explicit FrameSpool(fs::path output);

    /// All of one size. Error: the disk is full.
    void add(const Image& frame);
    std::int64_t count() const { return count_; }
    /// From now on next() gives the pictures, from the first one on, `count()` times.
    void rewind();
    const Image& next();

  private:
    [[noreturn]] void give_up() const;
    void write(const void* data, std::size_t bytes);
    void read(void* data, std::size_t bytes);

    fs::path output_;
    FilePointer file_;
    std::vector<unsigned char> packed_;
    Image frame_;
    std::int64_t count_ = 0;
};

}  // namespace stl
