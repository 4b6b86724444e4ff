#include "stl/predict/source.h"

#include <deque>
#include <fstream>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/media/video_reader.h"
#include "stl/predict/pictures.h"

namespace stl {
namespace {

class StoredSource : public PredictionSource {
  public:
    StoredSource(const std::string& input, const SequenceShape& wanted, const SourceOptions& options)
        : reader_(open_sequences(input, options.reading)), wanted_(wanted) {
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
            fail("{}: {}, the model expects {}", input, to_string(stored), to_string(wanted));
    }

    SequenceShape shape() const override { return wanted_; }
    std::int64_t count() const override { return reader_->info().count; }
    double fps() const override { return reader_->info().fps; }

    torch::Tensor next(std::int64_t n) override {
        n = std::min(n, count() - done_);
        if (n <= 0) return {};
        const auto& s = reader_->info().shape;
        auto rows = torch::empty({n, s.frames, s.channels, s.height, s.width});
        reader_->read(done_, n, {rows.data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
        done_ += n;
        return rows.narrow(1, 0, wanted_.frames);
    }

  private:
    std::unique_ptr<SequenceReader> reader_;
    SequenceShape wanted_;
    std::int64_t done_ = 0;
};

/// `own_size`: the size is left to the first frame.
VideoOptions video_options(const SequenceShape& shape, const std::string& input, bool own_size) {
    if (shape.channels != 1 && shape.channels != 3) {
        fail("{}: a video has 1 or 3 channels, the model expects {}", input, shape.channels);
    }
    VideoOptions options;
    options.height = own_size ? 0 : static_cast<int>(shape.height);
    options.width = own_size ? 0 : static_cast<int>(shape.width);
    options.channels = static_cast<int>(shape.channels);
    return options;
}

/// One window: the last frames of a video, or those before a moment.
class LastFramesSource : public PredictionSource {
  public:
    LastFramesSource(const std::string& input, const SequenceShape& shape, const SourceOptions& source,
                     Reporter& reporter) {
        const auto& at = source.at;
        auto options = video_options(shape, input, source.own_size);
        options.end = at;
        fps_ = VideoReader(input, options).info().fps;
        Loss loss;
        const auto frames = read_last_frames(input, shape.frames, options, &loss);
        if (loss.any()) reporter.warn(to_string(loss, input));
        if (static_cast<std::int64_t>(frames.size()) < shape.frames) {
            fail("{}: {} frame{}{}, the model expects {}", input, frames.size(),
                 frames.size() == 1 ? "" : "s", at ? fmt::format(" before {} s", *at) : "", shape.frames);
        }
        std::vector<torch::Tensor> tensors;
        for (const auto& frame : frames) tensors.push_back(to_tensor(frame.image));
        window_ = torch::stack(tensors).unsqueeze(0);
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
          reporter_(reporter),
          video_(input, video_options(shape, input, options.own_size)) {
        // Read once to know how many windows there are: outputs of a fixed size need it.
        std::int64_t frames = 0;
        VideoReader counting(input, video_options(shape, input, options.own_size));
        while (const auto frame = counting.next()) {
            ++frames;
            shape_.height = frame->image.height;
            shape_.width = frame->image.width;
        }
        if (frames < shape.frames)
            fail("{}: {} frames, the model expects at least {}", input, frames, shape.frames);
        count_ = (frames - shape.frames) / every_ + 1;
    }

    SequenceShape shape() const override { return shape_; }
    std::int64_t count() const override { return count_; }
    double fps() const override { return video_.info().fps; }

    torch::Tensor next(std::int64_t n) override {
        std::vector<torch::Tensor> windows;
        while (static_cast<std::int64_t>(windows.size()) < n && advance()) {
            windows.push_back(torch::stack(std::vector<torch::Tensor>(frames_.begin(), frames_.end())));
        }
        return windows.empty() ? torch::Tensor() : torch::stack(windows);
    }

  private:
    bool advance() {
        const auto full = static_cast<std::size_t>(shape_.frames);
        auto wanted = frames_.size() < full ? static_cast<std::int64_t>(full - frames_.size()) : every_;
        for (; wanted > 0; --wanted) {
            const auto frame = video_.next();
            if (!frame) {
                if (const auto loss = video_.loss(); loss.any()) reporter_.warn(to_string(loss, input_));
                return false;
            }
            frames_.push_back(to_tensor(frame->image));
            if (frames_.size() > full) frames_.pop_front();
        }
        return true;
    }

    std::string input_;
    SequenceShape shape_;
    std::int64_t every_;
    Reporter& reporter_;
    VideoReader video_;
    std::int64_t count_ = 0;
    std::deque<torch::Tensor> frames_;
};

}  // namespace

std::unique_ptr<PredictionSource> open_source(const std::string& input, const SequenceShape& shape,
                                              const SourceOptions& options, Reporter& reporter) {
    if (!is_video_input(input)) {
        if (options.at || options.every > 0) fail("{}: --at and --every are for videos", input);
        return std::make_unique<StoredSource>(input, shape, options);
    }
    if (options.every > 0) return std::make_unique<SlidingSource>(input, shape, options, reporter);
    return std::make_unique<LastFramesSource>(input, shape, options, reporter);
}

bool is_video_input(const std::string& input) {
    const auto [path, dataset] = split_file_name(input);
    if (looks_like_video(path)) return true;
    const auto extension = lower_case(path.extension().string());
    for (const char* name : {".h5", ".hdf5", ".npy", ".npz"}) {
        if (extension == name) return false;
    }
    if (!dataset.empty() || !fs::exists(path)) return false;
    std::string first(8, '\0');
    std::ifstream(path, std::ios::binary).read(first.data(), 8);
    return !first.starts_with("\x89HDF") && !first.starts_with("\x93NUMPY") && !first.starts_with("PK");
}

FrameSize video_frame_size(const std::string& input) {
    const auto first = VideoReader(input).next();
    if (!first) fail("{}: has no frame", input);
    return {first->image.height, first->image.width};
}

}  // namespace stl
