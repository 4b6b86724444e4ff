#include "tools/stl/console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "stl/core/error.h"
#include "stl/core/utf8.h"

namespace stl::tools {
namespace {

volatile std::sig_atomic_t interrupt_count = 0;

void on_interrupt(int signal) {
    if (signal == SIGHUP && interrupt_count > 0) return;  // a closed terminal's may come twice
    interrupt_count = interrupt_count + 1;
    if (interrupt_count > 1) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }
}

/// Whether an address lies in a mapped file. For a signal's handler: asks for no memory.
bool lies_in_file(const void* pointer) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    // A line a mapping: "begin-end permissions offset device inode path", begin and end in hexadecimal digits, the
    // inode 0 where there is no file.
    enum Field { begin, end, inode = 5 };
    std::uintptr_t bounds[2] = {};
    int field = begin;
    bool of_file = false;
    char text[4096];
    for (ssize_t got = 0; (got = ::read(maps, text, sizeof text)) > 0;) {
        for (const char c : std::string_view(text, static_cast<std::size_t>(got))) {
            if (c == '\n') {
                if (bounds[begin] <= address && address < bounds[end]) {
                    ::close(maps);
                    return of_file;
                }
                bounds[begin] = bounds[end] = 0;
                field = begin;
                of_file = false;
            } else if (c == ' ' || (c == '-' && field == begin)) {
                ++field;
            } else if (field <= end) {
                bounds[field] = bounds[field] * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
            } else if (field == inode) {
                of_file = of_file || c != '0';
            }
        }
    }
    ::close(maps);
    return false;
}

/// The kernel tells this way that a file that is read through memory became shorter, or that its disk is gone.
/// Anywhere else it is a crash, which the shell is to see as one.
void on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
    constexpr std::string_view lost_file =
        "stl: a file was cut short while it was being read, or its disk is gone\n";
    constexpr std::string_view crash =
        "stl: the program crashed (bus error at an address that belongs to no file)\n";
    // Sent by a process, it has no address.
    const bool of_file = info->si_code > 0 && lies_in_file(info->si_addr);
    const auto text = of_file ? lost_file : crash;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (of_file) ::_exit(1);
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // when this handler returns
}

/// nohup's SIGHUP stays ignored; SIGINT, which a script's shell has its background jobs ignore, is heard, so that
/// `kill -INT` stops them. No SA_RESTART: a call that waits for a pipe ends.
void watch(int signal) {
    struct sigaction action {};
    if (signal == SIGHUP && ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
        return;
    action = {};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_ONSTACK;
    ::sigaction(signal, &action, nullptr);
}

/// A stack of their own for the signals of this thread, the program's first, which gets them. oneDNN 3.10.2 (LibTorch
/// 2.11) has the stack's pointer in the heap while it multiplies float32 matrices over more than 84 terms without
/// copying them, as it does for grouped convolutions of few channels: there a signal would write over what is before.
void have_signal_stack() {
    constexpr std::size_t bytes = std::size_t{1} << 16;
    alignas(64) static std::byte memory[bytes];
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = bytes;
    ::sigaltstack(&stack, nullptr);
}

std::string duration_text(double seconds) {
    const auto s = static_cast<long>(seconds);
    if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    return fmt::format("{}:{:02}", s / 60, s % 60);
}

int terminal_width() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double seconds(std::chrono::steady_clock::duration d) {
    return std::chrono::duration<double>(d).count();
}

void check_output(bool written) {
    if (written || errno == EPIPE) return;
    fail("standard output: cannot be written ({})", std::strerror(errno));
}

}  // namespace

bool interrupted() {
    return interrupt_count > 0;
}

void watch_interrupts() {
    have_signal_stack();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) watch(signal);
    struct sigaction bus_error {};
    bus_error.sa_sigaction = on_bus_error;
    bus_error.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(SIGBUS, &bus_error, nullptr);
    std::signal(SIGXFSZ, SIG_IGN);  // files at their size limit fail as on a full disk
}

void hold_standard_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) >= 0) continue;
        // The lowest free number is this one. Standard output opens for reading, so that writing to it fails.
        [[maybe_unused]] const int held = ::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    }
}

Console::Console()
    : log_(std::make_shared<spdlog::logger>("stl", std::make_shared<spdlog::sinks::stderr_sink_mt>())),
      terminal_(isatty(STDERR_FILENO) == 1) {
    log_->set_pattern("%v");
}

Console::~Console() {
    clear_bar();
}

void Console::print(const std::string& line) const {
    errno = 0;
    check_output(std::fputs((line + "\n").c_str(), stdout) != EOF);
}
void Console::print(const Json& json) const {
    print(to_text(json));
}
void Console::flush() const {
    errno = 0;
    check_output(std::fflush(stdout) == 0);
}

void Console::info(const std::string& line) {
    if (quiet_) return;
    clear_bar();
    log_->info(line);
}

void Console::warn(const std::string& line) {
    clear_bar();
    log_->warn("warning: {}", on_one_line(line));
}

void Console::error(const std::string& line) {
    clear_bar();
    log_->error("stl: {}", on_one_line(line));
}

void Console::progress(const Progress& state) {
    if (quiet_) return;
    const auto now = std::chrono::steady_clock::now();
    const bool fresh = !first_ || state.what != first_->what;
    if (fresh) {
        first_ = state;
        started_ = now;
        drawn_ = now;
    }
    const double interval = terminal_ ? 0.1 : 10.0;
    if (!fresh && seconds(now - drawn_) < interval) return;
    if (fresh && !terminal_) return;
    drawn_ = now;

    std::string line = fmt::format("{}  {}", state.what, state.done);
    if (state.total > 0) line += fmt::format("/{}", state.total);
    // Before the detail, of which a narrow terminal shows the beginning.
    if (const auto left = seconds_left(*first_, state, seconds(now - started_)))
        line += fmt::format("  {} left", duration_text(*left));
    if (!state.detail.empty()) line += "  " + state.detail;
    if (!terminal_) {
        log_->info(line);
        return;
    }
    const int room = terminal_width() - static_cast<int>(line.size()) - 4;
    if (state.total > 0 && room >= 10) {
        const int width = std::min(room, 30);
        const auto filled =
            static_cast<int>(width * std::min<double>(1.0, double(state.done) / double(state.total)));
        line = fmt::format("[{}{}] {}", std::string(filled, '#'), std::string(width - filled, '.'), line);
    }
    std::fputs(("\r\033[K" + line.substr(0, static_cast<std::size_t>(terminal_width() - 1))).c_str(), stderr);
    std::fflush(stderr);
    bar_shown_ = true;
}

void Console::progress_end() {
    clear_bar();
    first_.reset();
}

void Console::clear_bar() {
    if (!bar_shown_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    bar_shown_ = false;
}

}  // namespace stl::tools
