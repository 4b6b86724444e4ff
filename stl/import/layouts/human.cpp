#include "stl/import/layouts/human.h"

#include <charconv>
#include <map>
#include <sstream>

#include "stl/core/error.h"
#include "stl/import/layouts/pictures.h"

namespace stl {
namespace {

constexpr int side = 256;
constexpr std::int64_t frame_step = 5;

/// The first frames of the sequences of one clip, in the list's order.
struct Clip {
    std::string prefix;  ///< "images/S1_Directions.54138969_"
    std::vector<std::int64_t> firsts;
};

/// Clips in the order in which the list first names them.
std::vector<Clip> read_list(const fs::path& path) {
    std::vector<Clip> clips;
    std::map<std::string, std::size_t> known;
    std::istringstream lines(read_text(path));
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.empty() || line == "\r") continue;
        const auto comma = line.find(',');
        std::int64_t first = -1;
        if (comma != std::string::npos) std::from_chars(&line[comma + 1], line.data() + line.size(), first);
        if (comma == 0 || first < 0) {
            fail("{}: line {}: '{}', expected a name, a comma and the first frame's number", path.string(),
                 number, line.substr(0, 60));
        }
        const auto prefix = line.substr(0, comma);
        const auto [at, is_new] = known.try_emplace(prefix, clips.size());
        if (is_new) clips.push_back({prefix, {}});
        clips[at->second].firsts.push_back(first);
    }
    if (clips.empty()) fail("{}: names no sequence", path.string());
    return clips;
}

std::vector<std::uint8_t> read_frame(const LayoutJob& job, const std::string& prefix, std::int64_t number) {
    const auto path = job.options().folder / fmt::format("{}{:06}.jpg", prefix, number);
    const auto image = read_picture(path, 3);
    const bool blue_first = job.options().opencv_colors;
    if (image.height == side && image.width == side) return planes_of(image, blue_first);
    return planes_of(image, cubic_taps(image.height, side), cubic_taps(image.width, side), blue_first);
}

void import_clip(LayoutJob& job, const Clip& clip, Split split) {
    std::map<std::int64_t, std::int64_t> stored;  // frame's number in the clip -> in the file
    for (const auto first : clip.firsts) {
        for (std::int64_t t = 0; t < job.length(); ++t) stored[first + t * frame_step] = 0;
    }
    for (auto& [number, index] : stored) {
        index = job.frames();
        job.append(read_frame(job, clip.prefix, number));
    }
    std::vector<std::int64_t> window(static_cast<std::size_t>(job.length()));
    for (const auto first : clip.firsts) {
        for (std::size_t t = 0; t < window.size(); ++t) {
            window[t] = stored.at(first + static_cast<std::int64_t>(t) * frame_step);
        }
        job.add_window(window, split);
    }
}

}  // namespace

void import_human(LayoutJob& job) {
    const auto train = job.require("train.txt"), test = job.require("test.txt");
    job.require("images");
    job.create({1, 3, side, side}, DType::u8,
               {{"step", frame_step}, {"channels", job.options().opencv_colors ? "BGR" : "RGB"}});
    for (const auto& [list, split] : {std::pair(train, Split::train), std::pair(test, Split::test)}) {
        const auto clips = read_list(list);
        for (std::size_t i = 0; i < clips.size(); ++i) {
            job.progress(list.filename().string(), static_cast<std::int64_t>(i), std::ssize(clips));
            import_clip(job, clips[i], split);
            job.source_done();
        }
    }
}

}  // namespace stl
