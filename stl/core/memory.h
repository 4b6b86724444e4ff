// How much memory this process can still have, asked before anything is allocated whose size a file states.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/file.h"

namespace stl {

struct AvailableMemory {
    std::uint64_t bytes;
    std::string limit;  ///< what bounds it, for a message: "the machine's", "the container's", ...
};

/// The least of what the machine has (MemAvailable), what every cgroup that holds this process leaves of its limit
/// (version 2 and 1; file caches count as free), and what RLIMIT_AS and RLIMIT_DATA leave. `root`: where /proc and
/// /sys/fs/cgroup are, for tests.
AvailableMemory available_memory(const fs::path& root = "/");
/// Throws unless about `bytes` can be had now: "<where>: needs 12.3 GiB of memory, 7.9 GiB of the container's are free".
void require_memory(std::uint64_t bytes, const std::string& where);
/// "12.3 GiB", "4.0 KiB", "17 bytes"
std::string bytes_text(std::uint64_t bytes);

}  // namespace stl
