#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "stl/core/error.h"
#include "stl/media/file_decoder.h"
#include "stl/media/frame_scaler.h"
#include "stl/media/frame_source.h"
#include "stl/media/second_film.h"
#include "stl/media/time_stamps.h"

namespace stl {
namespace {

/// What a decoded frame says of itself that is not made good here.
class FrameRemarks {
  public:
    void note(const AVFrame& frame) {
        if (frame.color_trc == AVCOL_TRC_SMPTE2084) curve_ = "PQ";
        if (frame.color_trc == AVCOL_TRC_ARIB_STD_B67) curve_ = "HLG";
        interlaced_ = interlaced_ || is_interlaced(frame);
        if (bits_ == 0) bits_ = bits_of_color(frame);
    }

    std::vector<std::string> lines() const {
        std::vector<std::string> lines;
        if (!curve_.empty()) {
            lines.push_back(fmt::format(
                "is HDR (the {} curve) and read without tone mapping, so its contrast differs from that "
                "of other videos; convert it with FFmpeg's filter tonemap first",
                curve_));
        }
        if (bits_ > 8) lines.push_back(fmt::format("has colours of {} bits, of which 8 are kept", bits_));
        if (interlaced_) {
            lines.emplace_back(
                "is interlaced, so moving edges show combing; convert it with FFmpeg's filter bwdif first");
        }
        return lines;
    }

  private:
    static bool is_interlaced(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
        return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
        return frame.interlaced_frame != 0;
#endif
    }

    /// Of YUV, which always becomes 8 bits; gray and RGB may keep theirs (VideoOptions::deep).
    static int bits_of_color(const AVFrame& frame) {
        const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
        return d && d->nb_components > 2 && (d->flags & AV_PIX_FMT_FLAG_RGB) == 0 ? d->comp[0].depth : 8;
    }

    std::string_view curve_;
    int bits_ = 0;
    bool interlaced_ = false;
};

class FileSource : public FrameSource {
  public:
    FileSource(const fs::path& path, const VideoOptions& options)
        : path_(path),
          options_(options),
          decoder_(open()),
          scaler_(options.height, options.width, options.channels, options.fit, options.deep),
          evenness_(decoder_->fps(), decoder_->tick()) {
        if (options.start.value_or(0) > 0) go_to(*options.start);
    }

    std::optional<SourceFrame> next() override {
        const AVFrame* frame = waiting_ ? waiting_ : behind_film() ? nullptr : decoder_->next();
        waiting_ = nullptr;
        if (!frame) {
            ended_ = true;
            if (decoder_->frames_given() == 0 && !sought_) {
                fail("{}: not one frame can be decoded{}", path_.string(),
                     decoder_->complaint().empty() ? "" : " (" + decoder_->complaint() + ")");
            }
            return std::nullopt;
        }
        remarks_.note(*frame);
        const bool resized = sizes_.changes(frame->height, frame->width);
        evenness_.add(decoder_->time(), !decoder_->after_gap());
        const std::shared_ptr<AVFrame> copy(ffmpeg::required(av_frame_clone(frame)), ffmpeg::Closer());
        const auto turn = decoder_->orientation();
        return SourceFrame{.time = decoder_->time(),
                           .duration = decoder_->frame_duration(),
                           .after_gap = decoder_->after_gap() || resized,
                           .height = turn.transpose ? frame->width : frame->height,
                           .width = turn.transpose ? frame->height : frame->width,
                           .picture = [this, copy, turn, aspect = decoder_->pixel_aspect()] {
                               return scaler_.scale(*copy, turn, aspect);
                           }};
    }

    VideoInfo info() const override {
        const AVCodecParameters& p = *decoder_->stream().codecpar;
        const bool turned = decoder_->orientation().transpose;
        const AVRational stored = decoder_->pixel_aspect();
        const double aspect = stored.num > 0 && stored.den > 0 ? av_q2d(stored) : 1;
        return {turned ? p.width : p.height, turned ? p.height : p.width, decoder_->fps(),
                decoder_->total_duration(),  decoder_->frames_stored(),   decoder_->format(),
                turned ? 1 / aspect : aspect};
    }

    Damage damage() const override {
        Damage damage;
        damage.frames = decoder_->frames_damaged();
        damage.complaints = decoder_->complaints();
        damage.message = decoder_->complaint();
        damage.of = decoder_->frames_stored();
        damage.size_change = sizes_.first_change();
        damage.remarks = remarks_.lines();
        if (ended_ && decoder_->seconds_missing() > 0) {
            damage.ends_early = decoder_->seconds_missing();
            damage.frames += decoder_->frames_missing();
        }
        if (ended_) damage.second_film = second_film(path_).bytes;
        // A frame may be noted twice: as damaged, and as time that passed.
        if (ended_ && !sought_ && damage.of > 0)
            damage.frames =
                std::min(damage.frames, std::max<std::int64_t>(damage.of - decoder_->frames_given(), 0));
        return damage;
    }

    Timing timing() const override { return evenness_.timing(); }

  private:
    /// Some versions of FFmpeg read a second GIF behind the first, which players do not.
    bool behind_film() {
        if (!film_frames_)
            film_frames_ = decoder_->format().ends_with("in gif") ? second_film(path_).frames_before : 0;
        return *film_frames_ > 0 && !sought_ && decoder_->frames_given() >= *film_frames_;
    }

    std::unique_ptr<FileDecoder> open() const { return std::make_unique<FileDecoder>(path_, options_); }

    /// Seeking lands at a key frame before the time, except where a container's index is poor: then from
    /// earlier.
    void go_to(double seconds) {
        for (const double back : {0.0, 10.0, 60.0}) {
            if (seconds <= back || !decoder_->seek(seconds - back)) break;
            sought_ = true;
            waiting_ = decoder_->next();
            if (waiting_ && decoder_->time() <= seconds + decoder_->frame_duration() / 2) return;
        }
        // From the very beginning.
        waiting_ = nullptr;
        if (sought_) decoder_ = open();
        sought_ = false;
    }

    fs::path path_;
    VideoOptions options_;
    std::unique_ptr<FileDecoder> decoder_;
    FrameScaler scaler_;
    FrameSizes sizes_;
    Evenness evenness_;
    FrameRemarks remarks_;
    const AVFrame* waiting_ = nullptr;         ///< decoded already
    std::optional<std::int64_t> film_frames_;  ///< of the first film, where another follows; 0: none does
    bool sought_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<FrameSource> open_file_source(const fs::path& path, const VideoOptions& options) {
    return std::make_unique<FileSource>(path, options);
}

}  // namespace stl
