#include "stl/core/file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <sys/file.h>
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
#include <vector>

#include "stl/core/error.h"

namespace stl {
namespace {

/// Of a system call that a signal ended; nothing but the wish to stop is caught here.
[[noreturn]] void stop_reading(const fs::path& path) {
    throw Interrupted(fmt::format("{}: interrupted while it was read", path.string()));
}

[[noreturn]] void fail_opening(const fs::path& path, int code) {
    if (code == EINTR) stop_reading(path);
    fail_call(code, "{}: cannot be opened ({})", path.string(), std::strerror(code));
}

[[noreturn]] void fail_writing(const fs::path& path, int code) {
    fail_call(code, "{}: cannot be written ({})", path.string(), std::strerror(code));
}

class Descriptor {
  public:
    Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {
        if (fd_ < 0) fail_opening(path, errno);
    }
    ~Descriptor() { ::close(fd_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

/// "a device" of what is no file and no folder, else "".
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

/// ".last.tmp123.pth" of checkpoints/last.pth
fs::path temporary_of(const fs::path& path) {
    return path.parent_path() / fmt::format(".{}{}{}{}", path.stem().string(), temporary_mark, ::getpid(),
                                            path.extension().string());
}

/// 123 of such a name, 0 of any other.
pid_t writer_of(const std::string& name) {
    const auto mark = name.rfind(temporary_mark);
    if (mark == name.npos || mark < 2 || name.front() != '.') return 0;
    const auto process = mark + temporary_mark.size();
    const auto dot = name.find('.', process);
    if (dot != name.npos && name.find('.', dot + 1) != name.npos) return 0;  // an extension has one
    return process_in(std::string_view(name).substr(process, dot - process));
}

bool is_another_process(pid_t process) {
    return process != ::getpid() && (::kill(process, 0) == 0 || errno == EPERM);
}

}  // namespace

fs::path program_folder() {
    std::error_code not_told;
    return fs::read_symlink("/proc/self/exe", not_told).parent_path();
}

void require_regular_file(const fs::path& path) {
    const auto kind = special_kind(require_no_folder(path));
    if (!kind.empty()) fail("{}: is {}, expected a file", path.string(), kind);
}

void require_readable_file(const fs::path& path) {
    require_regular_file(path);
    const Descriptor fd(path, O_RDONLY);
}

std::string read_text(const fs::path& path, std::uint64_t limit) {
    require_no_folder(path);
    const Descriptor fd(path, O_RDONLY);
    std::string text;
    constexpr std::size_t block = 1 << 18;
    for (std::size_t size = 0;; text.resize(size)) {
        text.resize(size + block);
        const auto n = ::read(fd.get(), text.data() + size, block);
        if (n < 0 && errno == EINTR) stop_reading(path);
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

std::string sha256_file(const fs::path& path) {
    require_regular_file(path);
    std::ifstream in(path, std::ios::binary);
    if (!in) fail_opening(path, errno);
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) fail("SHA-256 is not available");
    std::string block(1 << 20, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())), in.gcount() > 0) {
        EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(in.gcount()));
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context.get(), digest.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

void refuse_existing(const fs::path& path, bool force) {
    refuse_special(path);
    std::error_code ec;
    if (!force && fs::exists(fs::symlink_status(path, ec))) fail_existing(path);
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
    require_regular_file(path);
    const Descriptor fd(path, O_RDONLY);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) fail("{}: cannot be read ({})", path.string(), std::strerror(errno));
    if (info.st_size == 0) return;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (address == MAP_FAILED)
        fail_call(errno, "{}: cannot be mapped ({})", path.string(), std::strerror(errno));
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
    if (fs::is_directory(final_)) fail("{}: is a folder, expected a file name", final_.string());
    temporary_ = temporary_of(final_);
    // Fails now, before hours of work, when the folder can't be written.
    const int fd = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) fail_writing(final_, errno);
    ::close(fd);
}

AtomicFile::~AtomicFile() {
    std::error_code ec;
    if (!committed_) fs::remove(temporary_, ec);
}

void AtomicFile::commit() {
    if (const int code = flushed(Descriptor(temporary_, O_RDONLY)); code != 0) fail_writing(final_, code);
    int code = 0;
    if (replace_) {
        code = ::rename(temporary_.c_str(), final_.c_str()) == 0 ? 0 : errno;
    } else {
        code = rename_new(temporary_, final_);
    }
    if (code == EEXIST && !replace_) fail_existing(final_);
    if (code != 0) fail_writing(final_, code);
    committed_ = true;
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

FileLock::FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail("{}: cannot be written ({})", path.string(), std::strerror(errno));
    int result = 0;
    do {
        result = ::flock(fd_, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        state_ = State::held;
        // For whoever comes next; on a full disk the lock does without.
        const auto process = std::to_string(::getpid());
        [[maybe_unused]] const bool written =
            ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, process.data(), process.size(), 0) > 0;
    } else if (errno == EWOULDBLOCK) {
        state_ = State::taken;
        std::array<char, 32> text{};
        const auto size = ::pread(fd_, text.data(), text.size(), 0);
        if (size > 0) holder_ = process_in({text.data(), static_cast<std::size_t>(size)});
    }
}

FileLock::~FileLock() {
    ::close(fd_);
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
