// Bytes from files as text: JSON and messages need valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace stl {

/// By the table of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// Text from a file, made safe for a one-line message: at most 80 bytes, with '?' for every character that is not
/// printable.
std::string printable(std::string_view text);

/// The whole text as one line: control characters become '?'.
std::string on_one_line(std::string text);

}  // namespace stl
