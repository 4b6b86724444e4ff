// A lock that keeps two processes from writing to one folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "stl/core/file.h"

namespace stl {

/// An advisory lock on a file, which is made where it is not there, and stays. It ends with the object, and with the
/// process however that ends. Never waits.
///
/// Where the file system has no locks (some NFS, FUSE and overlays), a second file, "<path>.owner", stands for it: it
/// names the owner's host, boot, process and the time when that process started, and is touched every few seconds. An
/// owner on this machine that no longer runs, and one elsewhere that was not heard of for a minute, have lost it.
class FileLock {
  public:
    enum class State {
        held,
        taken,  ///< by somebody else
    };
    enum class Kind {
        automatic,
        owner_file,  ///< as where the file system has no locks
    };
    /// Error: the file cannot be made.
    explicit FileLock(const fs::path& path, Kind kind = Kind::automatic);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    State state() const;
    /// Who holds a taken lock, as far as the lock file says: "process 123", "process 123 on host a"; else empty.
    const std::string& holder() const;
    /// Of a held lock: its file is still there. False: it, or its folder, was removed or replaced, and another process
    /// may have the new one.
    bool in_place() const;

  private:
    class Way;
    class Flock;
    class OwnerFile;
    std::unique_ptr<Way> way_;
};

}  // namespace stl
