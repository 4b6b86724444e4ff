#include "stl/import/frame_stream.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/sequences.h"
#include "stl/media/colors.h"
#include "stl/media/resize.h"

namespace stl {
namespace {

VideoOptions video_options(const ImportOptions& o, const FrameFormat& format, const StopRequested& stop) {
    VideoOptions v;
    v.height = format.height;
    v.width = format.width;
    v.channels = format.channels;
    v.deep = format.white > 0;
    v.fit = o.fit;
    v.fps = o.fps;
    v.folder_fps = o.folder_fps;
    v.start = o.start;
    v.end = o.end;
    v.stream = o.stream;
    v.measured = o.measured;
    v.max_pixels = o.max_pixels;
    v.threads = o.threads;
    v.external = o.external;
    v.stop = stop;
    return v;
}

/// Interleaved pixels to planes: convert(pixel) of each.
template <class To, class From, class Convert>
void store_planes(const BasicImage<From>& image, std::vector<std::byte>& out, const Convert& convert) {
    const auto plane = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width);
    const auto n = static_cast<std::size_t>(image.channels);
    out.resize(plane * n * sizeof(To));
    auto* to = reinterpret_cast<To*>(out.data());
    for (std::size_t c = 0; c < n; ++c) {
        for (std::size_t i = 0; i < plane; ++i) to[c * plane + i] = convert(image.pixels[i * n + c]);
    }
}

/// A picture in the file's type and range.
void store(const Picture& picture, const FrameFormat& format, const std::string& name,
           std::vector<std::byte>& out) {
    if ((picture.white == 0) != format.as_stored) {
        fail("{}: {} of the first source; import them by themselves", name,
             format.as_stored ? "pictures beside the numbers without a known range"
                              : "numbers without a known range beside the pictures");
    }
    if (format.as_stored) return store_planes<float>(picture.deep, out, [](float v) { return v; });
    const auto white = static_cast<float>(std::max(1, format.white));
    if (!picture.deep.empty()) {
        const float factor = white / static_cast<float>(picture.white);
        store_planes<float>(picture.deep, out, [factor](float v) { return v * factor; });
    } else if (format.dtype == DType::u8) {
        store_planes<std::uint8_t>(picture.image, out, [](std::uint8_t v) { return v; });
    } else {
        store_planes<float>(picture.image, out,
                            [white](std::uint8_t v) { return static_cast<float>(v) / 255.0F * white; });
    }
}

class VideoStream : public FrameStream {
  public:
    VideoStream(const ImportSource& source, const ImportOptions& options, const FrameFormat& format,
                const StopRequested& stop)
        : name_(source.name()),
          format_(format),
          reader_(source.name(), video_options(options, format, stop)) {
        begin_ = options.start.value_or(0);
        const double end = reader_.info().duration;
        length_ = std::max(0.0, std::min(options.end.value_or(end), end) - begin_);
    }

    bool next(StreamFrame& frame) override {
        const auto got = reader_.next();
        if (!got) return false;
        store(*got, format_, name_, frame.values);
        frame.position = length_ > 0 ? std::clamp((got->time - begin_) / length_, 0.0, 0.999999) : 0;
        frame.continues = !got->after_gap;
        return true;
    }
    double fps() const override { return reader_.info().fps; }
    double duration() const override { return length_; }
    std::optional<ValueRange> range() const override {
        if (format_.as_stored) return std::nullopt;
        return format_.white > 0 ? ValueRange{0, static_cast<double>(format_.white)} : ValueRange{};
    }
    std::string damage() const override {
        const Damage damage = reader_.damage();
        return damage.any() ? to_string(damage, name_) : "";
    }
    Timing timing() const override { return reader_.timing(); }

