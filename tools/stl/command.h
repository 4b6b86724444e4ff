// What a subcommand is: a function that adds its options to the command line and, when chosen, runs.
//
// To add one: a file tools/stl/<name>.cpp with `void add_<name>(CLI::App&, Console&)`, its declaration and entry in
// main.cpp, and a row in the table of subcommands in README.md. Its options struct stands at the top of the file. Errors
// are thrown (stl/core/error.h); main prints them.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/stl/console.h"

namespace stl::tools {

using AddCommand = void (*)(CLI::App& app, Console& console);

/// Puts the options that are added from here on under this heading of the command's --help.
inline void begin_group(CLI::App& command, const char* heading) {
    command.option_defaults()->group(heading);
}

/// Shows command lines at the end of the command's --help.
void add_examples(CLI::App& command, const std::vector<std::string>& lines);

/// The command, quoted for a shell: "stl train a.json --run 'my run'". `arguments`: Console::arguments().
std::string command_line(const std::vector<std::string>& arguments);
/// The same with --resume, which continues where `stl train` stopped.
std::string resuming_line(std::vector<std::string> arguments);

}  // namespace stl::tools
