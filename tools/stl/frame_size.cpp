#include "tools/stl/frame_size.h"

#include <charconv>

#include "stl/core/error.h"

namespace stl::tools {

FrameSizeArgument parse_frame_size(const std::string& text, const std::string& option) {
    const auto cross = text.find('x');
    const std::string width = text.substr(0, cross),
                      height = cross == std::string::npos ? width : text.substr(cross + 1);
    const auto number = [&](const std::string& part) {
        int value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        if (error != std::errc() || end != part.data() + part.size() || value < 1) {
            throw UsageError(fmt::format("{} {}, expected WIDTHxHEIGHT", option, text));
        }
        return value;
    };
    return {number(width), number(height)};
}

}  // namespace stl::tools
