#include "stl/media/frame_spool.h"

#include <zlib.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "stl/core/error.h"

namespace stl {

FrameSpool::FrameSpool(fs::path output)
    : output_(std::move(output)), file_(open_nameless_file(output_.parent_path())) {
    if (!file_) give_up();
}

void FrameSpool::add(const Image& frame) {
    frame_ = frame;
    packed_.resize(compressBound(frame.pixels.size()));
    uLongf size = packed_.size();
    if (compress2(packed_.data(), &size, frame.pixels.data(), frame.pixels.size(), 1) != Z_OK)
        throw std::bad_alloc();
    write(&size, sizeof size);
    write(packed_.data(), size);
    ++count_;
}

void FrameSpool::rewind() {
    if (std::fflush(file_.get()) != 0 || std::fseek(file_.get(), 0, SEEK_SET) != 0) give_up();
}

const Image& FrameSpool::next() {
    uLongf packed = 0, size = frame_.pixels.size();
    read(&packed, sizeof packed);
    packed_.resize(packed);
    read(packed_.data(), packed);
    if (uncompress(frame_.pixels.data(), &size, packed_.data(), packed) != Z_OK) give_up();
    return frame_;
}

void FrameSpool::give_up() const {
    fail("{}: cannot be written ({})", output_.string(), std::strerror(errno != 0 ? errno : EIO));
}

void FrameSpool::write(const void* data, std::size_t bytes) {
    if (std::fwrite(data, 1, bytes, file_.get()) != bytes) give_up();
}

void FrameSpool::read(void* data, std::size_t bytes) {
    if (std::fread(data, 1, bytes, file_.get()) != bytes) give_up();
}

}  // namespace stl
