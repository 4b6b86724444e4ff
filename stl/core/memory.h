// How much memory this process can still allocate. Checked before allocating anything whose size comes from a file.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/file.h"

namespace stl {

struct AvailableMemory {
    std::uint64_t bytes;
    std::string
        limit;  ///< whose memory it is, for a message: "the machine's memory", "the container's memory", ...
};

/// The minimum of what the machine has available (MemAvailable), what is left of the limit of every cgroup that this
/// process is in (version 2 and 1; file caches count as free), and what is left of RLIMIT_AS and RLIMIT_DATA. `root`:
/// where /proc and /sys/fs/cgroup are, for tests.
AvailableMemory available_memory(const fs::path& root = "/");
/// Error unless about `bytes` can be allocated: "<where>: needs 12.3 GiB of memory, but only 7.9 GiB of the container's
/// memory is available".
void require_memory(std::uint64_t bytes, const std::string& where);
/// "12.3 GiB", "4.0 KiB", "17 bytes"
std::string bytes_text(std::uint64_t bytes);

}  // namespace stl
