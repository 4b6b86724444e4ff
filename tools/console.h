// The program's voice: results on standard output, everything else on standard error.
#pragma once

#include <chrono>
#include <memory>
#include <string>

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

    /// A line of the result, on standard output.
    void print(const std::string& line) const;
    void print(const char* line) const { print(std::string(line)); }
    /// JSON alone on standard output.
    void print(const Json& json) const;

    void info(const std::string& line) override;
    void warn(const std::string& line) override;
    void error(const std::string& line);
    void progress(const Progress& state) override;
    void progress_end() override;

    void set_quiet(bool quiet) { quiet_ = quiet; }

  private:
    void clear_bar();

    std::shared_ptr<spdlog::logger> log_;
    bool terminal_ = false;
    bool quiet_ = false;
    bool bar_shown_ = false;
    Progress last_;
    std::chrono::steady_clock::time_point started_, drawn_;
    std::string current_;  ///< `what` of the running bar
};

/// True once Ctrl-C (or SIGTERM) came; a second one ends the program at once.
bool interrupted();
void watch_interrupts();

}  // namespace stl::tools
