#include "stl/import/sources.h"

#include <glob.h>

#include <algorithm>
#include <set>
#include <utility>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/natural_order.h"
#include "stl/media/picture_list.h"
#include "stl/media/picture_stack.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

bool is_hidden(const fs::path& path) {
    return path.filename().string().starts_with('.');
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ec;
    for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
        if (!is_hidden(at->path())) found.push_back(at->path());
    }
    if (ec) fail("{}: cannot be read ({})", folder.string(), ec.message());
    std::sort(found.begin(), found.end(),
              [](const fs::path& a, const fs::path& b) { return natural_less(a.string(), b.string()); });
    return found;
}

using Warn = std::function<void(const std::string&)>;

/// Searches folders, each once.
class Search {
  public:
    Search(std::vector<ImportSource>& out, const Warn& warn) : out_(out), warn_(warn) {}

    void run(const fs::path& folder) {
        std::error_code ec;
        const fs::path real = fs::canonical(folder, ec);
        if (!ec && !searched_.insert(real).second) return;
        const auto list = read_picture_list(folder);
        add_pictures(folder, list.pictures);
        // If there are pictures, their reader reports the remarks.
        if (list.pictures.empty()) tell(folder, list.remarks);
        for (const auto& path : entries(folder)) {
            if (leads_nowhere(path)) {
                if (!is_picture_name(path)) tell(path, {"a dangling link, skipped"});
            } else if (fs::is_directory(path)) {
                if (!leads_around(path, real)) run(path);
            } else if (is_array_name(path)) {
                out_.push_back({ImportSource::Kind::array, path});
            } else if (looks_like_video(path) && !is_picture_name(path)) {
                out_.push_back({ImportSource::Kind::video, path});
            }
        }
    }

  private:
    void tell(const fs::path& path, const std::vector<std::string>& lines) const {
        if (warn_ && !lines.empty()) warn_(fmt::format("{}: {}", path.string(), fmt::join(lines, "; ")));
    }

    static bool leads_nowhere(const fs::path& path) {
        std::error_code ec;
        return fs::is_symlink(path, ec) && !fs::exists(path, ec);
    }

    /// Whether a link leads to a folder that holds it, at whatever depth.
    static bool leads_around(const fs::path& link, const fs::path& folder) {
        std::error_code ec;
        const fs::path target = fs::canonical(link, ec);
        return fs::is_symlink(link) &&
               (ec || std::mismatch(target.begin(), target.end(), folder.begin(), folder.end()).first ==
                          target.end());
    }

    /// Single pictures are one film, the folder. Stacks are films of their own; where the first is none, none is looked
    /// for.
    void add_pictures(const fs::path& folder, const std::vector<ListedPicture>& pictures) {
        if (pictures.empty()) return;
        std::size_t stacks = 0;
        if (stack_of(pictures[0].path).count > 1) {
            for (const auto& picture : pictures) {
                if (stack_of(picture.path).count < 2) continue;
                out_.push_back({ImportSource::Kind::video, picture.path});
                ++stacks;
            }
        }
        if (stacks < pictures.size()) out_.push_back({ImportSource::Kind::pictures, folder});
    }

    std::vector<ImportSource>& out_;
    const Warn& warn_;
    std::set<fs::path> searched_;
};

std::vector<std::string> matches(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
    std::sort(paths.begin(), paths.end(), natural_less);
    return paths;
}

void add(const DataFile& input, const Warn& warn, std::vector<ImportSource>& out) {
    std::error_code ec;
    if (fs::is_directory(input.path, ec)) {
        if (kind_of_file(input.path) == FileKind::run)
            fail("{}: no videos, pictures or arrays{}", input.string(), kind_hint(input.path));
        Search(out, warn).run(input.path);
    } else if (is_array_name(input.path) || !input.dataset.empty()) {
        out.push_back({ImportSource::Kind::array, input});
    } else {
        // Whatever its name, if the user names it: FFmpeg says what it is.
        out.push_back({ImportSource::Kind::video, input});
    }
}

/// The same for two spellings of one file: no source may be in two splits.
std::pair<std::string, std::string> identity(const ImportSource& source) {
    std::error_code ec;
    const fs::path real = fs::canonical(source.file.path, ec);
    return {ec ? source.name() : real.string(), source.file.dataset};
}

}  // namespace

std::vector<ImportSource> find_sources(std::span<const std::string> inputs, const Warn& warn) {
    std::vector<ImportSource> all;
    for (const auto& input : inputs) {
        const std::size_t before = all.size();
        std::error_code ec;
        const bool pattern = input.find_first_of("*?[") != std::string::npos;
        if (const DataFile file(input); fs::exists(file.path, ec)) {
            add(file, warn, all);
        } else if (pattern) {
            const auto paths = matches(input);
            if (paths.empty()) fail("{}: matches no file", input);
            for (const auto& path : paths) add(path, warn, all);
        } else {
            fail("{}: no such file or folder", input);
        }
        if (all.size() == before) fail("{}: no videos, pictures or arrays in it", input);
    }
    std::set<std::pair<std::string, std::string>> seen;
    std::erase_if(all, [&](const ImportSource& s) { return !seen.insert(identity(s)).second; });
    return all;
}

}  // namespace stl
