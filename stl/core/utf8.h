// Whether bytes are valid UTF-8 (JSON and messages need it).
#pragma once

#include <string_view>

namespace stl {

/// By the table of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace stl
