#include "stl/media/picture_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "stl/core/error.h"
#include "stl/media/png.h"

namespace stl {
namespace {

bool is_ours(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with("frame_") && path.extension() == ".png";
}

void check_replaceable(const fs::path& path, bool force) {
    if (!fs::exists(fs::symlink_status(path))) return;
    if (!fs::is_directory(path)) fail("{}: exists already and is no folder", path.string());
    if (!fs::is_empty(path)) refuse_existing(path, force);
    for (const auto& entry : fs::directory_iterator(path)) {
        if (!is_ours(entry.path())) {
            fail("{}: holds {}; only a folder with nothing but frame_*.png is replaced", path.string(),
                 entry.path().filename().string());
        }
    }
}

}  // namespace

PictureFolder::PictureFolder(fs::path path, bool force) : final_(std::move(path)) {
    if (!final_.has_filename()) final_ = final_.parent_path();  // "out/"
    check_replaceable(final_, force);
    temporary_ = final_.parent_path() / fmt::format(".{}.tmp{}", final_.filename().string(), ::getpid());
    std::error_code ec;
    fs::remove_all(temporary_, ec);
    fs::create_directories(temporary_, ec);
    if (ec) fail("{}: cannot be written ({})", final_.string(), ec.message());
}

PictureFolder::~PictureFolder() {
    std::error_code ec;
    if (!temporary_.empty()) fs::remove_all(temporary_, ec);
}

void PictureFolder::add(const Image& image) {
    const std::string name = fmt::format("frame_{:04}.png", count_++), bytes = encode_png(image);
    errno = 0;
    std::ofstream out(temporary_ / name, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out)
        fail("{}: cannot be written ({}: {})", final_.string(), name,
             std::strerror(errno != 0 ? errno : EIO));
}

void PictureFolder::commit() {
    std::error_code ec;
    fs::remove_all(final_, ec);
    fs::rename(temporary_, final_, ec);
    if (ec) fail("{}: cannot be written ({})", final_.string(), ec.message());
    temporary_.clear();
}

}  // namespace stl
