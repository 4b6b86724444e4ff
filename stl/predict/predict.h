// Predictions from a source into a sink, in constant memory; and frame by frame on a stream.
#pragma once

#include <functional>
#include <iosfwd>

#include "stl/core/reporter.h"
#include "stl/distributed/group.h"
#include "stl/predict/sink.h"
#include "stl/predict/source.h"

namespace stl {

/// [B,T,C,H,W] -> [B,frames,C,H,W]
using PredictFunction = std::function<torch::Tensor(const torch::Tensor&)>;

/// Runs everything of `source` through `predict`, `batch` windows at a time. Returns the number of windows.
/// Throws Interrupted when `stop` says so; the sink's output then does not appear.
/// group: whose ranks, with the same source each, predict every so-many-th batch; the sink of each rank gets all
/// predictions in order. `stop` on any of them stops all. Null: this process alone.
std::int64_t predict_all(PredictionSource& source, PredictionSink& sink, const PredictFunction& predict,
                         std::int64_t batch, Reporter& reporter, const StopRequested& stop = {},
                         Group* group = nullptr);

/// The same predictions, scaled to another size (bicubic).
PredictFunction scaled(PredictFunction predict, const FrameSize& size);

/// The frames that are seen, followed by those predicted from them: [B,T+frames,C,H,W].
PredictFunction with_input(PredictFunction predict);

/// "64x48:gray" or "64x48:rgb": width, height and channels of raw frames.
struct RawFormat {
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::int64_t channels = 1;
};
RawFormat parse_raw_format(const std::string& text);

/// Reads uint8 frames [H,W,C] from `in`. As soon as there are `input_frames` of them, and again after every
/// further one, writes the predicted next frame to `out` and flushes it. `predict` gives at least one frame. range: the
/// values that stand for black and white.
/// Returns the number of frames written; ends, too, when nobody reads them any more (EPIPE, where the program
/// ignores SIGPIPE). Error: the input ends inside a frame, or before there are enough.
std::int64_t predict_stream(std::istream& in, std::ostream& out, const RawFormat& format,
                            std::int64_t input_frames, const PredictFunction& predict,
                            const ValueRange& range = {}, const StopRequested& stop = {});

}  // namespace stl
