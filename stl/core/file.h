// Files: whole reads, memory maps, and writes that never leave half a file under the final name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stl {

namespace fs = std::filesystem;

/// The folder that this program lies in; empty where the system does not tell.
fs::path program_folder();

/// Error: there is nothing at `path`, or something other than a file (a folder, a device, a pipe).
void require_regular_file(const fs::path& path);

/// The same, and it can be opened.
void require_readable_file(const fs::path& path);

/// The whole file as text; it may be a pipe. Error if it can't be read, or holds more than `limit` bytes.
std::string read_text(const fs::path& path, std::uint64_t limit = std::uint64_t{1} << 30);

/// Reads a file, gunzipped where it starts as gzip does. Error on truncated or damaged gzip, and when more
/// than `limit` bytes come out (a small file must not fill the memory).
std::string read_maybe_gzip(const fs::path& path, std::uint64_t limit = std::uint64_t{1} << 32);

/// Hexadecimal SHA-256 of a file's bytes, read in blocks.
std::string sha256_file(const fs::path& path);

/// Hexadecimal SHA-256 of a file's size and of 64 blocks of 64 KiB spread evenly over it (all of a small file): finds
/// that a file was replaced or written anew in the time that it takes to read 4 MiB, not every changed byte.
std::string sample_digest(const fs::path& path);

/// Throws "<path>: exists already (--force replaces it)" unless `force` or there is nothing at `path`. A
/// device, a pipe or a socket is never replaced.
void refuse_existing(const fs::path& path, bool force);

/// A read-only memory map; empty files map to an empty span. Movable.
class MappedFile {
  public:
    explicit MappedFile(const fs::path& path);
    /// Of an open file, which may have no name any more; `path` is for messages.
    MappedFile(int descriptor, fs::path path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return bytes_; }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
    std::span<const std::byte> bytes_;
};

/// An empty file, new and nobody else's, beside `path` and with its extension: ".last.tmp123-0123456789abcdef.pth" of
/// last.pth. Holds the id of this process, so that remove_leftovers() knows whose it was, and random digits, as
/// processes in two containers may have one id; a link at that name is not followed. A name that would be too long is
/// shortened. Error: cannot be made; it names `path`.
fs::path make_temporary_file(const fs::path& path);
/// Likewise a folder.
fs::path make_temporary_folder(const fs::path& path);

using FilePointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
/// An empty file in `folder` to write and to read, without a name: it is gone when it is closed, and when the process is
/// killed. Null where there can be none; errno says why.
FilePointer open_nameless_file(const fs::path& folder);

/// A file being written under a temporary name in the same folder. commit() flushes it to disk and gives it
/// its final name in one step; without commit() nothing is left. Whoever writes may open temporary() with any
/// library (HDF5, FFmpeg), but must close it before commit(). Missing parent folders are made. Without
/// `replace` a file that is there is refused, at once and, as another program may have made it since, at commit().
class AtomicFile {
  public:
    explicit AtomicFile(fs::path final_path, bool replace = true);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Has the final name's extension, so that libraries that go by it choose rightly.
    const fs::path& temporary() const { return temporary_; }
    const fs::path& final_path() const { return final_; }
    void commit();

  private:
    fs::path final_;
    fs::path temporary_;
    bool replace_;
    bool committed_ = false;
};

/// Has what was written to a file, or the names in a folder (after a rename), reach the disk: a power cut loses nothing of
/// it. A file system that cannot do so is not an error; Error: the disk is full or gone.
void flush_to_disk(const fs::path& path);

/// Removes from `folder` (not from folders in it) the temporary files of AtomicFile whose writer was killed.
/// Those of another process that is still there stay.
void remove_leftovers(const fs::path& folder);

/// An advisory lock (flock) on a file, made where it is not there. It ends with the object, and with the
/// process however that ends; the file stays. Never waits.
class FileLock {
  public:
    enum class State {
        held,
        taken,       ///< by somebody else
        unsupported  ///< the file system has no locks
    };
    explicit FileLock(const fs::path& path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    State state() const { return state_; }
    /// The process that has a taken lock, as it wrote itself into the file; 0: not known.
    std::int64_t holder() const { return holder_; }

  private:
    int fd_ = -1;
    State state_ = State::unsupported;
    std::int64_t holder_ = 0;
};

/// Writes `text` atomically.
void write_text(const fs::path& path, std::string_view text, bool replace = true);

}  // namespace stl
