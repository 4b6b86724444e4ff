#include "stl/media/encoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "stl/core/error.h"
#include "stl/media/colors.h"

namespace stl {
namespace {

/// A fixed number, so that the bytes do not depend on the machine's cores.
constexpr int encoder_threads = 2;

std::uint8_t rounded(float v) {
    return static_cast<std::uint8_t>(v + 0.5F);
}

Rgb color_at(const Image& image, int y, int x) {
    const std::uint8_t* p =
        image.row(std::min(y, image.height - 1)) + std::min(x, image.width - 1) * image.channels;
    const bool rgb = image.channels == 3;
    return {p[0] / 255.0F, p[rgb ? 1 : 0] / 255.0F, p[rgb ? 2 : 0] / 255.0F};
}

/// BT.709, studio range; chroma is the mean of 2 x 2 pixels. The last row and column are repeated to even
/// sizes.
void fill_yuv420(const Image& image, AVFrame& frame) {
    for (int y = 0; y < frame.height; y += 2) {
        for (int x = 0; x < frame.width; x += 2) {
            float cb = 0, cr = 0;
            for (const int k : {0, 1, 2, 3}) {
                const int dy = k / 2, dx = k % 2;
                const Ycc c = to_ycc(color_at(image, y + dy, x + dx), bt709);
                frame.data[0][(y + dy) * frame.linesize[0] + x + dx] = rounded(16 + 219 * c.y);
                cb += c.cb;
                cr += c.cr;
            }
            frame.data[1][y / 2 * frame.linesize[1] + x / 2] = rounded(128 + 224 * cb / 4);
            frame.data[2][y / 2 * frame.linesize[2] + x / 2] = rounded(128 + 224 * cr / 4);
        }
    }
}

void fill_rows(const Image& image, AVFrame& frame) {
    for (int y = 0; y < image.height; ++y) {
        std::copy_n(image.row(y), image.row_size(), frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0]);
    }
}

std::string names_text(const std::vector<std::string>& names) {
    return fmt::format("{}", fmt::join(names, " or "));
}

}  // namespace

const AVCodec* find_encoder(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (const AVCodec* codec = avcodec_find_encoder_by_name(name.c_str())) return codec;
    }
    return nullptr;
}

void Encoder::OutputCloser::operator()(AVFormatContext* c) const {
    if (c->pb) avio_closep(&c->pb);
    avformat_free_context(c);
}

Encoder::Encoder(const fs::path& path, fs::path shown_path, const EncoderSpec& spec, int height, int width)
    : shown_path_(std::move(shown_path)), spec_(spec) {
    ffmpeg::catch_messages();
    ffmpeg::forget_complaints();
    open(path, height, width);
}

Encoder::~Encoder() = default;

void Encoder::check(int code) const {
    if (code >= 0) return;
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
    av_strerror(code, text.data(), text.size());
    // Errors of the operating system (disk full) say all; others are explained by FFmpeg's message.
    fail("{}: cannot be written ({})", shown_path_.string(),
         code == AVERROR(ENOSPC) || code == AVERROR(EFBIG) || code == AVERROR(EIO) ? text.data()
                                                                                   : ffmpeg::complaint(code));
}

void Encoder::open(const fs::path& path, int height, int width) {
    const AVCodec* codec = find_encoder(spec_.encoders);
    if (!codec) {
        fail(
            "{}: this FFmpeg has no encoder {}; write another kind of file (.gif, .apng) or install FFmpeg "
            "with it",
            shown_path_.string(), names_text(spec_.encoders));
    }
    const std::string url = "file:" + path.string();
    AVFormatContext* output = nullptr;
    check(avformat_alloc_output_context2(&output, nullptr, spec_.container.c_str(), url.c_str()));
    output_.reset(output);
    output_->flags |= AVFMT_FLAG_BITEXACT;  // no version, no date
    codec_.reset(ffmpeg::required(avcodec_alloc_context3(codec)));
    const bool yuv = spec_.pixel_format == AV_PIX_FMT_YUV420P;
    codec_->height = yuv ? height + height % 2 : height;
    codec_->width = yuv ? width + width % 2 : width;
    codec_->pix_fmt = spec_.pixel_format;
    codec_->time_base = spec_.time_base;
    codec_->framerate = spec_.fps;
    codec_->sample_aspect_ratio = spec_.pixel_aspect;
    codec_->thread_count = encoder_threads;
    codec_->flags |= AV_CODEC_FLAG_BITEXACT;
    if (yuv) {
        codec_->gop_size =
            std::max(1, static_cast<int>(2 * av_q2d(spec_.fps) + 0.5));  // players can jump about
        codec_->color_range = AVCOL_RANGE_MPEG;
        codec_->colorspace = AVCOL_SPC_BT709;
        codec_->color_primaries = AVCOL_PRI_BT709;
        codec_->color_trc = AVCOL_TRC_BT709;
        codec_->chroma_sample_location = AVCHROMA_LOC_CENTER;
    }
    if ((output_->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    ffmpeg::Options codec_options, container_options;
    for (const auto& [key, value] : spec_.encoder_options) codec_options.set(key.c_str(), value);
    for (const auto& [key, value] : spec_.container_options) container_options.set(key.c_str(), value);
    check(avcodec_open2(codec_.get(), codec, codec_options.get()));

    stream_ = ffmpeg::required(avformat_new_stream(output_.get(), nullptr));
    check(avcodec_parameters_from_context(stream_->codecpar, codec_.get()));
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = spec_.fps;
    stream_->sample_aspect_ratio = spec_.pixel_aspect;
    check(avio_open(&output_->pb, url.c_str(), AVIO_FLAG_WRITE));
    check(avformat_write_header(output_.get(), container_options.get()));

    frame_->format = codec_->pix_fmt;
    frame_->height = codec_->height;
    frame_->width = codec_->width;
    frame_->color_range = codec_->color_range;
    frame_->colorspace = codec_->colorspace;
    frame_->chroma_location = codec_->chroma_sample_location;
}

void Encoder::fill(const Image& picture) {
    // The encoder may still hold the last frame's buffers.
    if (!frame_->buf[0]) check(av_frame_get_buffer(frame_.get(), 0));
    check(av_frame_make_writable(frame_.get()));
    if (spec_.pixel_format == AV_PIX_FMT_YUV420P) {
        fill_yuv420(picture, *frame_);
    } else {
        fill_rows(picture, *frame_);
    }
    if (spec_.pixel_format == AV_PIX_FMT_PAL8) std::memcpy(frame_->data[1], palette_.data(), AVPALETTE_SIZE);
}

void Encoder::add(const Image& picture) {
    fill(picture);
    frame_->pts = av_rescale_q(count_++, av_inv_q(spec_.fps), codec_->time_base);
    send(frame_.get());
}

void Encoder::send(const AVFrame* frame) {
    check(avcodec_send_frame(codec_.get(), frame));
    for (;;) {
        const int code = avcodec_receive_packet(codec_.get(), packet_.get());
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
        check(code);
        if (packet_->duration <= 0)
            packet_->duration = av_rescale_q(1, av_inv_q(spec_.fps), codec_->time_base);
        packet_->stream_index = stream_->index;
        av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
        check(av_interleaved_write_frame(output_.get(), packet_.get()));
        check(output_->pb->error);
    }
}

void Encoder::finish() {
    send(nullptr);
    check(av_write_trailer(output_.get()));
    avio_flush(output_->pb);
    check(output_->pb->error);
    check(avio_closep(&output_->pb));
}

}  // namespace stl
