#include "stl/predict/sink.h"

#include <fmt/ranges.h>

#include "stl/core/error.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/video_writer.h"
#include "stl/predict/pictures.h"

namespace stl {
namespace {

constexpr double default_fps = 10;

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
    PictureSink(const std::string& output, const SinkOptions& options) : range_(options.range) {
        VideoWriteOptions writing;
        writing.fps = options.fps > 0 ? options.fps : default_fps;
        writing.pixel_aspect = options.pixel_aspect;
        writing.force = options.force;
        writer_ = create_video(output, writing);
    }
    std::optional<ValueRange> shown_range() const override { return range_; }
    void append(const torch::Tensor& predictions) override {
        const auto frames = predictions.to(torch::kCPU).flatten(0, 1);
        for (std::int64_t i = 0; i < frames.size(0); ++i) writer_->add(to_image(frames[i], range_));
    }
    void finish() override { writer_->finish(); }

  private:
    ValueRange range_;
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
