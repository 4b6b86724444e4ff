#include "stl/core/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "stl/core/error.h"

namespace stl {

void fail_opening(const fs::path& path, int code) {
    // Nothing but the wish to stop is caught here.
    if (code == EINTR) throw Interrupted(fmt::format("{}: interrupted while it was read", path.string()));
    fail_call(code, "{}: cannot be opened ({})", path.string(), std::strerror(code));
}

Descriptor Descriptor::for_reading(const fs::path& path) {
    Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) fail_opening(path, errno);
    return opened;
}

Descriptor::~Descriptor() {
    if (is_open()) ::close(fd_);
}

bool Descriptor::read_at(std::uint64_t from, std::span<unsigned char> to) const {
    while (!to.empty()) {
        const auto got = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(from));
        if (got <= 0) return false;
        from += static_cast<std::uint64_t>(got);
        to = to.subspan(static_cast<std::size_t>(got));
    }
    return true;
}

}  // namespace stl
