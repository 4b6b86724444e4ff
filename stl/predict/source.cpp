#include "stl/predict/source.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/video_reader.h"
#include "stl/predict/pictures.h"

namespace stl {
namespace {

/// Of two known rates.
bool differ(double fps, double trained) {
    constexpr double tolerance = 0.01;
    return fps > 0 && trained > 0 && std::abs(fps - trained) > tolerance * trained;
}

class StoredSource : public PredictionSource {
  public:
    StoredSource(const DataFile& file, const SequenceShape& wanted, const SourceOptions& options,
                 Reporter& reporter)
        : reader_(open_sequences(file, options.reading)), wanted_(wanted) {
        const auto input = file.string();
        if (differ(reader_->info().fps, options.trained_fps)) {
            reporter.warn(fmt::format("{}: {:g} frames per second, but the network was trained on {:g}",
                                      input, reader_->info().fps, options.trained_fps));
        }
        const auto& range = reader_->info().range;
        if (range && options.trained_range && *range != *options.trained_range) {
            reporter.warn(
                fmt::format("{}: values range from {} (black to white), but the network was trained on {}",
                            input, to_string(*range), to_string(*options.trained_range)));
        }
        const auto& stored = reader_->info().shape;
        if (stored.frames < wanted.frames) {
            fail("{}: sequences of {} frames, the model expects at least {}", input, stored.frames,
                 wanted.frames);
        }
        auto frame = stored;
        frame.frames = wanted.frames;
        if (options.own_size) {
            wanted_.height = stored.height;
            wanted_.width = stored.width;
        }
        if (frame != wanted_)
            fail("{}: {}, the model expects {}{}", input, to_string(stored), to_string(wanted),
                 stored.channels == wanted.channels ? " (--tile predicts frames of another size)" : "");
    }

    SequenceShape shape() const override { return wanted_; }
    std::int64_t count() const override { return reader_->info().count; }
    double fps() const override { return reader_->info().fps; }
    const std::vector<std::string>& warnings() const { return reader_->info().warnings; }

    torch::Tensor next(std::int64_t n) override {
        n = std::min(n, count() - done_);
        if (n <= 0) return {};
        const auto& s = reader_->info().shape;
        // One at a time: stored sequences may be far longer than what the network sees of them.
        if (!sequence_.defined()) {
            require_memory(static_cast<std::uint64_t>(s.elements()) * sizeof(float), "a stored sequence");
            sequence_ = torch::empty({s.frames, s.channels, s.height, s.width});
        }
        auto rows = torch::empty({n, wanted_.frames, s.channels, s.height, s.width});
        for (std::int64_t i = 0; i < n; ++i) {
            reader_->read(done_++, 1,
                          {sequence_.data_ptr<float>(), static_cast<std::size_t>(sequence_.numel())});
            rows[i].copy_(sequence_.narrow(0, 0, wanted_.frames));
        }
        return rows;
    }

  private:
    std::unique_ptr<SequenceReader> reader_;
    SequenceShape wanted_;
    torch::Tensor sequence_;  ///< the stored one being read
    std::int64_t done_ = 0;
};

/// own_size: the size is left to the first frame.
VideoOptions video_options(const SequenceShape& shape, const std::string& input,
                           const SourceOptions& source) {
    if (shape.channels != 1 && shape.channels != 3) {
        fail("{}: a video has 1 or 3 channels, the model expects {}", input, shape.channels);
    }
    VideoOptions options;
    options.height = source.own_size ? 0 : static_cast<int>(shape.height);
    options.width = source.own_size ? 0 : static_cast<int>(shape.width);
    options.channels = static_cast<int>(shape.channels);
    // A network that was trained on 8-bit values sees deeper pictures so, too.
    options.deep = other_than_unit(source.trained_range).has_value();
    options.max_pixels = source.max_pixels;
    options.stream = source.stream;
    options.fit = source.fit;
    options.fps = source.fps.value_or(0);
    options.folder_fps = source.folder_fps;
    if (source.trained_fps > 0) options.assumed_fps = source.trained_fps;
    options.external = source.reading.external;
    options.stop = source.stop;
    return options;
}

/// Of frames that keep their own numbers (VideoOptions::deep): whether those are what the network knows.
void warn_of_values(const torch::Tensor& frames, const std::optional<ValueRange>& range,
                    const std::string& input, Reporter& reporter) {
    if (!range) return;
    const double far = ((to_unit(frames, *range) - 0.5).abs() > 1).to(torch::kFloat32).mean().item<double>();
    if (far <= 0.01) return;
    reporter.warn(
        fmt::format("{}: {:.0f} % of the values lie far outside {}, which the network was trained on", input,
                    100 * far, to_string(*range)));
}

/// Where windows of `frames` frames end that begin every so many frames; none runs over a gap.
class Windows {
  public:
    Windows(std::int64_t frames, std::int64_t every) : frames_(frames), every_(every), wait_(frames) {}
    /// Takes note of a frame. True: a window ends with it.
    bool end_with(bool after_gap) {
        if (after_gap) wait_ = frames_;
        if (--wait_ > 0) return false;
        wait_ = every_;
        return true;
    }

