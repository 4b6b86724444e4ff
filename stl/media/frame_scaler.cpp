#include "stl/media/frame_scaler.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

extern "C" {
#include <libswscale/swscale.h>
}

#include "stl/core/error.h"
#include "stl/media/colors.h"

namespace stl {
namespace {

const AVPixFmtDescriptor& descriptor(int format) {
    const AVPixFmtDescriptor* found = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
    if (!found) fail("a frame of unknown pixel format {}", format);
    return *found;
}

bool is_rgb(const AVPixFmtDescriptor& d) {
    return (d.flags & AV_PIX_FMT_FLAG_RGB) != 0;
}
bool is_gray(const AVPixFmtDescriptor& d) {
    return d.nb_components <= 2 && !is_rgb(d);
}
bool has_alpha(const AVPixFmtDescriptor& d) {
    return (d.flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
}

int sample_bytes(const AVComponentDescriptor& c) {
    return c.depth > 8 ? 2 : 1;
}

/// Whole bytes, or 16-bit words that belong to one component alone.
bool is_readable(const AVPixFmtDescriptor& d) {
    constexpr auto unreadable = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                                AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BE;
    if ((d.flags & unreadable) != 0 || std::string_view(d.name).starts_with("xyz")) return false;
    return std::all_of(d.comp, d.comp + d.nb_components, [](const AVComponentDescriptor& c) {
        if (c.depth == 8) return c.shift == 0;
        const bool alone = c.shift + c.depth == 16 || (c.shift == 0 && c.step == 2);
        return c.depth > 8 && c.depth <= 16 && alone && c.step % 2 == 0 && c.offset % 2 == 0;
    });
}

/// The nearest format that is readable.
AVPixelFormat readable_format(const AVPixFmtDescriptor& d, int format) {
    if ((d.flags & AV_PIX_FMT_FLAG_BE) != 0) {
        const AVPixelFormat swapped = av_pix_fmt_swap_endianness(static_cast<AVPixelFormat>(format));
        if (swapped != AV_PIX_FMT_NONE && is_readable(descriptor(swapped))) return swapped;
    }
    const bool alpha = has_alpha(d) || (d.flags & AV_PIX_FMT_FLAG_PAL) != 0;
    constexpr auto colored = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER;
    if ((d.flags & colored) != 0) return alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    if (is_gray(d)) return alpha ? AV_PIX_FMT_YA8 : AV_PIX_FMT_GRAY8;
    return alpha ? AV_PIX_FMT_YUVA444P : AV_PIX_FMT_YUV444P;
}

/// Where the stream does not say, players take BT.709 for high-definition pictures and BT.601 for smaller
/// ones.
ColorMatrix matrix_of(const AVFrame& frame) {
    switch (frame.colorspace) {
        case AVCOL_SPC_BT709:
            return bt709;
        case AVCOL_SPC_BT2020_NCL:
        case AVCOL_SPC_BT2020_CL:
            return bt2020;
        case AVCOL_SPC_BT470BG:
        case AVCOL_SPC_SMPTE170M:
            return bt601;
        case AVCOL_SPC_FCC:
            return {0.30F, 0.11F};
        case AVCOL_SPC_SMPTE240M:
            return {0.212F, 0.087F};
        default:
            return frame.height >= 720 || frame.width >= 1280 ? bt709 : bt601;
    }
}

bool is_full_range(const AVFrame& frame, const AVPixFmtDescriptor& d) {
    if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) return frame.color_range == AVCOL_RANGE_JPEG;
    return is_gray(d) || std::string_view(d.name).starts_with("yuvj");
}

std::uint8_t to_byte(float unit) {
    return static_cast<std::uint8_t>(std::clamp(unit * 255.0F + 0.5F, 0.0F, 255.0F));
}

/// What gray and RGB store for white; other pictures have ranges and curves of their own.
int white_of(const AVPixFmtDescriptor& d) {
    return (is_rgb(d) || is_gray(d)) && d.comp[0].depth > 8 ? (1 << d.comp[0].depth) - 1 : 255;
}

}  // namespace

Orientation orientation_of(const std::int32_t* m) {
    if (!m) return {};
    // A point (x, y) goes to (m0 x + m3 y, m1 x + m4 y); what is not a quarter turn becomes the nearest one.
    if (std::abs(std::int64_t{m[0]}) >= std::abs(std::int64_t{m[1]})) return {false, m[0] < 0, m[4] < 0};
    return {true, m[3] < 0, m[1] < 0};
}

/// What depends on the frame's size and format alone; in the frame's own orientation.
struct FrameScaler::Plan {
    int source_height = 0, source_width = 0, format = -1;
    bool transpose = false;
    AVRational aspect{0, 1};
    int height = 0, width = 0;            ///< of the picture inside the padding
    int full_height = 0, full_width = 0;  ///< of the result
    struct Taps {
        AxisTaps vertical, horizontal;
    } luma, chroma;

