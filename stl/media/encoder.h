// One FFmpeg encoder and container, written to a file. Used by the sources of this folder alone.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/image.h"

namespace stl {

/// What to make.
struct EncoderSpec {
    std::string container;                            ///< FFmpeg's name: "mp4"
    std::vector<std::string> encoders;                ///< the first that this FFmpeg has is taken
    AVPixelFormat pixel_format = AV_PIX_FMT_YUV420P;  ///< YUV420P, RGB24, GRAY8 or PAL8
    AVRational fps{10, 1};
    AVRational time_base{1, 10};  ///< frame k is at time k / fps, rounded to this
    std::vector<std::pair<std::string, std::string>> encoder_options, container_options;
    AVRational pixel_aspect{1, 1};
};

/// The first of `names` that this FFmpeg has, or null.
const AVCodec* find_encoder(const std::vector<std::string>& names);

/// Replaces what is at `path`.
class Encoder {
  public:
    /// `shown_path` is what messages name. height, width: of the pictures; odd ones are padded where needed.
    Encoder(const fs::path& path, fs::path shown_path, const EncoderSpec& spec, int height, int width);
    ~Encoder();
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;

    /// PAL8: one channel of indices. RGB24, GRAY8: pictures of that many channels. YUV420P: gray or RGB.
    void add(const Image& picture);
    /// Flushes, writes the trailer and closes the file.
    void finish();
    /// 256 colours 0xAARRGGBB, for PAL8.
    void set_palette(std::vector<std::uint32_t> palette) { palette_ = std::move(palette); }

  private:
    void open(const fs::path& path, int height, int width);
    void fill(const Image& picture);
    void send(const AVFrame* frame);
    void check(int code) const;

    fs::path shown_path_;
    EncoderSpec spec_;
    struct OutputCloser {
        void operator()(AVFormatContext* c) const;
    };
    std::unique_ptr<AVFormatContext, OutputCloser> output_;
    ffmpeg::Codec codec_;
    AVStream* stream_ = nullptr;
    ffmpeg::FramePtr frame_ = ffmpeg::make_frame();
    ffmpeg::PacketPtr packet_ = ffmpeg::make_packet();
    std::vector<std::uint32_t> palette_;
    std::int64_t count_ = 0;
};

}  // namespace stl
