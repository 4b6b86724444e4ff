#include <algorithm>
#include <deque>
#include <future>
#include <thread>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/media/frame_source.h"
#include "stl/media/picture_decoder.h"

namespace stl {
namespace {

/// Pictures are independent of each other: several are decoded at once, a few ahead.
class FolderSource : public FrameSource {
  public:
    FolderSource(const fs::path& path, const VideoOptions& options)
        : path_(path), options_(options), files_(list_pictures(path)) {
        if (files_.empty()) fail("{}: no pictures in this folder{}", path.string(), kind_hint(path));
        if (!(options.folder_fps > 0))
            fail("{}: {} pictures a second: no such rate", path.string(), options.folder_fps);
        const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
        ahead_ = static_cast<std::size_t>(options.threads > 0 ? options.threads : static_cast<int>(cores));
        if (options.start) {
            const double first =
                *options.start * options.folder_fps;  // one more picture before it for the rate
            started_ = std::min(files_.size(), static_cast<std::size_t>(std::max(0.0, first - 1)));
        }
        given_ = started_;
    }

    std::optional<SourceFrame> next() override {
        while (given_ < files_.size()) {
            if (options_.stop && options_.stop())
                throw Interrupted(fmt::format("{}: interrupted while it was read", path_.string()));
            fill();
            auto picture = std::move(pending_.front());
            pending_.pop_front();
            const double time = static_cast<double>(given_++) / options_.folder_fps;
            try {
                DecodedPicture got = picture.get();
                gap_ = sizes_.changes(got.file_height, got.file_width) || gap_;
                return SourceFrame{time, 1 / options_.folder_fps, std::exchange(gap_, false),
                                   [image = std::move(got.image)] { return image; }};
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
        if (damage_.frames > 0 && static_cast<std::size_t>(damage_.frames) == files_.size() - started_) {
            fail("{}: not one picture can be decoded ({})", path_.string(), damage_.message);
        }
        return std::nullopt;
    }

    VideoInfo info() const override {
        const auto count = static_cast<std::int64_t>(files_.size());
        return {options_.height,
                options_.width,
                options_.folder_fps,
                static_cast<double>(count) / options_.folder_fps,
                count,
                fmt::format("{} pictures", count)};
    }

    Damage damage() const override {
        Damage damage = damage_;
        damage.of = static_cast<std::int64_t>(files_.size());
        damage.size_change = sizes_.first_change();
        return damage;
    }

  private:
    DecodedPicture read(std::size_t index, int height, int width) const {
        return decode_picture(files_[index],
                              {height, width, options_.channels, options_.fit, options_.max_pixels});
    }

    void fill() {
        if (options_.height == 0 || options_.width == 0) {
            // The first one that can be read gives the size of all.
            std::promise<DecodedPicture> ready;
            pending_.push_back(ready.get_future());
            try {
                DecodedPicture first = read(given_, 0, 0);
                options_.height = first.image.height;
                options_.width = first.image.width;
                ready.set_value(std::move(first));
            } catch (const Error&) {
                ready.set_exception(std::current_exception());
            }
            return;
        }
        while (pending_.size() < ahead_ && given_ + pending_.size() < files_.size()) {
            pending_.push_back(
                std::async(std::launch::async, [this, index = given_ + pending_.size(), h = options_.height,
                                                w = options_.width] { return read(index, h, w); }));
        }
    }

    fs::path path_;
    VideoOptions options_;
    std::vector<fs::path> files_;
    std::size_t ahead_ = 1, started_ = 0, given_ = 0;
    Damage damage_;
    FrameSizes sizes_;
    bool gap_ = false;
    std::deque<std::future<DecodedPicture>> pending_;  ///< of files_[given_...]; last, so that it goes first
};

}  // namespace

std::unique_ptr<FrameSource> open_folder_source(const fs::path& path, const VideoOptions& options) {
    return std::make_unique<FolderSource>(path, options);
}

}  // namespace stl
