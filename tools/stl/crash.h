// What the program says and does when it crashes (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT): one line with its version
// and command, and the run that it trains marked as failed. Only the program does so, never the library.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl::tools {

/// Installs the handlers. A crash still ends the program by its signal. If a memory-mapped file was truncated while it
/// was read (SIGBUS), that is not a bug in stl: the program ends with status 1 and a line that names the file.
void watch_crashes(const std::string& command_line);
/// While this object lives, a crash changes "state" in this run.json from "running" to "failed".
class MarksRunOnCrash {
  public:
    explicit MarksRunOnCrash(const fs::path& run_file);
    ~MarksRunOnCrash();
    MarksRunOnCrash(const MarksRunOnCrash&) = delete;
    MarksRunOnCrash& operator=(const MarksRunOnCrash&) = delete;
};

}  // namespace stl::tools
