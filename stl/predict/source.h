// Where the input frames of predictions come from: stored sequences or a video.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "stl/core/reporter.h"
#include "stl/formats/sequences.h"
#include "stl/media/fit.h"
#include "stl/media/image.h"
#include "stl/runtime/torch.h"

namespace stl {

struct SourceOptions {
    ReadOptions reading;       ///< of sequence files
    std::optional<double> at;  ///< of a video: the input frames end here (seconds); absent: at its end
    std::int64_t every = 0;    ///< of a video: slide along it, a window every so many frames; 0: one window
    /// Of a video: frames a second; absent: those that the network was trained on, or as stored where that is unknown.
    std::optional<double> fps;
    double trained_fps = 0;  ///< frames a second of the network's training data; 0: not known
    /// What a folder of pictures or a TIFF with pages is taken to have; absent: what it says, else trained_fps, or 25.
    std::optional<double> folder_fps;
    /// The values that stand for black and white in the training data: a video's frames are brought to them. Absent: not
    /// known, 0 and 1.
    std::optional<ValueRange> trained_range;
    Fit fit = Fit::stretch;  ///< of a video: to the network's frame size
    bool own_size = false;   ///< frames keep the size that they have, and may have any
    /// Whether to know beforehand how many windows there are: of a video to slide along, at the cost of
    /// decoding it once more.
    bool counted = false;
    std::int64_t max_pixels = default_max_pixels;  ///< larger frames are refused
    int stream = -1;                               ///< of a video: which of its streams; -1: the best one
    StopRequested stop = {};                       ///< of a video: asked while reading
};

/// Windows of the model's input frames, one after the other.
class PredictionSource {
  public:
    virtual ~PredictionSource() = default;
    /// Of a window: the model's input, but for the size where frames keep their own.
    virtual SequenceShape shape() const = 0;
    virtual std::int64_t count() const = 0;  ///< or unknown_count
    /// The same for people to watch: about as many. 0: not known.
    virtual std::int64_t expected() const { return count(); }
    virtual double fps() const = 0;  ///< 0: not known
    /// The next `n` windows at most, [n,T,C,H,W] float32, in trained_range (or as stored); undefined at the end.
    virtual torch::Tensor next(std::int64_t n) = 0;
};

/// Of a stored sequence longer than the input the first frames are used, of a video the last (or those before
/// `at`); video frames are scaled to the model's size (`shape`: [T,C,H,W]) and, where their rate is not the one that the
/// network was trained on, repeated or left out, with a line about it to `reporter`. Error: too few frames, another
/// frame size or channel count. What of a damaged video could not be read goes to `reporter` as a warning.
std::unique_ptr<PredictionSource> open_source(const DataFile& input, const SequenceShape& shape,
                                              const SourceOptions& options, Reporter& reporter);

/// True unless `input` is a file of sequences, by its name or its first bytes: anything else is FFmpeg's to
/// judge.
bool is_video_input(const DataFile& input);

/// The size of a video's frames as shown. Error: it has none.
struct FrameSize {
    std::int64_t height = 0, width = 0;
    double pixel_aspect = 1;  ///< width to height of a pixel
};
FrameSize video_frame_size(const std::string& input, const SourceOptions& options = {});

}  // namespace stl
