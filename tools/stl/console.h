// The program's voice: results on standard output, everything else on standard error.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/core/reporter.h"

namespace spdlog {
class logger;
}

namespace stl::tools {

/// Draws a progress bar on a terminal, and plain lines (every few seconds) elsewhere.
class Console : public Reporter {
  public:
    Console();
    ~Console() override;

    /// A line of the result, on standard output. Error: it cannot be written (a reader that has seen enough
    /// and closed its pipe is none).
    void print(const std::string& line) const;
    void print(const char* line) const { print(std::string(line)); }
    /// JSON alone on standard output.
    void print(const Json& json) const;
    /// Writes what is still held back; so does an Error.
    void flush() const;

    void info(const std::string& line) override;
    void warn(const std::string& line) override;
    void error(const std::string& line);
    void progress(const Progress& state) override;
    void progress_end() override;

    void set_quiet(bool quiet) { quiet_ = quiet; }
    /// What the user typed after the program's name.
    void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
    const std::vector<std::string>& arguments() const { return arguments_; }

  private:
    void clear_bar();

    std::shared_ptr<spdlog::logger> log_;
    bool terminal_ = false;
    bool quiet_ = false;
    bool bar_shown_ = false;
    std::optional<Progress> first_;  ///< of the running bar
    std::chrono::steady_clock::time_point started_, drawn_;
    std::vector<std::string> arguments_;
};

/// True once Ctrl-C (or SIGTERM, or SIGHUP) came; a second one ends the program at once.
bool interrupted();
/// Has the program hear of them (of SIGHUP unless nohup started it).
void watch_interrupts();
/// A standard stream that the caller closed must not become the first file that is opened.
void hold_standard_streams();

}  // namespace stl::tools
