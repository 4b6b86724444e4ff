#include "stl/core/file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "stl/core/descriptor.h"
#include "stl/core/error.h"

namespace stl {
namespace {

[[noreturn]] void fail_writing(const fs::path& path, int code) {
    fail_call(code, "{}: cannot be written ({})", path.string(), std::strerror(code));
}

/// "a device" for what is neither a file nor a folder, else "".
std::string special_kind(const fs::file_status& status) {
    if (fs::is_block_file(status) || fs::is_character_file(status)) return "a device";
    if (fs::is_fifo(status)) return "a pipe";
    return fs::is_socket(status) ? "a socket" : "";
}

fs::file_status require_no_folder(const fs::path& path) {
    std::error_code ec;
    const auto status = fs::status(path, ec);
    if (status.type() == fs::file_type::not_found) fail("{}: no such file", path.string());
    if (ec) fail_call(ec.value(), "{}: cannot be read ({})", path.string(), ec.message());
    if (fs::is_directory(status)) fail("{}: is a folder, expected a file", path.string());
    return status;
}

/// A device would be taken away, a pipe's reader would get nothing.
void refuse_special(const fs::path& path) {
    std::error_code ec;
    const auto kind = special_kind(fs::status(path, ec));
    if (!kind.empty()) fail("{}: is {}, expected the name of a file", path.string(), kind);
}

[[noreturn]] void fail_existing(const fs::path& path) {
    fail("{}: exists already (--force replaces it)", path.string());
}

/// Gives `from` a name that nothing has yet. Returns 0 or an errno, EEXIST among them.
int rename_new(const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    // This file system does not know how. A link fails where there is something already.
    if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()) == 0 ? 0 : errno;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    // Nor does it have links.
    std::error_code ec;
    if (fs::exists(fs::symlink_status(to, ec))) return EEXIST;
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int flushed(const Descriptor& fd) {
    while (::fsync(fd.get()) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

/// A process id of nothing but digits; 0: `text` is none.
pid_t process_in(std::string_view text) {
    pid_t process = 0;
    const auto* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, process);
    return result.ec == std::errc() && result.ptr == end && process > 0 ? process : 0;
}

constexpr std::string_view temporary_mark = ".tmp";

constexpr std::size_t random_digits = 16;
/// What is longer is part of the name.
constexpr std::size_t longest_extension = 32;

std::size_t longest_name(const fs::path& folder) {
    constexpr std::size_t usual = 255;
    const auto most = ::pathconf(folder.empty() ? "." : folder.c_str(), _PC_NAME_MAX);
    return most > 0 ? static_cast<std::size_t>(most) : usual;
}

/// The first bytes of `text`, `size` at most, that hold whole characters.
std::string_view shortened(std::string_view text, std::size_t size) {
    if (text.size() <= size) return text;
    const auto continues = [&](std::size_t i) {
        return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
    };
    while (size > 0 && continues(size)) --size;
    return text.substr(0, size);
}

/// ".last.tmp123-0123456789abcdef.pth" of checkpoints/last.pth; another one each time.
fs::path temporary_of(const fs::path& path) {
    const bool split = path.extension().native().size() <= longest_extension;
    const auto stem = (split ? path.stem() : path.filename()).string();
    const auto extension = split ? path.extension().string() : "";
    std::random_device random;
    const auto digits = std::uint64_t{random()} << 32U | random();
    const auto end =
        fmt::format("{}{}-{:0{}x}{}", temporary_mark, ::getpid(), digits, random_digits, extension);
    const auto most = longest_name(path.parent_path());
    const auto room = most - std::min(most, end.size() + 1);
    return path.parent_path() / fmt::format(".{}{}", shortened(stem, room), end);
}

/// 123 of such a name, also without random digits (earlier versions made those); 0 of any other.
pid_t writer_of(const std::string& name) {
    const auto mark = name.rfind(temporary_mark);
    if (mark == name.npos || mark < 2 || name.front() != '.') return 0;
    const auto process = mark + temporary_mark.size();
    const auto dot = name.find('.', process);
    if (dot != name.npos && name.find('.', dot + 1) != name.npos) return 0;  // an extension has one
    const auto who = std::string_view(name).substr(process, dot - process);
    const auto dash = who.find('-');
    if (dash == who.npos) return process_in(who);
    const auto digits = who.substr(dash + 1);
    const bool ours =
        digits.size() == random_digits && digits.find_first_not_of("0123456789abcdef") == digits.npos;
    return ours ? process_in(who.substr(0, dash)) : 0;
}

/// make(name) makes what nothing is yet; below 0: errno says why not. Empty, with errno set, where it cannot.
template <class Make>
fs::path make_temporary(const fs::path& path, Make make) {
    constexpr int most_tries = 100;
    for (int i = 0; i < most_tries; ++i) {
        auto name = temporary_of(path);
        if (make(name) >= 0) return name;
        if (errno != EEXIST) break;
    }
    return {};
}

int open_new(const fs::path& name, int access) {
    return ::open(name.c_str(), access | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

bool is_another_process(pid_t process) {
    return process != ::getpid() && (::kill(process, 0) == 0 || errno == EPERM);
}

}  // namespace

fs::path program_folder() {
    std::error_code not_told;
    return fs::read_symlink("/proc/self/exe", not_told).parent_path();
}

fs::path make_temporary_file(const fs::path& path) {
    auto made = make_temporary(path, [](const fs::path& name) {
        const int fd = open_new(name, O_WRONLY);
        if (fd < 0 || ::close(fd) == 0) return fd;
        const int code = errno;
        ::unlink(name.c_str());
        errno = code;
        return -1;
    });
    if (made.empty()) fail_writing(path, errno);
    return made;
}

fs::path make_temporary_folder(const fs::path& path) {
    auto made = make_temporary(path, [](const fs::path& name) { return ::mkdir(name.c_str(), 0777); });
    if (made.empty()) fail_writing(path, errno);
    return made;
}

FilePointer open_nameless_file(const fs::path& folder) {
    int fd = -1;
    make_temporary(folder / "nameless", [&](const fs::path& name) {
        fd = open_new(name, O_RDWR);
        return fd < 0 ? fd : ::unlink(name.c_str());
    });
    FilePointer file(fd < 0 ? nullptr : ::fdopen(fd, "w+b"), std::fclose);
    if (!file && fd >= 0) ::close(fd);
    return file;
}

void require_regular_file(const fs::path& path) {
    const auto kind = special_kind(require_no_folder(path));
    if (!kind.empty()) fail("{}: is {}, expected a file", path.string(), kind);
}

void require_readable_file(const fs::path& path) {
    require_regular_file(path);
    Descriptor::for_reading(path);
}

std::string start_of_file(const fs::path& path, std::size_t count) {
    std::error_code ec;
    if (!fs::is_regular_file(path, ec)) return "";
    std::ifstream in(path, std::ios::binary);
    std::string start(count, '\0');
    in.read(start.data(), static_cast<std::streamsize>(count));
    start.resize(static_cast<std::size_t>(in.gcount()));
    return start;
}

std::string read_text(const fs::path& path, std::uint64_t limit) {
    require_no_folder(path);
    const auto fd = Descriptor::for_reading(path);
    std::string text;
    constexpr std::size_t block = 1 << 18;
    for (std::size_t size = 0;; text.resize(size)) {
        text.resize(size + block);
        const auto n = ::read(fd.get(), text.data() + size, block);
        if (n < 0 && errno == EINTR) fail_opening(path, errno);
        if (n < 0) fail_call(errno, "{}: cannot be read ({})", path.string(), std::strerror(errno));
        size += static_cast<std::size_t>(n);
        if (size > limit) fail("{}: holds more than {} bytes", path.string(), limit);
        if (n > 0) continue;
        text.resize(size);
        return text;
    }
}

std::string read_maybe_gzip(const fs::path& path, std::uint64_t limit) {
    require_regular_file(path);
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    if (!file) fail_opening(path, errno);
    gzbuffer(file.get(), 1 << 18);
    std::string out;
    std::string block(1 << 20, '\0');
    for (;;) {
        const int n = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
        if (n < 0) {
            int code = 0;
            fail("{}: damaged gzip data ({})", path.string(), gzerror(file.get(), &code));
        }
        if (n == 0) break;
        if (out.size() + static_cast<std::uint64_t>(n) > limit) {
            fail("{}: more than {} bytes when unpacked", path.string(), limit);
        }
        out.append(block.data(), static_cast<std::size_t>(n));
    }
    // gzread reports a file that ends inside a gzip stream only now.
    int code = 0;
    gzerror(file.get(), &code);
    if (code == Z_BUF_ERROR) fail("{}: truncated gzip data (ends after {} bytes)", path.string(), out.size());
    return out;
}

void refuse_existing(const fs::path& path, bool force) {
    refuse_special(path);
    std::error_code ec;
    if (!force && fs::exists(fs::symlink_status(path, ec))) fail_existing(path);
}

MappedFile::MappedFile(const fs::path& path)
    : MappedFile((require_regular_file(path), Descriptor::for_reading(path)).get(), path) {}

MappedFile::MappedFile(int descriptor, fs::path path) : path_(std::move(path)) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0)
        fail("{}: cannot be read ({})", path_.string(), std::strerror(errno));
    if (info.st_size == 0) return;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED)
        fail_call(errno, "{}: cannot be mapped ({})", path_.string(), std::strerror(errno));
    bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

AtomicFile::AtomicFile(fs::path final_path, bool replace) : final_(std::move(final_path)), replace_(replace) {
    refuse_existing(final_, replace_);
    if (final_.has_parent_path()) {
        std::error_code ec;
        fs::create_directories(final_.parent_path(), ec);
        if (ec) fail("{}: cannot make the folder ({})", final_.parent_path().string(), ec.message());
    }
    std::error_code ec;
    const bool folder = fs::is_directory(final_, ec);
    if (ec == std::errc::filename_too_long)
        fail_writing(final_, ENAMETOOLONG);  // the temporary name is shortened
    if (folder) fail("{}: is a folder, expected a file name", final_.string());
    // Fails now, before hours of work, when the folder can't be written.
    temporary_ = make_temporary_file(final_);
}

AtomicFile::~AtomicFile() {
    std::error_code ec;
    if (!committed_) fs::remove(temporary_, ec);
}

void AtomicFile::commit() {
    const Descriptor written(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
    int code = written.is_open() ? flushed(written) : errno;
    if (code != 0) fail_writing(final_, code);
    if (replace_) {
        code = ::rename(temporary_.c_str(), final_.c_str()) == 0 ? 0 : errno;
    } else {
        code = rename_new(temporary_, final_);
    }
    if (code == EEXIST && !replace_) fail_existing(final_);
    if (code != 0) fail_writing(final_, code);
    committed_ = true;
}

std::optional<FileIdentity> identity_of(const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
    return FileIdentity{info.st_dev, info.st_ino};
}

std::optional<FileIdentity> identity_of(int descriptor) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return std::nullopt;
    return FileIdentity{info.st_dev, info.st_ino};
}

void flush_to_disk(const fs::path& path) {
    const int code = flushed(Descriptor::for_reading(path));
    if (code != 0 && code != EINVAL && code != ENOTSUP && code != EROFS) fail_writing(path, code);
}

void remove_leftovers(const fs::path& folder) {
    std::error_code ec;
    std::vector<fs::path> left;
    for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec)) {
        const auto writer = writer_of(entry->path().filename().string());
        std::error_code unknown;
        if (writer != 0 && fs::is_regular_file(entry->symlink_status(unknown)) && !is_another_process(writer))
            left.push_back(entry->path());
    }
    // What cannot be removed is in nobody's way.
    for (const auto& path : left) fs::remove(path, ec);
}

void write_text(const fs::path& path, std::string_view text, bool replace) {
    AtomicFile file(path, replace);
    {
        errno = 0;
        std::ofstream out(file.temporary(), std::ios::binary);
        out.write(text.data(), static_cast<std::streamsize>(text.size()));
        out.close();
        if (!out) fail("{}: cannot be written ({})", path.string(), std::strerror(errno != 0 ? errno : EIO));
    }
    file.commit();
}

}  // namespace stl
