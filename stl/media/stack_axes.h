// What the pages of a microscope's TIFF are: frames, channels and slices, as OME-XML and ImageJ describe them.
// Used by this folder alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stl {

struct StackAxes {
    /// [film][frame]: the page; -1: it is not in this file. A film is a channel of a slice, channels first.
    std::vector<std::vector<std::int64_t>> films;
    std::int64_t channels = 1, slices = 1;
    bool slices_are_frames = false;  ///< there is no axis of time, but one of depth
    double interval = 0;             ///< seconds from frame to frame; 0: not said
    /// [film][frame]: seconds at which a frame was taken, NaN: not said. Empty where it is said of none.
    std::vector<std::vector<double>> times;
};

/// `description`: the text of the first page. `pages`: how many there are. `file_name`: the name of this file, as sets of
/// files name it. Where the description says nothing, or something else than the pages, every page is a frame.
StackAxes stack_axes(std::string_view description, std::int64_t pages, std::string_view file_name);

}  // namespace stl
