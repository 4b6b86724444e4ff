// What the program says and does when it crashes (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT): one line with its version
// and command, and the run that it trains marked as failed. Only the program does so, never the library.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl::tools {

/// Installs the handlers. A crash then ends the program by its signal, as without them; a file that was cut short while
/// it was read through memory is not a crash of ours, and ends it with status 1 and a line that names the file.
void watch_crashes(const std::string& command_line);
/// While it lives, a crash sets "state" to "failed" in this run.json, where it is "running".
class MarksRunOnCrash {
  public:
    explicit MarksRunOnCrash(const fs::path& run_file);
    ~MarksRunOnCrash();
    MarksRunOnCrash(const MarksRunOnCrash&) = delete;
    MarksRunOnCrash& operator=(const MarksRunOnCrash&) = delete;
};

}  // namespace stl::tools
