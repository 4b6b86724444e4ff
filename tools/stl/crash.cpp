#include "tools/stl/crash.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "stl/core/utf8.h"
#include "stl/core/version.h"

namespace stl::tools {
namespace {

// All that a handler needs is made before and lies here: it must not ask for memory.
constexpr std::size_t longest = 4096;
std::array<char, longest> context;  ///< "stl 0.1.0 (1a2b3c), running 'stl train ...'"
std::array<char, longest> run_file;

template <std::size_t Size>
void keep(std::array<char, Size>& to, std::string_view text) {
    const auto count = std::min(text.size(), Size - 1);
    std::copy_n(text.data(), count, to.data());
    to[count] = '\0';
}

void say(std::string_view text) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

/// A line of /proc/self/maps: "begin-end permissions offset device inode path", begin and end in hexadecimal digits.
struct Mapping {
    std::uintptr_t begin = 0, end = 0;
    std::string_view file;  ///< empty: belongs to no file
};

Mapping parse_mapping(std::string_view line) {
    Mapping mapping;
    std::size_t at = 0;
    const auto hexadecimal = [&] {
        std::uintptr_t value = 0;
        for (; at < line.size() && line[at] != '-' && line[at] != ' '; ++at)
            value =
                value * 16 + static_cast<unsigned>(line[at] <= '9' ? line[at] - '0' : line[at] - 'a' + 10);
        ++at;
        return value;
    };
    mapping.begin = hexadecimal();
    mapping.end = hexadecimal();
    if (const auto slash = line.find('/', at); slash != std::string_view::npos)
        mapping.file = line.substr(slash);
    return mapping;
}

/// The mapped file in which an address lies, in `text`; empty where it belongs to none.
std::string_view file_at(const void* pointer, std::array<char, longest>& text) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    std::string_view found;
    std::size_t length = 0;
    char c = 0;
    while (found.empty() && ::read(maps, &c, 1) == 1) {
        if (c != '\n') {
            if (length < text.size()) text[length++] = c;
            continue;
        }
        const auto mapping = parse_mapping({text.data(), length});
        if (mapping.begin <= address && address < mapping.end) {
            found = mapping.file;
            break;
        }
        length = 0;
    }
    ::close(maps);
    return found;
}

/// Overwrites the state in place with the same number of bytes, so that the file is valid JSON at any moment.
void mark_run() {
    if (run_file[0] == '\0') return;
    const int file = ::open(run_file.data(), O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    static std::array<char, 16 * longest> text;
    const auto size = ::read(file, text.data(), text.size());
    constexpr std::string_view running = R"("state": "running")", failed = R"("state": "failed" )";
    static_assert(running.size() == failed.size());
    const std::string_view all(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (const auto place = all.find(running); place != std::string_view::npos) {
        [[maybe_unused]] const auto written =
            ::pwrite(file, failed.data(), failed.size(), static_cast<off_t>(place));
    }
    ::close(file);
}

const char* name_of(int signal) {
    switch (signal) {
        case SIGSEGV:
            return "segmentation fault";
        case SIGBUS:
            return "bus error";
        case SIGILL:
            return "illegal instruction";
        case SIGFPE:
            return "arithmetic exception";
        default:
            return "abort";
    }
}

/// SIGBUS means that a memory-mapped file was truncated, or that its disk is gone.
void on_crash(int signal, siginfo_t* info, void* /*context*/) {
    static std::array<char, longest> text;
    // Sent by a process, it has no address.
    const auto lost =
        signal == SIGBUS && info->si_code > 0 ? file_at(info->si_addr, text) : std::string_view();
    mark_run();
    if (!lost.empty()) {
        say("stl: ");
        say(lost);
        say(": cut short while it was being read, or its disk is gone\n");
        ::_exit(1);
    }
    say("stl: crashed (");
    say(name_of(signal));
    say("): ");
    say(context.data());
    say("\n");
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // when this handler returns
}

}  // namespace

void watch_crashes(const std::string& command_line) {
    keep(context,
         fmt::format("version {} ({}), running '{}'", version(), revision(), printable(command_line)));
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
        struct sigaction action {};
        action.sa_sigaction = on_crash;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        ::sigaction(signal, &action, nullptr);
    }
}

MarksRunOnCrash::MarksRunOnCrash(const fs::path& file) {
    keep(run_file, fs::absolute(file).string());
}

MarksRunOnCrash::~MarksRunOnCrash() {
    run_file[0] = '\0';
}

}  // namespace stl::tools
