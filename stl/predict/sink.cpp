#include "stl/predict/sink.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "stl/core/error.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/video_writer.h"
#include "stl/predict/pictures.h"

namespace stl {
namespace {

constexpr double default_fps = 10;
/// Of videos that a person is to look at: small frames are enlarged to about so many pixels, and no more are shown a second.
constexpr int looked_at_pixels = 256;
constexpr double looked_at_fps = 5;

/// The picture enlarged, with a border: orange around what was predicted, dark around what was seen.
Image framed(const Image& image, bool predicted) {
    const int factor = std::max(1, looked_at_pixels / std::max(1, std::min(image.height, image.width)));
    const Image large = enlarge(to_rgb(image), factor);
    const int border = std::max(2, std::min(large.height, large.width) / 64);
    Image out(large.height + 2 * border, large.width + 2 * border, 3, 48);
    if (predicted) {
        constexpr std::array<std::uint8_t, 3> orange{255, 140, 0};
        for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = orange[i % 3];
    }
    for (int y = 0; y < large.height; ++y)
        std::copy_n(large.row(y), large.row_size(), out.row(y + border) + 3 * std::ptrdiff_t{border});
    return out;
}

class StoredSink : public PredictionSink {
  public:
    StoredSink(const DataFile& output, std::int64_t count, const SequenceShape& shape,
               const SinkOptions& options) {
        WriteOptions writing;
        writing.dtype = DType::f32;
        writing.fps = options.fps;
        writing.attributes = options.attributes;
        if (!options.range.is_unit()) writing.attributes["range"] = options.range.to_json();
        writing.force = options.force;
        writer_ = create_sequences(output, count, shape, writing);
    }
    void append(const torch::Tensor& predictions) override {
        const auto values = predictions.to(torch::kCPU, torch::kFloat32).contiguous();
        writer_->append(
            std::span<const float>(values.data_ptr<float>(), static_cast<std::size_t>(values.numel())));
    }
    void finish() override { writer_->finish(); }

  private:
    std::unique_ptr<SequenceWriter> writer_;
};

class PictureSink : public PredictionSink {
  public:
    PictureSink(const std::string& output, const SinkOptions& options)
        : range_(options.range), inputs_(options.inputs) {
        VideoWriteOptions writing;
        writing.fps = options.fps > 0 ? options.fps : default_fps;
        if (inputs_ > 0) writing.fps = std::min(writing.fps, looked_at_fps);
        writing.pixel_aspect = options.pixel_aspect;
        writing.force = options.force;
        writer_ = create_video(output, writing);
    }
    std::optional<ValueRange> shown_range() const override { return range_; }
    void append(const torch::Tensor& predictions) override {
        const auto frames = predictions.to(torch::kCPU).flatten(0, 1);
        for (std::int64_t i = 0; i < frames.size(0); ++i) {
            const Image image = to_image(frames[i], range_);
            writer_->add(inputs_ > 0 ? framed(image, i % predictions.size(1) >= inputs_) : image);
        }
    }
    void finish() override { writer_->finish(); }

  private:
    ValueRange range_;
    std::int64_t inputs_;
    std::unique_ptr<VideoWriter> writer_;
};

}  // namespace

bool needs_count(const DataFile& output) {
    const auto* format = format_of_name(output.path);
    return format != nullptr && format->writes() && !format->streams;
}

std::unique_ptr<PredictionSink> open_sink(const DataFile& output, std::int64_t count,
                                          const SequenceShape& shape, const SinkOptions& options) {
    if (is_video_output(output.path)) return std::make_unique<PictureSink>(output.string(), options);
    if (const auto* format = format_of_name(output.path); format == nullptr || !format->writes()) {
        fail("{}: cannot write this kind of file, expected {}, {}, or no extension for a folder of PNG",
             output.string(), fmt::join(sequence_extensions(&SequenceFormat::writes), ", "),
             fmt::join(video_extensions(), ", "));
    }
    return std::make_unique<StoredSink>(output, count, shape, options);
}

}  // namespace stl
