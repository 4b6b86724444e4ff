// A library for LD_PRELOAD that makes one call fail, the n-th of those that write, flush, rename, open or close a file
// in a folder.
//
//   STL_FAULT_FOLDER  the folder; calls on other files, and on standard input and output, are neither counted nor changed
//   STL_FAULT_COUNT   a file of eight bytes there, which counts the calls; it outlives a process that is killed
//   STL_FAULT_AT      n, from 1; 0: none fails
//   STL_FAULT_KIND    EIO; ENOSPC; full: ENOSPC from there on for all that writes; short: a write takes half of its
//                     bytes; kill: the process ends there by SIGKILL
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

enum class Call { write, other };
/// What becomes of a call: it is made; it fails with `error`; half of it is made.
struct Fate {
    int error = 0;
    bool half = false;
};

std::string text_of(const char* variable) {
    const char* value = ::getenv(variable);
    return value == nullptr ? "" : value;
}

template <class Function>
Function* original(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

class Plan {
  public:
    Plan() : folder_(text_of("STL_FAULT_FOLDER") + "/"), kind_(text_of("STL_FAULT_KIND")) {
        at_ = std::strtoull(text_of("STL_FAULT_AT").c_str(), nullptr, 10);
        counter_ = text_of("STL_FAULT_COUNT");
        const int fd = original<int(const char*, int, ...)>("open")(counter_.c_str(), O_RDWR | O_CLOEXEC);
        if (fd < 0) return;
        auto* memory = ::mmap(nullptr, sizeof(*count_), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        original<int(int)>("close")(fd);
        if (memory != MAP_FAILED) count_ = static_cast<std::atomic<std::uint64_t>*>(memory);
    }

    Fate of(int fd, Call call) {
        if (fd <= STDERR_FILENO || count_ == nullptr) return {};
        const auto link = "/proc/self/fd/" + std::to_string(fd);
        char path[4096];
        const auto size = ::readlink(link.c_str(), path, sizeof path);
        return size <= 0 ? Fate{} : of_path({path, static_cast<std::size_t>(size)}, call);
    }
    Fate of(const char* path, Call call) {
        if (count_ == nullptr || path == nullptr) return {};
        if (path[0] == '/') return of_path(path, call);
        char here[4096];
        return ::getcwd(here, sizeof here) == nullptr ? Fate{}
                                                      : of_path(std::string(here) + "/" + path, call);
    }

  private:
    Fate of_path(std::string_view path, Call call) {
        if (!path.starts_with(folder_) || path == counter_) return {};
        const auto n = count_->fetch_add(1) + 1;
        if (kind_ == "full") return n >= at_ && at_ != 0 && call == Call::write ? Fate{ENOSPC} : Fate{};
        if (n != at_) return {};
        if (kind_ == "kill") ::kill(::getpid(), SIGKILL);
        if (kind_ == "short") return {0, call == Call::write};
        return {kind_ == "ENOSPC" ? ENOSPC : EIO};
    }

    std::string folder_, kind_, counter_;
    std::uint64_t at_ = 0;
    std::atomic<std::uint64_t>* count_ = nullptr;
};

Plan& plan() {
    static Plan* plan =
        new Plan;  // lives as long as the process, whose last calls come after its destructors
    return *plan;
}

/// Makes the call unless it is to fail.
template <class Make>
auto unless(int error, Make&& make) -> decltype(make()) {
    if (error == 0) return make();
    errno = error;
    return -1;
}

std::size_t part(const Fate& fate, std::size_t size) {
    return fate.half && size > 1 ? size / 2 : size;
}

mode_t mode_of(int flags, va_list& list) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

int close_then_fail(int fd) {
    static const auto make = original<int(int)>("close");
    const auto fate = plan().of(fd, Call::other);
    const int result = make(fd);
    return unless(fate.error, [&] { return result; });
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
    static const auto make = original<ssize_t(int, const void*, size_t)>("write");
    const auto fate = plan().of(fd, Call::write);
    return unless(fate.error, [&] { return make(fd, bytes, part(fate, size)); });
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
    static const auto make = original<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    const auto fate = plan().of(fd, Call::write);
    return unless(fate.error, [&] { return make(fd, bytes, part(fate, size), at); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
    return pwrite(fd, bytes, size, at);
}
ssize_t writev(int fd, const iovec* parts, int count) {
    static const auto make = original<ssize_t(int, const iovec*, int)>("writev");
    const auto fate = plan().of(fd, Call::write);
    return unless(fate.error, [&] { return make(fd, parts, fate.half && count > 1 ? count / 2 : count); });
}
int ftruncate(int fd, off_t size) noexcept {
    static const auto make = original<int(int, off_t)>("ftruncate");
    const auto fate = plan().of(fd, Call::write);
    return unless(fate.error, [&] { return make(fd, size); });
}
int ftruncate64(int fd, off64_t size) noexcept {
    return ftruncate(fd, size);
}
int fsync(int fd) {
    static const auto make = original<int(int)>("fsync");
    const auto fate = plan().of(fd, Call::other);
    return unless(fate.error, [&] { return make(fd); });
}
int fdatasync(int fd) {
    static const auto make = original<int(int)>("fdatasync");
    const auto fate = plan().of(fd, Call::other);
    return unless(fate.error, [&] { return make(fd); });
}
int close(int fd) {
    return close_then_fail(fd);
}
int rename(const char* from, const char* to) noexcept {
    static const auto make = original<int(const char*, const char*)>("rename");
    const auto fate = plan().of(to, Call::other);
    return unless(fate.error, [&] { return make(from, to); });
}
int renameat2(int from_in, const char* from, int to_in, const char* to, unsigned flags) noexcept {
    static const auto make = original<int(int, const char*, int, const char*, unsigned)>("renameat2");
    const auto fate = plan().of(to, Call::other);
    return unless(fate.error, [&] { return make(from_in, from, to_in, to, flags); });
}
int open(const char* path, int flags, ...) {
    static const auto make = original<int(const char*, int, ...)>("open");
    va_list list;
    va_start(list, flags);
    const auto mode = mode_of(flags, list);
    va_end(list);
    const auto fate = plan().of(path, Call::other);
    return unless(fate.error, [&] { return make(path, flags, mode); });
}
int open64(const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const auto mode = mode_of(flags, list);
    va_end(list);
    return open(path, flags | O_LARGEFILE, mode);
}

}  // extern "C"
