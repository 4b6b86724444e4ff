#include "stl/core/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <sstream>

#include "stl/core/control_groups.h"
#include "stl/core/error.h"

namespace stl {
namespace {

constexpr std::uint64_t unlimited = UINT64_MAX;

std::uint64_t difference(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

/// A number alone in a file; nothing where there is none ("max").
std::optional<std::uint64_t> number_in(const fs::path& file) {
    std::ifstream in(file);
    std::uint64_t value = 0;
    return in >> value ? std::optional(value) : std::nullopt;
}

/// The number behind `key` ("MemAvailable:", "inactive_file") in a file of such lines.
std::optional<std::uint64_t> number_of(const fs::path& file, std::string_view key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string name;
        std::uint64_t value = 0;
        if (words >> name >> value && name == key) return value;
    }
    return std::nullopt;
}

/// The names that a version of cgroup has for the same things.
struct CgroupFiles {
    const char *limit, *usage, *cache;
};
constexpr CgroupFiles version_2{"memory.max", "memory.current", "inactive_file"};
constexpr CgroupFiles version_1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

std::uint64_t free_in(const fs::path& group, const CgroupFiles& files) {
    const auto limit = number_in(group / files.limit);
    const auto usage = number_in(group / files.usage);
    if (!limit || !usage) return unlimited;
    const auto cache = number_of(group / "memory.stat", files.cache).value_or(0);
    return difference(*limit, difference(*usage, cache));
}

std::uint64_t free_in_groups(const fs::path& root) {
    auto least = unlimited;
    for (const auto& group : control_groups("memory", root))
        least = std::min(least, free_in(group.folder, group.version == 2 ? version_2 : version_1));
    return least;
}

/// key: of /proc/self/status, in KiB.
std::uint64_t free_of_limit(int resource, const fs::path& root, std::string_view key) {
    rlimit limit{};
    if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return unlimited;
    return difference(limit.rlim_cur, 1024 * number_of(root / "proc/self/status", key).value_or(0));
}

}  // namespace

AvailableMemory available_memory(const fs::path& root) {
    const auto machine = number_of(root / "proc/meminfo", "MemAvailable:");
    AvailableMemory least{machine ? 1024 * *machine : unlimited, "the machine's memory"};
    const auto consider = [&](std::uint64_t bytes, const char* limit) {
        if (bytes < least.bytes) least = {bytes, limit};
    };
    consider(free_in_groups(root), "the container's memory");
    consider(free_of_limit(RLIMIT_AS, root, "VmSize:"), "the process's limit (ulimit -v)");
    consider(free_of_limit(RLIMIT_DATA, root, "VmData:"), "the process's limit (ulimit -d)");
    return least;
}

void require_memory(std::uint64_t bytes, const std::string& where) {
    constexpr std::uint64_t small = 64u << 20;
    if (bytes <= small) return;
    const auto free = available_memory();
    if (bytes > free.bytes) {
        fail("{}: needs {} of memory, but only {} of {} is available", where, bytes_text(bytes),
             bytes_text(free.bytes), free.limit);
    }
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} bytes", bytes);
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace stl