    bool fits(const AVFrame& frame, bool turned, AVRational a) const {
        return frame.height == source_height && frame.width == source_width && frame.format == format &&
               turned == transpose && a.num == aspect.num && a.den == aspect.den;
    }
};

void FrameScaler::ContextCloser::operator()(SwsContext* context) const {
    sws_freeContext(context);
}

FrameScaler::FrameScaler(int height, int width, int channels, Fit fit, bool deep)
    : height_(height),
      width_(width),
      channels_(channels),
      fit_(fit),
      deep_(deep),
      plan_(std::make_unique<Plan>()) {}
FrameScaler::~FrameScaler() = default;
FrameScaler::FrameScaler(FrameScaler&&) noexcept = default;

Picture FrameScaler::scale(const AVFrame& source, const Orientation& orientation, AVRational aspect) {
    if (source.height <= 0 || source.width <= 0) fail("an empty frame");
    if (height_ == 0 || width_ == 0) {
        height_ = orientation.transpose ? source.width : source.height;
        width_ = orientation.transpose ? source.height : source.width;
    }
    const AVFrame& frame = readable(source);
    if (!plan_->fits(frame, orientation.transpose, aspect)) make_plan(frame, orientation.transpose, aspect);
    resize_components(frame);
    const int white = white_of(descriptor(frame.format));
    if (deep_ && white > 255) {
        const auto top = static_cast<float>(white);
        const auto deep = colored<float>(frame, top, [top](float v) { return std::clamp(v, 0.0F, top); });
        return {{}, padded(oriented(deep, orientation), height_, width_), white};
    }
    const auto image = colored<std::uint8_t>(frame, 1, to_byte);
    return {padded(oriented(image, orientation), height_, width_), {}, white};
}

const AVFrame& FrameScaler::readable(const AVFrame& frame) {
    const AVPixFmtDescriptor& d = descriptor(frame.format);
    if (is_readable(d)) return frame;
    const auto from = static_cast<AVPixelFormat>(frame.format);
    const AVPixelFormat to = readable_format(d, frame.format);
    const int w = frame.width, h = frame.height;
    converter_.reset(sws_getCachedContext(converter_.release(), w, h, from, w, h, to,
                                          SWS_POINT | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr, nullptr,
                                          nullptr));
    if (!converter_) fail("frames of pixel format {} can't be read", d.name);
    const int* coefficients = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(converter_.get(), coefficients, 1, coefficients, 1, 0, 1 << 16, 1 << 16);
    if (!converted_) converted_ = ffmpeg::make_frame();
    if (converted_->width != w || converted_->height != h || converted_->format != to) {
        av_frame_unref(converted_.get());
        converted_->width = w;
        converted_->height = h;
        converted_->format = to;
        if (av_frame_get_buffer(converted_.get(), 0) < 0) throw std::bad_alloc();
    }
    converted_->colorspace = frame.colorspace;
    converted_->color_range = frame.color_range;
    if (sws_scale(converter_.get(), frame.data, frame.linesize, 0, h, converted_->data,
                  converted_->linesize) < 0) {
        fail("frames of pixel format {} can't be read", d.name);
    }
    return *converted_;
}

void FrameScaler::make_plan(const AVFrame& frame, bool transpose, AVRational aspect) {
    Plan& p = *plan_;
    p.source_height = frame.height;
    p.source_width = frame.width;
    p.format = frame.format;
    p.transpose = transpose;
    p.aspect = aspect;
    p.full_height = transpose ? width_ : height_;
    p.full_width = transpose ? height_ : width_;
    const double pixel = aspect.num > 0 && aspect.den > 0 ? av_q2d(aspect) : 1.0;
    const FitPlan part = plan_fit(fit_, frame.height, frame.width, pixel, p.full_height, p.full_width);
    p.height = part.height;
    p.width = part.width;
    const auto taps = [&](int log2_h, int log2_w) -> Plan::Taps {
        const double sh = 1 << log2_h, sw = 1 << log2_w;
        return {make_taps(AV_CEIL_RSHIFT(frame.height, log2_h), part.top / sh, part.bottom / sh, p.height),
                make_taps(AV_CEIL_RSHIFT(frame.width, log2_w), part.left / sw, part.right / sw, p.width)};
    };
    const AVPixFmtDescriptor& d = descriptor(frame.format);
    p.luma = taps(0, 0);
    p.chroma = taps(d.log2_chroma_h, d.log2_chroma_w);
}

void FrameScaler::resize_components(const AVFrame& frame) {
    const AVPixFmtDescriptor& d = descriptor(frame.format);
    const auto count = static_cast<std::size_t>(plan_->height) * static_cast<std::size_t>(plan_->width);
    const bool color_unused = channels_ == 1 && !is_rgb(d) && !is_gray(d);
    const AVComponentDescriptor* done = nullptr;  // whose plane lies in interleaved_
    for (int i = 0; i < d.nb_components; ++i) {
        const bool chroma = !is_rgb(d) && !is_gray(d) && (i == 1 || i == 2);
        if (chroma && color_unused) continue;
        const AVComponentDescriptor& c = d.comp[i];
        const int bytes = sample_bytes(c), n = c.step / bytes;
        if (!done || done->plane != c.plane || done->step != c.step) {
            const auto& taps = chroma ? plan_->chroma : plan_->luma;
            const PlaneView view{frame.data[c.plane],
                                 frame.linesize[c.plane],
                                 AV_CEIL_RSHIFT(frame.height, chroma ? d.log2_chroma_h : 0),
                                 AV_CEIL_RSHIFT(frame.width, chroma ? d.log2_chroma_w : 0),
                                 n,
                                 bytes == 2};
            interleaved_.resize(count * static_cast<std::size_t>(n));
            resize_plane(view, taps.vertical, taps.horizontal, scratch_, interleaved_);
            done = &c;
        }
        auto& out = components_[static_cast<std::size_t>(i)];
        if (n == 1) {
            std::swap(out, interleaved_);
            done = nullptr;
        } else {
            out.resize(count);
            const float* from = interleaved_.data() + c.offset / bytes;
            for (std::size_t k = 0; k < count; ++k) out[k] = from[k * static_cast<std::size_t>(n)];
        }
        if (c.shift > 0) {
            const float unit = 1.0F / static_cast<float>(1 << c.shift);
            for (float& v : out) v *= unit;
        }
    }
}

template <class Value, class Convert>
BasicImage<Value> FrameScaler::colored(const AVFrame& frame, float white, const Convert& value) const {
    const AVPixFmtDescriptor& d = descriptor(frame.format);
    const bool rgb = is_rgb(d), gray = is_gray(d);
    const CodeRange range = code_range(rgb || is_full_range(frame, d), d.comp[0].depth, white);
    const ColorMatrix matrix = matrix_of(frame);
    const int alpha_index = has_alpha(d) ? d.nb_components - 1 : -1;
    const float alpha_top = alpha_index < 0 ? 1 : static_cast<float>((1 << d.comp[alpha_index].depth) - 1);

    BasicImage<Value> out(plan_->height, plan_->width, channels_);
    Value* to = out.pixels.data();
    const std::size_t count = out.pixels.size() / static_cast<std::size_t>(channels_);
    for (std::size_t i = 0; i < count; ++i) {
        const float y = (components_[0][i] - range.y_zero) * range.y_scale;
        Rgb color{y, y, y};
        if (rgb) {
            color.g = components_[1][i] * range.y_scale;
            color.b = components_[2][i] * range.y_scale;
        } else if (!gray && channels_ == 3) {
            color = to_rgb(y, (components_[1][i] - range.c_zero) * range.c_scale,
                           (components_[2][i] - range.c_zero) * range.c_scale, matrix);
        }
        const float alpha =
            alpha_index < 0 ? 1 : components_[static_cast<std::size_t>(alpha_index)][i] / alpha_top;
        if (channels_ == 1) {
            *to++ = value(alpha * (rgb ? to_ycc(color, bt601).y : y));
        } else {
            *to++ = value(alpha * color.r);
            *to++ = value(alpha * color.g);
            *to++ = value(alpha * color.b);
        }
    }
    return out;
}

}  // namespace stl
