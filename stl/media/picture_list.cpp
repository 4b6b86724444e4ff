#include "stl/media/picture_list.h"

#include <algorithm>
#include <array>
#include <set>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/media/natural_order.h"
#include "stl/media/picture_pieces.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

/// Names of pictures that decode_picture() doesn't read.
bool is_foreign_picture(const fs::path& path) {
    static constexpr std::array<std::string_view, 24> extensions{
        ".heic", ".heif", ".avif", ".jxl", ".svg", ".psd", ".dng",  ".cr2", ".cr3", ".nef", ".arw",  ".orf",
        ".raf",  ".rw2",  ".xcf",  ".hdr", ".ico", ".fit", ".fits", ".pfm", ".dds", ".pcx", ".icns", ".jxr"};
    return has_extension(path, extensions);
}

/// An entry of a folder that is a picture by its name.
struct Entry {
    enum class Kind { picture, foreign, dangling } kind;
    fs::path path;
};

std::vector<Entry> read_entries(const fs::path& folder) {
    std::vector<Entry> entries;
    std::error_code ec;
    for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
        const fs::path& path = at->path();
        const bool foreign = is_foreign_picture(path);
        if (path.filename().string().starts_with('.') || (!foreign && !is_picture_name(path))) continue;
        // Of its own: a link that leads nowhere is not a failure to read the folder.
        std::error_code status;
        if (at->is_regular_file(status)) {
            entries.push_back({foreign ? Entry::Kind::foreign : Entry::Kind::picture, path});
        } else if (fs::is_symlink(path, status) && !fs::exists(path, status)) {
            entries.push_back({Entry::Kind::dangling, path});
        }
    }
    if (ec) fail("{}: cannot be read ({})", folder.string(), ec.message());
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return natural_less(a.path.filename().string(), b.path.filename().string());
    });
    return entries;
}

/// Pictures of a kind that can't be read beside the same ones that can: IMG_1.heic and IMG_1.jpg.
void remove_twins(std::vector<Entry>& entries) {
    std::set<std::string> readable;
    for (const auto& entry : entries) {
        if (entry.kind == Entry::Kind::picture) readable.insert(entry.path.stem().string());
    }
    std::erase_if(entries, [&](const Entry& entry) {
        return entry.kind != Entry::Kind::picture && readable.contains(entry.path.stem().string());
    });
}

std::string kinds_of(const std::vector<Entry>& entries) {
    std::set<std::string> kinds;
    for (const auto& entry : entries) {
        if (entry.kind == Entry::Kind::foreign) kinds.insert(lower_case(entry.path.extension().string()));
    }
    return fmt::format("{}", fmt::join(kinds, ", "));
}

void remark_on_missing(const std::vector<Entry>& entries, std::vector<std::string>& remarks) {
    const auto count_of = [&](Entry::Kind kind) {
        return std::count_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.kind == kind; });
    };
    if (const auto foreign = count_of(Entry::Kind::foreign); foreign > 0) {
        remarks.push_back(fmt::format(
            "{} of {} {} of a kind that can't be read ({}) and passed over; PNG or JPEG can", foreign,
            counted(std::ssize(entries), "picture"), foreign == 1 ? "is" : "are", kinds_of(entries)));
    }
    if (const auto dangling = count_of(Entry::Kind::dangling); dangling > 0) {
        const auto first = std::find_if(entries.begin(), entries.end(),
                                        [](const Entry& e) { return e.kind == Entry::Kind::dangling; });
        remarks.push_back(
            fmt::format("{} ({}) {} passed over", counted(dangling, "link"), first->path.filename().string(),
                        dangling == 1 ? "points to no file and is" : "point to no file and are"));
    }
}

}  // namespace

PictureList read_picture_list(const fs::path& folder) {
    auto entries = read_entries(folder);
    remove_twins(entries);
    std::vector<std::string> names;
    names.reserve(entries.size());
    for (const auto& entry : entries) names.push_back(entry.path.stem().string());

    PictureList list;
    const auto pieces = picture_pieces(names);
    bool gap = false;
    for (const auto& piece : pieces) {
        gap = !list.pictures.empty();
        for (const auto i : piece) {
            const Entry& entry = entries[i];
            if (entry.kind == Entry::Kind::picture)
                list.pictures.push_back({entry.path, std::exchange(gap, false)});
            else
                gap = !list.pictures.empty();
        }
    }
    if (pieces.size() > 1) {
        const auto last = pieces[0].back(), next = pieces[1].front();
        list.remarks.push_back(
            fmt::format("{} in the pictures' numbers{}: {} is followed by {}",
                        counted(std::ssize(pieces) - 1, "gap"), pieces.size() > 2 ? ", the first" : "",
                        entries[last].path.filename().string(), entries[next].path.filename().string()));
    }
    remark_on_missing(entries, list.remarks);
    return list;
}

bool is_picture_name(const fs::path& path) {
    static constexpr std::array<std::string_view, 23> extensions{
        ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".tif", ".tiff", ".bmp", ".dib", ".webp", ".pgm",
        ".ppm", ".pbm", ".pnm",  ".pam", ".jp2",  ".j2k", ".tga", ".exr",  ".dpx", ".sgi", ".ras"};
    return has_extension(path, extensions);
}

std::vector<fs::path> list_pictures(const fs::path& folder) {
    std::vector<fs::path> files;
    for (auto& picture : read_picture_list(folder).pictures) files.push_back(std::move(picture.path));
    return files;
}

}  // namespace stl
