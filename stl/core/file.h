// Files: whole reads, memory maps, and writes that never leave half a file under the final name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stl {

namespace fs = std::filesystem;

/// The folder of the running program; empty if the system does not say.
fs::path program_folder();

/// Error: there is nothing at `path`, or something other than a file (a folder, a device, a pipe).
void require_regular_file(const fs::path& path);

/// The same, and Error if it cannot be opened.
void require_readable_file(const fs::path& path);

/// The first `count` bytes of a file, or as many as it has; none of what is not a regular file or cannot be read.
std::string start_of_file(const fs::path& path, std::size_t count);

/// The whole file as text; it may be a pipe. Error if it can't be read, or holds more than `limit` bytes.
std::string read_text(const fs::path& path, std::uint64_t limit = std::uint64_t{1} << 30);

/// Reads a file, decompressing it if it starts like gzip. Error: truncated or damaged gzip, or more than `limit`
/// bytes after decompression (a small file must not fill the memory).
std::string read_maybe_gzip(const fs::path& path, std::uint64_t limit = std::uint64_t{1} << 32);

/// Throws "<path>: already exists (--force replaces it)" unless `force`, or there is nothing at `path`. A
/// device, a pipe or a socket is never replaced.
void refuse_existing(const fs::path& path, bool force);

/// A read-only memory map; empty files map to an empty span. Movable.
class MappedFile {
  public:
    explicit MappedFile(const fs::path& path);
    /// Maps an open file, which may no longer have a name; `path` is for messages.
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

/// Creates a new empty file in the same folder as `path` and with its extension: ".last.tmp123-0123456789abcdef.pth"
/// for last.pth. The name contains the id of this process, by which remove_leftovers() finds its owner, and random
/// digits, since processes in two containers may have the same id. A link with that name is not followed. A name that
/// would be too long is shortened. Error: the file cannot be created; the message names `path`.
fs::path make_temporary_file(const fs::path& path);
/// The same for a folder.
fs::path make_temporary_folder(const fs::path& path);

using FilePointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
/// An empty, nameless file in `folder`, for writing and reading. It disappears when it is closed or the process is
/// killed. Null if it cannot be created; errno says why.
FilePointer open_nameless_file(const fs::path& folder);

/// A file being written under a temporary name in the same folder. commit() flushes it to disk and gives it
/// its final name in one step; without commit() nothing is left. The caller may open temporary() with any
/// library (HDF5, FFmpeg), but must close it before commit(). Missing parent folders are created. Without
/// `replace`, an existing file is refused, in the constructor and again in commit(), since another program may have
/// created it in the meantime.
class AtomicFile {
  public:
    explicit AtomicFile(fs::path final_path, bool replace = true);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Has the final name's extension, for libraries that choose the format by it.
    const fs::path& temporary() const { return temporary_; }
    const fs::path& final_path() const { return final_; }
    void commit();

  private:
    fs::path final_;
    fs::path temporary_;
    bool replace_;
    bool committed_ = false;
};

/// Which file or folder a name leads to (links are not followed): the same as before, or another one.
struct FileIdentity {
    std::uint64_t device = 0, number = 0;
    bool operator==(const FileIdentity&) const = default;
};
/// Nothing where there is none.
std::optional<FileIdentity> identity_of(const fs::path& path);
std::optional<FileIdentity> identity_of(int descriptor);

/// Flushes a file's contents, or a folder's names (after a rename), to the disk, so that a power cut loses nothing of
/// them. A file system that cannot flush is not an error. Error: the disk is full or gone.
void flush_to_disk(const fs::path& path);

/// Removes from `folder` (not from its subfolders) the temporary files of AtomicFile whose process no longer exists.
/// Those of processes that are still running are kept.
void remove_leftovers(const fs::path& folder);

/// Writes `text` atomically.
void write_text(const fs::path& path, std::string_view text, bool replace = true);

}  // namespace stl
