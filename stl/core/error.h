// Errors: one clear line that says what was read, what was expected and where.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

namespace stl {

/// An error that one line explains to the user. main() prints it and exits with status 1.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The command line itself is wrong (status 2).
class UsageError : public Error {
  public:
    using Error::Error;
};

/// The user asked to stop (Ctrl-C, status 130).
class Interrupted : public Error {
  public:
    using Error::Error;
};

/// The machine has run out of something (open files, memory, threads), so the file being read is not at fault.
class Shortage : public Error {
  public:
    using Error::Error;
};

/// Whether errno `code` means a Shortage.
inline bool is_shortage(int code) {
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == EAGAIN;
}

/// Throws an Error: fail("{}: {} frames, expected at least {}", path, n, 20).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
    throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// The same for a call that failed with errno `code`; throws a Shortage if the code means one.
template <class... Args>
[[noreturn]] void fail_call(int code, fmt::format_string<Args...> format, Args&&... args) {
    if (is_shortage(code)) throw Shortage(fmt::format(format, std::forward<Args>(args)...));
    fail(format, std::forward<Args>(args)...);
}

}  // namespace stl
