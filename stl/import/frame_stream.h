// The frames of one source, whatever it is, in the size, channels and type that the file will have.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/import/import.h"
#include "stl/import/sources.h"

namespace stl {

struct StreamFrame {
    std::vector<std::byte> values;  ///< [C,H,W] uint8 or float
    double position = 0;            ///< in [0,1): how far into the source; 0 where that is not known
    bool continues =
        true;  ///< false: it does not follow on the frame before (a gap, another row of an array)
};

/// What frames come as.
struct FrameFormat {
    int height = 0, width = 0, channels = 0;
    DType dtype = DType::u8;
    int white =
        0;  ///< pictures of more than 8 bits store this for white, and so does the file; 0: there are none
    bool as_stored = false;  ///< numbers of pictures whose range is not known (Picture::white 0)
    std::size_t bytes() const {
        return static_cast<std::size_t>(height) * static_cast<std::size_t>(width * channels) *
               dtype_size(dtype);
    }
};

class FrameStream {
  public:
    virtual ~FrameStream() = default;
    /// False at the end. `frame` keeps its memory between calls.
    virtual bool next(StreamFrame& frame) = 0;
    virtual double fps() const = 0;       ///< 0: not known
    virtual double duration() const = 0;  ///< seconds (of an array: rows); 0: not known
    /// The values that stand for black and white; absent: not known.
    virtual std::optional<ValueRange> range() const = 0;
    /// A line about what was damaged, after the end; empty where nothing was.
    virtual std::string damage() const = 0;
    /// After the end: how evenly frames were spaced as stored.
    virtual Timing timing() const { return {}; }
};

/// What the source is by itself: the file's format where the options leave it open. Sizes may be 0 (not known
/// yet).
FrameFormat own_format(const ImportSource& source, const ImportOptions& options, const StopRequested& stop);
std::unique_ptr<FrameStream> open_stream(const ImportSource& source, const ImportOptions& options,
                                         const FrameFormat& format, const StopRequested& stop);

}  // namespace stl
