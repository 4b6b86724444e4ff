// What happens before the program's libraries begin to run.
//
// Two things are looked at without which the matrix library ends the program with a message of its own, and others by an
// exception that nobody catches. Then the wait of OpenMP's threads for each other is bounded: by default, those of GNU's
// library spin for milliseconds, so that training falls to a small part of its speed where other programs hold some of
// the cores. The library reads its settings once, when it is loaded; so the program starts itself again with
// GOMP_SPINCOUNT set, which costs some 10 ms here, before the libraries' constructors. A setting of the user's stays.

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

/// Whether an environment's entry sets `name`.
bool sets(const char* entry, std::string_view name) {
    for (const char letter : name) {
        if (*entry++ != letter) return false;
    }
    return *entry == '=';
}

/// Some 20 microseconds: longer than between the parallel parts of an operation, and short beside a time slice.
char bounded_wait[] = "GOMP_SPINCOUNT=500";

/// Where anything fails, the program goes on as it is.
void start_again_with_bounded_wait(char** arguments, char** environment) {
    static std::array<char*, 4096> changed;
    std::size_t count = 0;
    for (; environment[count] != nullptr; ++count) {
        if (count + 2 == changed.size()) return;
        if (sets(environment[count], "GOMP_SPINCOUNT") || sets(environment[count], "OMP_WAIT_POLICY")) return;
        changed[count] = environment[count];
    }
    changed[count] = bounded_wait;
    // The path rather than /proc/self/exe, since the system shows its last part as the process's name.
    static std::array<char, PATH_MAX> path;
    const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
    if (length > 0) ::execve(path.data(), arguments, changed.data());
}

/// Nothing is set up yet: only calls of the system.
void before_libraries(int /*count*/, char** arguments, char** environment) {
    std::array<char, PATH_MAX> folder{};
    if (::getcwd(folder.data(), folder.size()) == nullptr && errno == ENOENT)
        refuse("stl: the current folder was removed; go to another one\n");
    constexpr rlim_t least = rlim_t{96} << 20;
    rlimit data{};
    if (::getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur < least)
        refuse("stl: ulimit -d leaves less than the 96 MiB of memory that its libraries need to start\n");
    start_again_with_bounded_wait(arguments, environment);
}

using Function = void (*)(int, char**, char**);
/// The executable's own, which run before the libraries' constructors.
[[gnu::used, gnu::section(".preinit_array")]] Function preinit = before_libraries;

}  // namespace
