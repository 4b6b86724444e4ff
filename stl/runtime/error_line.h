// What is said of an exception where a program or an interface catches it.
#pragma once

#include <exception>
#include <string>

namespace stl {

/// One line: an Error's own; "a/b.json: permission denied"; "out of memory"; of LibTorch's message its first line,
/// without the stack trace behind it.
std::string error_line(const std::exception& error);

}  // namespace stl
