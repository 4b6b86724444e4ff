#include "tools/stl/command.h"

#include <algorithm>

namespace stl::tools {
namespace {

bool is_plain(char c) {
    const std::string_view signs = "_@%+=:,./-";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           signs.find(c) != signs.npos;
}

std::string quoted(const std::string& argument) {
    if (!argument.empty() && std::ranges::all_of(argument, is_plain)) return argument;
    std::string text = "'";
    for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

bool is_flag(const std::string& argument, const std::string& flag) {
    return argument == flag || argument.starts_with(flag + "=");
}

}  // namespace

std::string command_line(const std::vector<std::string>& arguments) {
    std::string line = "stl";
    for (const auto& argument : arguments) line += " " + quoted(argument);
    return line;
}

std::string resuming_line(std::vector<std::string> arguments) {
    std::erase_if(arguments, [](const auto& a) { return is_flag(a, "--force") || is_flag(a, "--resume"); });
    arguments.emplace_back("--resume");
    return command_line(arguments);
}

}  // namespace stl::tools
