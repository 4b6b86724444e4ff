#include "stl/media/picture_folder.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
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
    if (!fs::is_directory(path)) fail("{}: exists already and is not a folder", path.string());
    if (!fs::is_empty(path)) refuse_existing(path, force);
    for (const auto& entry : fs::directory_iterator(path)) {
        if (!is_ours(entry.path())) {
            fail("{}: holds {}; only a folder with nothing but frame_*.png is replaced", path.string(),
                 entry.path().filename().string());
        }
    }
}

/// What is at `old` goes aside first; on failure it comes back. Returns 0 or an errno.
int rename_over(const fs::path& fresh, const fs::path& old) {
    const auto aside = make_temporary_folder(old);  // empty, so that a folder may be renamed to it
    if (::rename(old.c_str(), aside.c_str()) != 0) {
        const int code = errno;
        ::rmdir(aside.c_str());
        return code;
    }
    const int code = ::rename(fresh.c_str(), old.c_str()) == 0 ? 0 : errno;
    if (code != 0) return ::rename(aside.c_str(), old.c_str()) == 0 ? code : errno;
    std::error_code ec;
    fs::remove_all(aside, ec);
    return 0;
}

/// `fresh` in the place of `old`, which is removed: in one step where the file system can. Returns 0 or an
/// errno.
int replace_folder(const fs::path& fresh, const fs::path& old) {
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, old.c_str(), RENAME_EXCHANGE) != 0)
        return errno == EINVAL || errno == ENOSYS ? rename_over(fresh, old) : errno;
    std::error_code ec;
    fs::remove_all(fresh, ec);
    return 0;
}

}  // namespace

PictureFolder::PictureFolder(fs::path path, bool force) : final_(std::move(path)), force_(force) {
    if (!final_.has_filename()) final_ = final_.parent_path();  // "out/"
    check_replaceable(final_, force);
    std::error_code ec;
    if (final_.has_parent_path()) fs::create_directories(final_.parent_path(), ec);
    if (ec) fail("{}: cannot be written ({})", final_.string(), ec.message());
    temporary_ = make_temporary_folder(final_);
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
    // This replaces an empty folder.
    int code = ::rename(temporary_.c_str(), final_.c_str()) == 0 ? 0 : errno;
    if (code == ENOTEMPTY || code == EEXIST || code == ENOTDIR) {
        check_replaceable(final_, force_);  // another program may have been here
        code = replace_folder(temporary_, final_);
    }
    if (code != 0) fail("{}: cannot be written ({})", final_.string(), std::strerror(code));
    temporary_.clear();
}

}  // namespace stl