  private:
    std::string name_;
    FrameFormat format_;
    VideoReader reader_;
    double begin_ = 0, length_ = 0;
};

/// Which frames of a stored sequence of `count` frames are taken, as of a video of `own_fps`: those that show in a time
/// and, at another rate, repeated or left out.
std::vector<std::int64_t> picks(std::int64_t count, double own_fps, const ImportOptions& o) {
    constexpr double tiny = 1e-6;
    const auto wanted = [&](double time) {
        return time >= o.start.value_or(0) - tiny && !(o.end && time >= *o.end - tiny);
    };
    const auto slot_of = [&](std::int64_t frame) {
        return std::llround(std::floor(static_cast<double>(frame) / own_fps * o.fps + 0.5 + tiny));
    };
    std::vector<std::int64_t> frames;
    for (std::int64_t i = 0; i < count; ++i) {
        if (!(o.fps > 0)) {
            if (!(own_fps > 0) || wanted(static_cast<double>(i) / own_fps)) frames.push_back(i);
            continue;
        }
        for (auto slot = slot_of(i); slot < slot_of(i + 1); ++slot) {
            if (wanted(static_cast<double>(slot) / o.fps)) frames.push_back(i);
        }
    }
    return frames;
}

/// The rows of an array, one after the other; none continues the one before.
class ArrayStream : public FrameStream {
  public:
    ArrayStream(const ImportSource& source, const ImportOptions& options, const FrameFormat& format)
        : name_(source.name()),
          format_(format),
          reader_(open_sequences(source.file, {options.layout, options.dataset, options.external})) {
        const SequenceShape& shape = reader_->info().shape;
        if (shape.channels != format.channels && shape.channels != 1 &&
            !(shape.channels == 3 && format.channels == 1)) {
            fail("{}: {} channels cannot be converted to {}", name_, shape.channels, format.channels);
        }
        plan_ = plan_fit(options.fit, static_cast<int>(shape.height), static_cast<int>(shape.width), 1,
                         format.height, format.width);
        vertical_ = make_taps(static_cast<int>(shape.height), plan_.top, plan_.bottom, plan_.height);
        horizontal_ = make_taps(static_cast<int>(shape.width), plan_.left, plan_.right, plan_.width);
        require_memory(static_cast<std::uint64_t>(shape.elements()) * sizeof(float), name_);
        row_.resize(static_cast<std::size_t>(shape.elements()));
        const double own_fps = reader_->info().fps;
        if (!(own_fps > 0) && !(options.fps > 0) && (options.start || options.end))
            fail("{}: says no frame rate, so --start and --end can't be counted in its frames", name_);
        if (!(own_fps > 0) && options.fps > 0)
            remark_ = fmt::format("{}: says no frame rate; its frames are taken as {:g} per second", name_,
                                  options.fps);
        fps_ = options.fps > 0 ? options.fps : own_fps;
        picks_ = picks(shape.frames, own_fps > 0 ? own_fps : fps_, options);
        at_ = picks_.size();
    }

    bool next(StreamFrame& out) override {
        const SequenceInfo& info = reader_->info();
        const auto n = static_cast<std::size_t>(info.shape.frame_elements());
        out.continues = true;
        for (;; ++incomplete_, out.continues = false) {
            if (at_ == picks_.size()) {
                if (picks_.empty() || ++index_ >= info.count) return false;
                reader_->read(index_, 1, row_);
                at_ = 0;
                out.continues = false;
            }
            const auto frame =
                std::span<const float>(row_).subspan(static_cast<std::size_t>(picks_[at_++]) * n, n);
            // No network can be trained on a frame with holes: it is a gap, as a damaged frame of a video is.
            if (!std::ranges::all_of(frame, [](float v) { return std::isfinite(v); })) continue;
            convert(frame, out.values);
            out.position = static_cast<double>(index_) / static_cast<double>(info.count);
            return true;
        }
    }
    double fps() const override { return fps_; }
    double duration() const override { return static_cast<double>(reader_->info().count); }
    std::optional<ValueRange> range() const override { return reader_->info().range; }
    std::string damage() const override {
        const SequenceInfo& info = reader_->info();
        auto lines = info.warnings;
        if (!remark_.empty()) lines.push_back(remark_);
        if (incomplete_ > 0) {
            lines.push_back(
                fmt::format("{}: {} of {} frames are left out: values are missing (NaN or fill values)",
                            name_, incomplete_, info.count * info.shape.frames));
        }
        return fmt::format("{}", fmt::join(lines, "; "));
    }

