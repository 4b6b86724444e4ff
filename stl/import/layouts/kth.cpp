#include "stl/import/layouts/kth.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

#include "stl/core/error.h"
#include "stl/import/layouts/pictures.h"
#include "stl/media/natural_order.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

constexpr int side = 128;

struct Action {
    const char* name;
    std::int64_t stride;  ///< 0: the sequences' length
};
constexpr Action actions[] = {{"boxing", 0},  {"handclapping", 0}, {"handwaving", 0},
                              {"walking", 0}, {"jogging", 3},      {"running", 3}};

/// The number that `text` begins with.
std::optional<int> leading_number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end != text.data() ? std::optional(value) : std::nullopt;
}

struct Clip {
    fs::path path;
    Split split = Split::train;
};

/// "person07_..." and what it is for. Error: persons that there are not.
std::optional<Clip> clip_of(const fs::path& path) {
    const auto name = path.filename().string();
    if (!name.starts_with("person")) return std::nullopt;
    const auto person = leading_number(std::string_view(name).substr(6));
    if (!person || *person < 1 || *person > 25) {
        fail("{}: expected a name such as person01_{}_d1, persons 01 to 25", path.string(),
             path.parent_path().filename().string());
    }
    return Clip{path, *person <= 16 ? Split::train : Split::test};
}

std::vector<Clip> clips_of(const fs::path& action) {
    std::vector<Clip> clips;
    for (const auto& entry : fs::directory_iterator(action)) {
        if (auto clip = clip_of(entry.path())) clips.push_back(*std::move(clip));
    }
    if (clips.empty()) fail("{}: no personNN_* in this folder", action.string());
    std::ranges::sort(clips, [](const Clip& a, const Clip& b) {
        return natural_less(a.path.filename().string(), b.path.filename().string());
    });
    return clips;
}

using Ranges = std::vector<std::pair<int, int>>;

/// Of 00sequences.txt: "person01_boxing_d1    frames    1-95, 96-185, ..."; empty without the file.
std::map<std::string, Ranges> read_ranges(const fs::path& folder) {
    std::map<std::string, Ranges> ranges;
    const auto file = folder / "00sequences.txt";
    if (!fs::exists(file)) return ranges;
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string name, word;
        if (!(words >> name) || !name.starts_with("person")) continue;
        while (words >> word) {
            const auto dash = word.find('-');
            if (dash == std::string::npos) continue;
            const auto from = leading_number(word),
                       to = leading_number(std::string_view(word).substr(dash + 1));
            if (!from || !to || *from > *to) fail("{}: '{}' of {} is not a range", file.string(), word, name);
            ranges[name].emplace_back(*from, *to);
        }
    }
    return ranges;
}

/// Puts the frames of one clip into the file, and sequences over every run of consecutive ones.
class ClipReader {
  public:
    ClipReader(LayoutJob& job, std::int64_t stride, Split split)
        : job_(job), stride_(stride), split_(split), run_(job.frames()) {}

    void add(int number, const Image& image) {
        if (number != last_ + 1) end_run();
        last_ = number;
        job_.append(planes_of(image, linear_taps(image.height, side), linear_taps(image.width, side)));
    }
    void end_run() {
        const auto count = job_.frames() - run_;
        for (const auto start : starts_from_end(count, job_.length(), stride_)) {
            job_.add_window(run_ + start, split_);
        }
        run_ = job_.frames();
    }

  private:
    LayoutJob& job_;
    std::int64_t stride_;
    Split split_;
    std::int64_t run_;  ///< its first frame
    int last_ = -1;
};

void read_folder(const fs::path& folder, ClipReader& reader) {
    int pictures = 0;
    for (const auto& path : list_pictures(folder)) {
        const auto name = path.stem().string();
        if (!name.starts_with("image")) continue;
        const auto number = name.size() > 6 ? leading_number(std::string_view(name).substr(6)) : std::nullopt;
        if (!number) fail("{}: expected a name such as image_0001.jpg", path.string());
        reader.add(*number, read_picture(path, 1));
        ++pictures;
    }
    if (pictures == 0) fail("{}: no image_NNNN.jpg in this folder", folder.string());
    reader.end_run();
}

void read_video(const fs::path& path, const Ranges* ranges, ClipReader& reader, LayoutJob& job) {
    VideoOptions options;
    options.channels = 1;
    options.stop = job.stop();
    VideoReader video(path, options);
    for (int number = 1; const auto frame = video.next(); ++number) {
        const auto inside = [&](const auto& range) {
            return number >= range.first && number <= range.second;
        };
        if (ranges && !std::ranges::any_of(*ranges, inside)) continue;
        if (frame->after_gap) reader.end_run();
        reader.add(number, frame->image);
    }
    reader.end_run();
    if (const auto damage = video.damage(); damage.any()) job.warn(to_string(damage, path));
}

/// "person01_boxing_d1" of "person01_boxing_d1_uncomp.avi"
std::string clip_name(const fs::path& path) {
    const auto stem = path.stem().string();
    return stem.substr(0, stem.find("_uncomp"));
}

}  // namespace

void import_kth(LayoutJob& job) {
    for (const auto& action : actions) job.require(action.name);
    const auto ranges = read_ranges(job.options().folder);
    bool any_video = false;
    job.create({1, 1, side, side}, DType::u8);
    for (const auto& action : actions) {
        const auto clips = clips_of(job.require(action.name));
        for (std::size_t i = 0; i < clips.size(); ++i) {
            const auto& clip = clips[i];
            job.progress(action.name, static_cast<std::int64_t>(i), std::ssize(clips));
            ClipReader reader(job, action.stride > 0 ? action.stride : job.length(), clip.split);
            if (fs::is_directory(clip.path)) {
                read_folder(clip.path, reader);
            } else {
                any_video = true;
                const auto known = ranges.find(clip_name(clip.path));
                read_video(clip.path, known == ranges.end() ? nullptr : &known->second, reader, job);
            }
            job.source_done();
        }
    }
    if (any_video && ranges.empty()) {
        job.warn(fmt::format(
            "{}: the authors' 00sequences.txt is missing, so frames that show nobody are kept, too",
            job.options().folder.string()));
    }
}

}  // namespace stl
