// An open file of the operating system.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "stl/core/file.h"

namespace stl {

/// Closes it in the end. Movable.
class Descriptor {
  public:
    /// Error: it cannot be opened. Interrupted: a signal came.
    static Descriptor for_reading(const fs::path& path);

    Descriptor() = default;
    /// Takes what ::open() returned; below 0: nothing is open.
    explicit Descriptor(int descriptor) : fd_(descriptor) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    bool is_open() const { return fd_ >= 0; }
    int get() const { return fd_; }
    /// Fills `to` with what is at `from`; false: the file ends before that, or cannot be read. From any thread.
    bool read_at(std::uint64_t from, std::span<unsigned char> to) const;

  private:
    int fd_ = -1;
};

/// The Error of a file for which ::open() set errno to `code`; Interrupted if that is EINTR.
[[noreturn]] void fail_opening(const fs::path& path, int code);

}  // namespace stl
