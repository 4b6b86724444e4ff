#include <algorithm>
#include <deque>
#include <functional>
#include <future>

#include "stl/core/cores.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/media/frame_source.h"
#include "stl/media/picture_decoder.h"
#include "stl/media/picture_list.h"
#include "stl/media/tiff_pages.h"
#include "stl/media/time_stamps.h"

namespace stl {
namespace {

/// Pictures that are one film.
struct PictureFilm {
    std::size_t count = 0;
    std::function<DecodedPicture(std::size_t index, const PictureForm& form)> decode;
    std::function<bool(std::size_t index)> after_gap;
    std::string_view noun;  ///< "picture"
    std::vector<std::string> remarks = {};
    double fps = 0;                  ///< of its own; 0: not known
    std::vector<double> times = {};  ///< of its own, in seconds from the first; empty: evenly spaced
};

/// Pictures are independent of each other: several are decoded at once, a few ahead.
class PictureSource : public FrameSource {
  public:
    PictureSource(const fs::path& path, const VideoOptions& options, PictureFilm film)
        : path_(path), options_(options), film_(std::move(film)) {
        fps_ = options.folder_fps.value_or(film_.fps > 0 ? film_.fps : options.assumed_fps);
        if (!(fps_ > 0)) fail("{}: {} pictures per second is not a valid rate", path.string(), fps_);
        if (options.folder_fps) film_.times.clear();
        if (!film_.times.empty()) evenness_ = Evenness(fps_);
        ahead_ = static_cast<std::size_t>(options.threads > 0 ? options.threads : available_cores());
        if (options.start) {
            // One more picture before it for the rate.
            while (started_ < film_.count && time_of(started_ + 1) <= *options.start) ++started_;
        }
        given_ = started_;
    }

    std::optional<SourceFrame> next() override {
        while (given_ < film_.count) {
            if (options_.stop && options_.stop())
                throw Interrupted(fmt::format("{}: interrupted while it was read", path_.string()));
            fill();
            auto picture = std::move(pending_.front());
            pending_.pop_front();
            gap_ = gap_ || (given_ > started_ && film_.after_gap(given_));
            const double time = time_of(given_), duration = time_of(given_ + 1) - time;
            ++given_;
            try {
                DecodedPicture got = picture.get();
                gap_ = sizes_.changes(got.file_height, got.file_width) || gap_ || paused_before(given_ - 1);
                evenness_.add(time, !gap_);
                return SourceFrame{.time = time,
                                   .duration = duration,
                                   .after_gap = std::exchange(gap_, false),
                                   .height = got.picture.height(),
                                   .width = got.picture.width(),
                                   .picture = [picture = std::move(got.picture)] { return picture; }};
            } catch (const Interrupted&) {
                throw;
            } catch (const Shortage&) {
                throw;
            } catch (const Error& error) {
                if (damage_.message.empty()) damage_.message = error.what();
                ++damage_.frames;
                ++damage_.complaints;
                gap_ = true;
            }
        }
        if (damage_.frames > 0 && static_cast<std::size_t>(damage_.frames) == film_.count - started_) {
            fail("{}: not one {} can be decoded ({})", path_.string(), film_.noun, damage_.message);
        }
        return std::nullopt;
    }

    VideoInfo info() const override {
        const auto count = static_cast<std::int64_t>(film_.count);
        return {options_.height,      options_.width, fps_,
                time_of(film_.count), count,          counted(count, film_.noun)};
    }

    Damage damage() const override {
        Damage damage = damage_;
        damage.of = static_cast<std::int64_t>(film_.count);
        damage.size_change = sizes_.first_change();
        damage.remarks = film_.remarks;
        return damage;
    }

    Timing timing() const override { return evenness_.timing(); }

  private:
    /// As in a file's video: over a second and ten usual steps, unless frames are resampled.
    bool paused_before(std::size_t index) const {
        constexpr double usual_steps = 10;
        if (film_.times.empty() || index <= started_ || options_.fps > 0) return false;
        const double step = time_of(index) - time_of(index - 1);
        return step > 1 && step * fps_ > usual_steps;
    }

    /// In seconds; behind the last picture the usual step passes.
    double time_of(std::size_t index) const {
        const auto& times = film_.times;
        if (times.empty()) return static_cast<double>(index) / fps_;
        return index < times.size() ? times[index]
                                    : times.back() + static_cast<double>(index + 1 - times.size()) / fps_;
    }

    DecodedPicture read(std::size_t index, int height, int width) const {
        return film_.decode(index, {.height = height,
                                    .width = width,
                                    .channels = options_.channels,
                                    .deep = options_.deep,
                                    .fit = options_.fit,
                                    .max_pixels = options_.max_pixels});
    }

    void fill() {
        if (options_.height == 0 || options_.width == 0) {
            // The first one that can be read gives the size of all.
            std::promise<DecodedPicture> ready;
            pending_.push_back(ready.get_future());
            try {
                DecodedPicture first = read(given_, 0, 0);
                options_.height = first.picture.height();
                options_.width = first.picture.width();
                ready.set_value(std::move(first));
            } catch (const Error&) {
                ready.set_exception(std::current_exception());
            }
            return;
        }
        while (pending_.size() < ahead_ && given_ + pending_.size() < film_.count) {
            pending_.push_back(
                std::async(std::launch::async, [this, index = given_ + pending_.size(), h = options_.height,
                                                w = options_.width] { return read(index, h, w); }));
        }
    }

    fs::path path_;
    VideoOptions options_;
    PictureFilm film_;
    double fps_ = 0;
    Evenness evenness_;
    std::size_t ahead_ = 1, started_ = 0, given_ = 0;
    Damage damage_;
    FrameSizes sizes_;
    bool gap_ = false;
    std::deque<std::future<DecodedPicture>>
        pending_;  ///< of the pictures from given_ on; last, so that it goes first
};

}  // namespace

std::unique_ptr<FrameSource> open_folder_source(const fs::path& path, const VideoOptions& options) {
    const auto list = std::make_shared<const PictureList>(read_picture_list(path));
    const auto& pictures = list->pictures;
    if (pictures.empty()) {
        fail("{}: no pictures in this folder{}{}", path.string(), kind_hint(path),
             list->remarks.empty() ? "" : fmt::format(" ({})", fmt::join(list->remarks, "; ")));
    }
    return std::make_unique<PictureSource>(
        path, options,
        PictureFilm{pictures.size(),
                    [list](std::size_t i, const PictureForm& form) {
                        return decode_picture(list->pictures[i].path, form);
                    },
                    [list](std::size_t i) { return list->pictures[i].after_gap; }, "picture", list->remarks});
}

std::unique_ptr<FrameSource> open_stack_source(const fs::path& path, const VideoOptions& options) {
    const auto pages = std::make_shared<const TiffPages>(path, options.stream);
    return std::make_unique<PictureSource>(
        path, options,
        PictureFilm{pages->count(),
                    [pages](std::size_t i, const PictureForm& form) { return pages->decode(i, form); },
                    [](std::size_t) { return false; }, "page", pages->remarks(), pages->fps(),
                    pages->times()});
}

}  // namespace stl
