#include "stl/media/video_writer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/media/encoder.h"
#include "stl/media/frame_spool.h"
#include "stl/media/palette.h"
#include "stl/media/picture_folder.h"

namespace stl {
namespace {

constexpr double fastest = 1000;  ///< frames a second; players know no more

AVRational rational(double fps) {
    return av_d2q(fps, 1001000);
}

/// 100 is nearly lossless, 0 barely recognisable.
std::string h264_crf(int quality) {
    return std::to_string(1 + (100 - quality) * 9 / 20);
}
std::string vp9_crf(int quality) {
    return std::to_string((100 - quality) * 63 / 100);
}

AVRational pixel_aspect(const VideoWriteOptions& o) {
    return av_d2q(o.pixel_aspect, 1000);
}

EncoderSpec h264(const std::string& container, const VideoWriteOptions& o) {
    const AVRational fps = rational(o.fps);
    EncoderSpec spec{container, {"libx264", "libopenh264"}, AV_PIX_FMT_YUV420P, fps, av_inv_q(fps), {}, {}};
    spec.pixel_aspect = pixel_aspect(o);
    spec.encoder_options = {{"crf", h264_crf(o.quality)}, {"preset", "medium"}, {"profile", "high"}};
    if (container != "matroska") spec.container_options = {{"movflags", "+faststart"}};
    return spec;
}

EncoderSpec vp9(const std::string& container, const VideoWriteOptions& o) {
    const AVRational fps = rational(o.fps);
    EncoderSpec spec{container, {"libvpx-vp9"}, AV_PIX_FMT_YUV420P, fps, av_inv_q(fps), {}, {}};
    spec.pixel_aspect = pixel_aspect(o);
    spec.encoder_options = {{"crf", vp9_crf(o.quality)}, {"b", "0"}, {"cpu-used", "3"}};
    return spec;
}

EncoderSpec apng(const std::string& container, const VideoWriteOptions& o) {
    const AVRational fps = rational(o.fps);
    return {container, {"apng"}, AV_PIX_FMT_RGB24, fps, av_inv_q(fps), {{"pred", "mixed"}}, {{"plays", "0"}}};
}

EncoderSpec gif(const std::string& container, const VideoWriteOptions& o) {
    return {container, {"gif"}, AV_PIX_FMT_PAL8, rational(std::min(o.fps, 50.0)),
            {1, 100},  {},      {{"loop", "0"}}};
}

struct Kind {
    const char* extension;
    const char* container;
    EncoderSpec (*spec)(const std::string& container, const VideoWriteOptions&);
};
constexpr std::array kinds{Kind{".mp4", "mp4", h264},  Kind{".m4v", "mp4", h264},
                           Kind{".mov", "mov", h264},  Kind{".mkv", "matroska", h264},
                           Kind{".webm", "webm", vp9}, Kind{".gif", "gif", gif},
                           Kind{".apng", "apng", apng}};

const Kind* kind_of(const fs::path& path) {
    const std::string extension = lower_case(path.extension().string());
    for (const auto& kind : kinds) {
        if (extension == kind.extension) return &kind;
    }
    return nullptr;
}

/// The size of the first frame binds the others.
class SameSize {
  public:
    void check(const Image& frame, const fs::path& path) {
        if (height_ == 0) {
            height_ = frame.height;
            width_ = frame.width;
        }
        if (frame.height != height_ || frame.width != width_) {
            fail("{}: a frame of {}x{} after frames of {}x{}", path.string(), frame.width, frame.height,
                 width_, height_);
        }
        if (frame.empty() || (frame.channels != 1 && frame.channels != 3)) {
            fail("{}: a frame of {} channels, expected 1 or 3", path.string(), frame.channels);
        }
    }

  private:
    int height_ = 0, width_ = 0;
};

[[noreturn]] void refuse_empty(const fs::path& path) {
    fail("{}: no frames to write", path.string());
}

class EncodedVideo : public VideoWriter {
  public:
    EncodedVideo(const fs::path& path, EncoderSpec spec, bool force)
        : file_(path, force), spec_(std::move(spec)) {}