  private:
    /// One frame [C,H,W] in the model's range to the file's size, channels and type.
    void convert(std::span<const float> frame, std::vector<std::byte>& out) {
        const SequenceShape& shape = reader_->info().shape;
        const auto plane = static_cast<std::size_t>(shape.height * shape.width);
        const auto small = static_cast<std::size_t>(plan_.height) * static_cast<std::size_t>(plan_.width);
        resized_.resize(small * static_cast<std::size_t>(shape.channels));
        for (std::size_t c = 0; c < static_cast<std::size_t>(shape.channels); ++c) {
            resize_floats(frame.subspan(c * plane, plane), static_cast<int>(shape.width), vertical_,
                          horizontal_, scratch_, std::span(resized_).subspan(c * small, small));
        }
        const auto full = static_cast<std::size_t>(format_.height) * static_cast<std::size_t>(format_.width);
        values_.assign(full * static_cast<std::size_t>(format_.channels), 0.0F);
        for (int c = 0; c < format_.channels; ++c) {
            for (int y = 0; y < plan_.height; ++y) {
                const auto to = static_cast<std::size_t>(
                    (c * format_.height + y + (format_.height - plan_.height) / 2) * format_.width +
                    (format_.width - plan_.width) / 2);
                for (int x = 0; x < plan_.width; ++x) {
                    values_[to + static_cast<std::size_t>(x)] =
                        channel(c, static_cast<std::size_t>(y * plan_.width + x), small);
                }
            }
        }
        out.resize(values_.size() * dtype_size(format_.dtype));
        if (format_.dtype == DType::f32) {
            std::memcpy(out.data(), values_.data(), out.size());
        } else {
            std::transform(values_.begin(), values_.end(), out.begin(), [](float v) {
                return static_cast<std::byte>(std::clamp(v * 255.0F + 0.5F, 0.0F, 255.0F));
            });
        }
    }

    float channel(int c, std::size_t i, std::size_t plane) const {
        const std::int64_t stored = reader_->info().shape.channels;
        if (stored == format_.channels) return resized_[static_cast<std::size_t>(c) * plane + i];
        if (stored == 1) return resized_[i];
        return luma(resized_[i], resized_[plane + i], resized_[2 * plane + i]);
    }

    std::string name_;
    FrameFormat format_;
    std::unique_ptr<SequenceReader> reader_;
    FitPlan plan_;
    AxisTaps vertical_, horizontal_;
    std::vector<float> row_, scratch_, resized_, values_;
    std::int64_t index_ = -1;
    std::vector<std::int64_t> picks_;  ///< the frames of each row that are taken
    std::size_t at_ = 0;               ///< in them
    double fps_ = 0;
    std::string remark_;
    std::int64_t incomplete_ = 0;  ///< frames in which values are missing
};

}  // namespace

FrameFormat own_format(const ImportSource& source, const ImportOptions& o, const StopRequested& stop) {
    FrameFormat format{.height = o.height, .width = o.width, .channels = o.channels};
    if (source.kind == ImportSource::Kind::array) {
        const auto info = open_sequences(source.file, {o.layout, o.dataset, o.external})->info();
        if (o.height == 0) format.height = static_cast<int>(info.shape.height);
        if (o.width == 0) format.width = static_cast<int>(info.shape.width);
        if (o.channels == 0) format.channels = static_cast<int>(info.shape.channels);
        if (info.dtype != DType::u8) format.dtype = DType::f32;
        return format;
    }
    if (o.channels == 0) format.channels = 3;
    VideoReader reader(source.name(), video_options(o, format, stop));
    const auto first = reader.next();
    if (!first) fail("{}: no frame between start and end", source.name());
    format.height = first->height();
    format.width = first->width();
    if (first->white != 255) {
        format.dtype = DType::f32;
        format.white = first->white;
        format.as_stored = first->white == 0;
    }
    return format;
}

std::unique_ptr<FrameStream> open_stream(const ImportSource& source, const ImportOptions& options,
                                         const FrameFormat& format, const StopRequested& stop) {
    if (source.kind == ImportSource::Kind::array)
        return std::make_unique<ArrayStream>(source, options, format);
    return std::make_unique<VideoStream>(source, options, format, stop);
}

}  // namespace stl
