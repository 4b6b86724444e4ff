#include "stl/media/video_reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/frame_source.h"
#include "stl/media/picture_stack.h"

namespace stl {
namespace {

void check(const VideoOptions& o, const fs::path& path) {
    const std::string where = path.string();
    if (o.height < 0 || o.width < 0) fail("{}: size {}x{}: not a valid size", where, o.width, o.height);
    if (o.height > 0 && o.width > o.max_pixels / o.height) {
        fail("{}: size {}x{}: the limit is {} pixels (--max-pixels raises it)", where, o.width, o.height,
             o.max_pixels);
    }
    if (o.channels != 1 && o.channels != 3) fail("{}: {} channels, expected 1 or 3", where, o.channels);
    if (!(o.fps >= 0 && o.fps <= 1000)) fail("{}: {} frames per second, expected 0 to 1000", where, o.fps);
    if (o.start && o.end && !(*o.start < *o.end)) {
        fail("{}: start {} s is not before end {} s", where, *o.start, *o.end);
    }
}

}  // namespace

std::string to_string(const Damage& damage, const fs::path& path) {
    std::vector<std::string> parts = damage.remarks;
    if (!damage.size_change.empty())
        parts.push_back(fmt::format("the frame size changes ({}); all frames are scaled to one size",
                                    damage.size_change));
    if (damage.second_film > 0) {
        parts.push_back(fmt::format(
            "{} after the end of the video belong to another one, which is not read; split the file",
            counted(damage.second_film, "byte")));
    }
    if (damage.ends_early > 0) parts.push_back(fmt::format("ends {:.1f} s early", damage.ends_early));
    if (damage.frames > 0) {
        const std::string frames = damage.of > 0 ? fmt::format("{} of {} frames", damage.frames, damage.of)
                                                 : counted(damage.frames, "frame");
        parts.push_back(frames + (damage.frames == 1 ? " is" : " are") + " damaged or missing and left out");
    } else if (damage.ends_early <= 0 && damage.complaints > 0) {
        parts.push_back(
            fmt::format("read to its end, but the decoder reported errors {}",
                        damage.complaints == 1 ? "once" : fmt::format("{} times", damage.complaints)));
    }
    const std::string reason = damage.message.empty() ? "" : " (" + damage.message + ")";
    return fmt::format("{}: {}{}", path.string(), fmt::join(parts, "; "), reason);
}

std::string to_string(const Timing& timing) {
    if (!timing.uneven) return "";
    return fmt::format("uneven ({:.3f} to {:.3f} s from frame to frame)", timing.shortest, timing.longest);
}

bool FrameSizes::changes(int height, int width) {
    const bool changed = height_ > 0 && (height != height_ || width != width_);
    if (changed && first_change_.empty())
        first_change_ = fmt::format("{}x{}, then {}x{}", width_, height_, width, height);
    height_ = height;
    width_ = width;
    return changed;
}

namespace {

std::unique_ptr<FrameSource> open_source(const fs::path& path, const VideoOptions& options) {
    if (fs::is_directory(path)) return open_folder_source(path, options);
    const PictureStack stack = stack_of(path);
    if (stack.kind == PictureStack::Kind::tiff) return open_stack_source(path, options);
    if (stack.kind == PictureStack::Kind::webp && !av_find_input_format("webp_anim")) {
        fail("{}: holds {}, which this FFmpeg can't read; save it as GIF, APNG or video", path.string(),
             contents_of(stack));
    }
    return open_file_source(path, options);
}

}  // namespace

/// Passes frames on as stored, or picks for each slot k / fps the last frame whose rounded slot is not after
/// it.
class VideoReader::Impl {
  public:
    Impl(const fs::path& path, const VideoOptions& options) : options_(options) {
        check(options, path);
        source_ = open_source(path, options);
        info_ = source_->info();
        if (options.fps > 0) info_.fps = options.fps;
        if (options.fps > 0 && options.start) slot_ = slot_of(*options.start);
    }

    const VideoInfo& info() const { return info_; }
    Damage damage() const { return source_->damage(); }
    Timing timing() const { return source_->timing(); }
    std::optional<Frame> next() { return options_.fps > 0 ? next_slot() : next_stored(); }
    std::optional<FrameOutline> skip() {
        if (auto frame = next_source()) return FrameOutline{frame->time, frame->height, frame->width};
        return std::nullopt;
    }

  private:
    static constexpr double tiny = 1e-6;

    /// The nearest; of two alike the later one, also where the time stamp is a millisecond (as in Matroska)
    /// or a rounding error short of the middle: at half a clip's rate every step is one of two frames.
    std::int64_t slot_of(double time) const {
        const double slack = std::min(1e-3 * options_.fps, 0.05);
        return static_cast<std::int64_t>(std::floor(time * options_.fps + 0.5 + slack));
    }

    /// Whether so much time passes that two frames in a row show no motion any more.
    bool is_pause(double step) const {
        const double fps = info_.fps;
        return fps > 0 && step > std::max(1.0, 10 / fps);
    }

    std::optional<Frame> next_stored() {
        if (auto frame = next_source()) return Frame{frame->picture(), frame->time, frame->after_gap};
        return std::nullopt;
    }

    std::optional<SourceFrame> next_source() {
        while (!ended_) {
            auto frame = source_->next();
            if (!frame || (options_.end && frame->time >= *options_.end - tiny)) break;
            const bool paused = last_time_ && is_pause(frame->time - *last_time_);
            last_time_ = frame->time;
            if (frame->time < options_.start.value_or(0) - tiny) continue;
            frame->after_gap = frame->after_gap || paused;
            return frame;
        }
        end();
        return std::nullopt;
    }

