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

    /// Writes a line of the result to standard output. Error: it cannot be written (a pipe that its reader has
    /// closed is not an error).
    void print(const std::string& line) const;
    void print(const char* line) const { print(std::string(line)); }
    /// JSON alone on standard output.
    void print(const Json& json) const;
    /// Writes what is still buffered. Error: as print().
    void flush() const;

    void info(const std::string& line) override;
    void warn(const std::string& line) override;
    void error(const std::string& line);
    void progress(const Progress& state) override;
    void progress_end() override;

    void set_quiet(bool quiet) { quiet_ = quiet; }
    /// Says nothing at all, since another rank does.
    void set_silent(bool silent) { silent_ = silent; }
    /// What the user typed after the program's name.
    void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
    const std::vector<std::string>& arguments() const { return arguments_; }

  private:
    void clear_bar();

    std::shared_ptr<spdlog::logger> log_;
    bool terminal_ = false;
    bool quiet_ = false;
    bool silent_ = false;
    bool bar_shown_ = false;
    std::optional<Progress> first_;  ///< of the running bar
    std::chrono::steady_clock::time_point started_, drawn_;
    std::vector<std::string> arguments_;
};

/// True once Ctrl-C (SIGINT), SIGTERM, SIGHUP or SIGUSR1 (a queue's warning) was received; a second one ends the program at once.
bool interrupted();
/// Installs the handlers of these signals (of SIGHUP unless nohup started the program).
void watch_interrupts();
/// Opens /dev/null for standard streams that the caller closed, lest the next file opened take their place.
void hold_standard_streams();

}  // namespace stl::tools
