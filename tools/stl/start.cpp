// What is looked at before the program's libraries begin to run: without these the matrix library ends the program with a
// message of its own, and others by an exception that nobody catches.

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

namespace {

[[noreturn]] void refuse(std::string_view line) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(1);
}

/// Nothing is set up yet: only calls of the system.
void before_libraries() {
    std::array<char, PATH_MAX> folder{};
    if (::getcwd(folder.data(), folder.size()) == nullptr && errno == ENOENT)
        refuse("stl: the current folder was removed; go to another one\n");
    constexpr rlim_t least = rlim_t{96} << 20;
    rlimit data{};
    if (::getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur < least)
        refuse("stl: ulimit -d leaves less than the 96 MiB of memory that its libraries need to start\n");
}

using Function = void (*)();
/// The executable's own, which run before the libraries' constructors.
[[gnu::used, gnu::section(".preinit_array")]] Function preinit = before_libraries;

}  // namespace
