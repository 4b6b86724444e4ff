// "64x48" on the command line.
#pragma once

#include <string>

namespace stl::tools {

struct FrameSizeArgument {
    int width = 0, height = 0;
};

/// "64x48" (width x height) or "64" for a square. UsageError: "<option> 64x, expected WIDTHxHEIGHT".
FrameSizeArgument parse_frame_size(const std::string& text, const std::string& option);

}  // namespace stl::tools