  private:
    std::int64_t frames_, every_;
    std::int64_t wait_;  ///< frames to the end of the next window
};

/// One window: the last frames of a video, or those before a moment.
class LastFramesSource : public PredictionSource {
  public:
    LastFramesSource(const std::string& input, const SequenceShape& shape, const SourceOptions& source,
                     Reporter& reporter) {
        const auto& at = source.at;
        auto options = video_options(shape, input, source);
        options.end = at;
        const auto info = VideoReader(input, options).info();
        fps_ = info.fps;
        if (at && info.duration > 0 && *at > info.duration + 1) {
            fail("{}: lasts {:.1f} s, --at {:g} s is beyond its end", input, info.duration, *at);
        }
        Damage damage;
        bool earlier = false;
        const auto frames = read_last_frames(input, shape.frames, options, &damage, &earlier);
        if (damage.any()) reporter.warn(to_string(damage, input));
        if (static_cast<std::int64_t>(frames.size()) < shape.frames) {
            fail("{}: {}{}{}, the model expects {}", input, counted(std::ssize(frames), "frame"),
                 at ? fmt::format(" before {} s", *at) : "",
                 options.fps > 0
                     ? fmt::format(" at {:g} frames per second (--fps chooses another rate)", options.fps)
                     : "",
                 shape.frames);
        }
        if (earlier) {
            const bool gap =
                std::any_of(frames.begin() + 1, frames.end(), [](const Frame& f) { return f.after_gap; });
            reporter.warn(fmt::format(
                "{}: the {} before the prediction run over a gap; {}", input, counted(shape.frames, "frame"),
                gap ? "nowhere are there so many without one"
                    : fmt::format("those before it are taken, up to {:.2f} s", frames.back().time)));
        }
        std::vector<torch::Tensor> tensors;
        for (const auto& frame : frames)
            tensors.push_back(to_tensor(frame, source.trained_range.value_or(ValueRange{})));
        window_ = torch::stack(tensors).unsqueeze(0);
        warn_of_values(window_, source.trained_range, input, reporter);
        shape_ = {shape.frames, shape.channels, window_.size(3), window_.size(4)};
    }

    SequenceShape shape() const override { return shape_; }
    std::int64_t count() const override { return 1; }
    double fps() const override { return fps_; }
    torch::Tensor next(std::int64_t) override { return std::exchange(window_, {}); }

  private:
    double fps_ = 0;
    SequenceShape shape_;
    torch::Tensor window_;
};

/// Windows along a whole clip; only one window's frames are kept.
class SlidingSource : public PredictionSource {
  public:
    SlidingSource(const std::string& input, const SequenceShape& shape, const SourceOptions& options,
                  Reporter& reporter)
        : input_(input),
          shape_(shape),
          every_(options.every),
          windows_(shape.frames, options.every),
          trained_range_(options.trained_range),
          range_(options.trained_range.value_or(ValueRange{})),
          resampled_(options.fps.has_value()),
          reporter_(reporter),
          video_(input, video_options(shape, input, options)) {
        if (options.own_size) {
            const auto size = video_frame_size(input, options);
            shape_.height = size.height;
            shape_.width = size.width;
        }
        if (options.counted) count_ = count_windows(options);
    }

    SequenceShape shape() const override { return shape_; }
    std::int64_t count() const override { return count_; }
    std::int64_t expected() const override {
        if (count_ != unknown_count) return count_;
        const auto& info = video_.info();
        const bool as_stored = info.frames > 0 && !resampled_;
        const auto frames = as_stored ? info.frames : std::llround(info.duration * info.fps);
        return frames < shape_.frames ? 0 : (frames - shape_.frames) / every_ + 1;
    }
    double fps() const override { return video_.info().fps; }

    torch::Tensor next(std::int64_t n) override {
        std::vector<torch::Tensor> windows;
        while (static_cast<std::int64_t>(windows.size()) < n && advance()) {
            windows.push_back(torch::stack(std::vector<torch::Tensor>(frames_.begin(), frames_.end())));
        }
        return windows.empty() ? torch::Tensor() : torch::stack(windows);
    }