    /// The length is that which was read, where more was there than stated.
    void end() {
        ended_ = true;
        info_.duration = source_->info().duration;
    }

    std::optional<Frame> next_slot() {
        while (slot_ >= shown_until_) {
            if (!advance()) return std::nullopt;
        }
        const double time = static_cast<double>(slot_) / options_.fps;
        if (options_.end && time >= *options_.end - tiny) return std::nullopt;
        if (!picture_) picture_ = held_->picture();
        ++slot_;
        return Frame{*picture_, time, std::exchange(gap_, false)};
    }

    /// Takes the next stored frame in hand; the one after it says until when it shows.
    bool advance() {
        if (ended_) return false;
        held_ = started_ ? std::exchange(ahead_, std::nullopt) : source_->next();
        picture_.reset();
        if (!held_) {
            end();
            return false;
        }
        if (slot_ < 0 || held_->after_gap) slot_ = std::max(slot_, slot_of(held_->time));
        gap_ = gap_ || held_->after_gap;
        ahead_ = source_->next();
        // Nothing is repeated over a gap.
        const bool goes_on = ahead_ && !ahead_->after_gap;
        shown_until_ = slot_of(goes_on ? ahead_->time : held_->time + held_->duration);
        if (!ahead_ && !started_)
            shown_until_ = std::max(shown_until_, slot_ + 1);  // the only frame shows once
        started_ = true;
        return true;
    }

    VideoOptions options_;
    std::unique_ptr<FrameSource> source_;
    VideoInfo info_;
    bool started_ = false, ended_ = false;
    std::optional<double> last_time_;  ///< of the stored frame before
    std::optional<SourceFrame> held_, ahead_;
    std::optional<Picture> picture_;  ///< of held_
    std::int64_t slot_ = -1;          ///< the next to give; -1: the first frame's
    std::int64_t shown_until_ = -1;   ///< the first slot after those of held_
    bool gap_ = false;
};

VideoReader::VideoReader(const fs::path& path, const VideoOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
const VideoInfo& VideoReader::info() const {
    return impl_->info();
}
std::optional<Frame> VideoReader::next() {
    return impl_->next();
}
std::optional<FrameOutline> VideoReader::skip() {
    return impl_->skip();
}
Damage VideoReader::damage() const {
    return impl_->damage();
}
Timing VideoReader::timing() const {
    return impl_->timing();
}

namespace {

/// The last frames of those that come one after the other, and the last ones without a gap between them.
class LastFrames {
  public:
    explicit LastFrames(std::int64_t count) : count_(static_cast<std::size_t>(count)) {}

    void add(Frame frame) {
        if (frame.after_gap) {
            if (unbroken_ >= count_) before_gap_ = last_;
            unbroken_ = 0;
        }
        ++unbroken_;
        if (last_.size() == count_) last_.pop_front();
        last_.push_back(std::move(frame));
    }
    bool found() const { return unbroken_ >= count_ || !before_gap_.empty(); }
    /// Whether a gap parts the last ones.
    bool broken() const { return last_.size() == count_ && unbroken_ < count_; }
    std::vector<Frame> take() {
        auto& from = broken() && !before_gap_.empty() ? before_gap_ : last_;
        return {std::make_move_iterator(from.begin()), std::make_move_iterator(from.end())};
    }

  private:
    std::size_t count_, unbroken_ = 0;
    std::deque<Frame> last_, before_gap_;
};

}  // namespace

std::vector<Frame> read_last_frames(const fs::path& path, std::int64_t count, const VideoOptions& options,
                                    Damage* damage, bool* earlier) {
    if (count <= 0) return {};
    const VideoInfo info = VideoReader(path, options).info();
    const double end = std::min(options.end.value_or(info.duration), info.duration);
    const double earliest = std::max(options.start.value_or(0), 0.0);
    double margin = info.fps > 0 ? 1.5 * static_cast<double>(count) / info.fps + 2 : end;
    for (;; margin *= 4) {
        VideoOptions attempt = options;
        double start = info.duration > 0 ? std::max(earliest, end - margin) : earliest;
        // On the clock of the whole clip, so that the same frames are repeated or left out.
        if (options.fps > 0 && start > earliest)
            start = std::max(earliest, std::floor((start - earliest) * options.fps) / options.fps + earliest);
        if (start > 0) attempt.start = start;
        VideoReader reader(path, attempt);
        LastFrames last(count);
        while (auto frame = reader.next()) last.add(std::move(*frame));
        if (!last.found() && start > earliest) continue;
        if (damage) *damage = reader.damage();
        if (earlier) *earlier = last.broken();
        return last.take();
    }
}

bool looks_like_video(const fs::path& path) {
    // What FFmpeg's demuxers and people call videos; other names are read where the user gives them.
    static constexpr std::array<std::string_view, 51> extensions{
        ".mp4",   ".m4v", ".mov", ".mkv",  ".webm", ".avi", ".mpg",  ".mpeg", ".ts",   ".mts", ".m2ts",
        ".wmv",   ".flv", ".3gp", ".ogv",  ".y4m",  ".gif", ".apng", ".h264", ".hevc", ".mxf", ".vob",
        ".m1v",   ".m2v", ".mpe", ".mpv",  ".mp2v", ".m2t", ".asf",  ".f4v",  ".ivf",  ".nut", ".rm",
        ".rmvb",  ".dv",  ".dif", ".3g2",  ".264",  ".265", ".h265", ".avc",  ".h26l", ".obu", ".mjpg",
        ".mjpeg", ".qt",  ".ogm", ".divx", ".amv",  ".wtv", ".fli"};
    return fs::is_directory(path) || is_picture_name(path) || has_extension(path, extensions);
}

}  // namespace stl