    void add(const Image& frame) override {
        size_.check(frame, file_.final_path());
        if (!encoder_) {
            encoder_.emplace(file_.temporary(), file_.final_path(), spec_, frame.height, frame.width);
        }
        encoder_->add(spec_.pixel_format == AV_PIX_FMT_RGB24 ? to_rgb(frame) : frame);
    }

    void finish() override {
        if (!encoder_) refuse_empty(file_.final_path());
        encoder_->finish();
        encoder_.reset();
        file_.commit();
    }

  private:
    AtomicFile file_;
    EncoderSpec spec_;
    SameSize size_;
    std::optional<Encoder> encoder_;
};

/// Frames wait on disk until the palette of all of them is known.
class GifVideo : public VideoWriter {
  public:
    GifVideo(const fs::path& path, EncoderSpec spec, bool force)
        : file_(path, force), spec_(std::move(spec)), spool_(path) {}

    void add(const Image& frame) override {
        size_.check(frame, file_.final_path());
        const Image rgb = to_rgb(frame);
        height_ = rgb.height;
        width_ = rgb.width;
        counter_.add(rgb);
        spool_.add(rgb);
    }

    void finish() override {
        if (spool_.count() == 0) refuse_empty(file_.final_path());
        const Palette palette(counter_, 255);
        std::vector<std::uint32_t> colors(256, 0);  // the last one is transparent: "as in the frame before"
        for (std::size_t i = 0; i < 255; ++i) {
            colors[i] = 0xFF000000U | (i < palette.colors().size() ? palette.colors()[i] : 0U);
        }
        Encoder encoder(file_.temporary(), file_.final_path(), spec_, height_, width_);
        encoder.set_palette(std::move(colors));
        spool_.rewind();
        for (std::int64_t i = 0; i < spool_.count(); ++i) encoder.add(palette.indices(spool_.next()));
        encoder.finish();
        file_.commit();
    }

  private:
    AtomicFile file_;
    EncoderSpec spec_;
    SameSize size_;
    ColorCounter counter_;
    int height_ = 0, width_ = 0;
    FrameSpool spool_;
};

class FolderVideo : public VideoWriter {
  public:
    FolderVideo(const fs::path& path, bool force) : folder_(path, force) {}
    void add(const Image& frame) override {
        size_.check(frame, folder_.path());
        folder_.add(frame);
        empty_ = false;
    }
    void finish() override {
        if (empty_) refuse_empty(folder_.path());
        folder_.commit();
    }

  private:
    PictureFolder folder_;
    SameSize size_;
    bool empty_ = true;
};

}  // namespace

std::vector<std::string> video_extensions() {
    std::vector<std::string> names(kinds.size());
    std::ranges::transform(kinds, names.begin(), &Kind::extension);
    return names;
}

bool is_video_output(const fs::path& path) {
    return !path.has_extension() || kind_of(path) != nullptr;
}

std::unique_ptr<VideoWriter> create_video(const fs::path& path, const VideoWriteOptions& o) {
    if (o.quality < 0 || o.quality > 100) fail("{}: quality {}, expected 0 to 100", path.string(), o.quality);
    if (!path.has_extension()) return std::make_unique<FolderVideo>(path, o.force);
    const Kind* kind = kind_of(path);
    if (!kind) {
        fail("{}: unknown kind of video '{}', expected {}, or no extension for a folder of PNGs",
             path.string(), path.extension().string(), fmt::join(video_extensions(), ", "));
    }
    if (!(o.fps > 0 && o.fps <= fastest)) {
        fail(
            "{}: {:g} frames/s, expected more than 0 and at most {:g}; --fps sets the rate, and a folder of "
            "PNGs has none",
            path.string(), o.fps, fastest);
    }
    EncoderSpec spec = kind->spec(kind->container, o);
    if (spec.pixel_format == AV_PIX_FMT_PAL8)
        return std::make_unique<GifVideo>(path, std::move(spec), o.force);
    return std::make_unique<EncodedVideo>(path, std::move(spec), o.force);
}

std::vector<OutputFormat> output_formats() {
    std::vector<OutputFormat> formats;
    for (const auto& kind : kinds) {
        const AVCodec* codec = find_encoder(kind.spec(kind.container, {}).encoders);
        formats.push_back({kind.extension, codec ? codec->name : ""});
    }
    return formats;
}

}  // namespace stl