  private:
    std::int64_t count_windows(SourceOptions small) const {
        small.own_size = false;  // nobody looks at the frames
        VideoReader reader(input_, video_options({shape_.frames, 1, 1, 1}, input_, small));
        auto windows = windows_;
        std::int64_t frames = 0, count = 0;
        for (; const auto frame = reader.next(); ++frames)
            count += windows.end_with(frame->after_gap) ? 1 : 0;
        require_windows(count, frames);
        return count;
    }
    void require_windows(std::int64_t windows, std::int64_t frames) const {
        if (windows > 0) return;
        fail("{}: {}{}, the model expects at least {}", input_, counted(frames, "frame"),
             frames < shape_.frames ? "" : " with gaps between them", shape_.frames);
    }

    /// To the end of the next window.
    bool advance() {
        while (!ended_) {
            const auto frame = video_.next();
            if (!frame) {
                ended_ = true;
                if (const auto damage = video_.damage(); damage.any())
                    reporter_.warn(to_string(damage, input_));
                require_windows(made_, read_);
                return false;
            }
            ++read_;
            if (frame->after_gap) frames_.clear();
            frames_.push_back(to_tensor(*frame, range_));
            if (std::ssize(frames_) > shape_.frames) frames_.pop_front();
            if (!windows_.end_with(frame->after_gap)) continue;
            if (made_++ == 0) warn_of_values(frames_.back(), trained_range_, input_, reporter_);
            return true;
        }
        return false;
    }

    std::string input_;
    SequenceShape shape_;
    std::int64_t every_;
    Windows windows_;
    std::int64_t read_ = 0, made_ = 0;  ///< frames and windows
    std::optional<ValueRange> trained_range_;
    ValueRange range_;
    bool resampled_;
    Reporter& reporter_;
    VideoReader video_;
    std::int64_t count_ = unknown_count;
    bool ended_ = false;
    std::deque<torch::Tensor> frames_;
};

std::unique_ptr<PredictionSource> open_video(const std::string& input, const SequenceShape& shape,
                                             const SourceOptions& options, Reporter& reporter) {
    if (const auto range = other_than_unit(options.trained_range)) {
        reporter.info(
            fmt::format("{}: 8-bit frames are scaled to {} (black to white), as in the training data", input,
                        to_string(*range)));
    }
    if (options.every > 0) return std::make_unique<SlidingSource>(input, shape, options, reporter);
    return std::make_unique<LastFramesSource>(input, shape, options, reporter);
}

}  // namespace

std::unique_ptr<PredictionSource> open_source(const DataFile& file, const SequenceShape& shape,
                                              const SourceOptions& options, Reporter& reporter) {
    const auto input = file.string();
    if (!is_video_input(file)) {
        if (options.at || options.every > 0) fail("{}: --at and --every are for videos", input);
        if (options.fps) fail("{}: --fps is for videos; stored sequences keep their frames", input);
        auto source = std::make_unique<StoredSource>(file, shape, options, reporter);
        for (const auto& line : source->warnings()) reporter.warn(line);
        return source;
    }
    // Where the user gives no rate, it is that of the training data.
    if (options.fps || options.trained_fps <= 0) return open_video(input, shape, options, reporter);
    const auto own_fps = VideoReader(input, video_options(shape, input, options)).info().fps;
    if (!differ(own_fps, options.trained_fps)) return open_video(input, shape, options, reporter);
    auto video = options;
    video.fps = options.trained_fps;
    auto source = open_video(input, shape, video, reporter);
    reporter.info(
        fmt::format("{}: {:g} frames per second, read as {:g}, which the network was trained on (--fps "
                    "chooses another rate)",
                    input, own_fps, options.trained_fps));
    return source;
}

bool is_video_input(const DataFile& input) {
    if (looks_like_video(input.path)) return true;
    return input.dataset.empty() && fs::exists(input.path) && format_of_file(input.path) == nullptr;
}

FrameSize video_frame_size(const std::string& input, const SourceOptions& source) {
    VideoOptions options;
    options.max_pixels = source.max_pixels;
    options.stream = source.stream;
    options.external = source.reading.external;
    options.stop = source.stop;
    VideoReader reader(input, options);
    const auto first = reader.next();
    if (!first) fail("{}: has no frame", input);
    return {first->height(), first->width(), reader.info().pixel_aspect};
}

}  // namespace stl
