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
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) watch(signal);
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
    if (silent_) return;
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
    if (quiet_ || silent_) return;
    clear_bar();
    log_->info(line);
}

void Console::warn(const std::string& line) {
    if (silent_) return;
    clear_bar();
    log_->warn("warning: {}", on_one_line(line));
}

void Console::error(const std::string& line) {
    if (silent_) return;
    clear_bar();
    log_->error("stl: {}", on_one_line(line));
}

void Console::progress(const Progress& state) {
    if (quiet_ || silent_) return;
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
