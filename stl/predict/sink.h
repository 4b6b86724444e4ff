// Where predictions go: a sequence file, a video or a folder of pictures, by extension.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "stl/formats/sequences.h"
#include "stl/runtime/torch.h"

namespace stl {

struct SinkOptions {
    double fps = 0;           ///< 0: not known, and a video's 10
    double pixel_aspect = 1;  ///< of a video: width to height of a pixel
    ValueRange range{};       ///< the values that stand for black and white; HDF5 files keep them, too
    Json attributes{};        ///< stored with an HDF5 file: what was predicted from, and by what
    /// Of a video: so many frames at the beginning of each are what was predicted from. Frames are then enlarged and
    /// slowed down to be looked at, those that were predicted in a frame of colour. 0: there are none.
    std::int64_t inputs = 0;
    bool force = false;
};

class PredictionSink {
  public:
    virtual ~PredictionSink() = default;
    /// [n,frames,C,H,W] on any device.
    virtual void append(const torch::Tensor& predictions) = 0;
    /// The output appears under its name.
    virtual void finish() = 0;
    /// The values that are shown as black and white; absent: they are kept as they are.
    virtual std::optional<ValueRange> shown_range() const { return std::nullopt; }
};

/// True for outputs whose beginning says how many predictions follow (no SequenceFormat::streams).
bool needs_count(const DataFile& output);

/// `count` predictions of `shape` (or unknown_count, unless needs_count). Sequence files get float32, not
/// clipped; pictures show the predictions one after the other. Error: unknown extension, an existing output
/// without `force`.
std::unique_ptr<PredictionSink> open_sink(const DataFile& output, std::int64_t count,
                                          const SequenceShape& shape, const SinkOptions& options);

}  // namespace stl
