#include "stl/core/control_groups.h"

#include <fmt/format.h>

#include <fstream>
#include <string>

namespace stl {

std::vector<ControlGroup> control_groups(std::string_view controller, const fs::path& root) {
    std::vector<ControlGroup> groups;
    const auto add = [&](fs::path folder, const fs::path& below, int version) {
        groups.push_back({folder, version});
        for (const auto& part : below.relative_path()) groups.push_back({folder /= part, version});
    };
    const auto top = root / "sys/fs/cgroup";
    std::ifstream in(root / "proc/self/cgroup");
    for (std::string line; std::getline(in, line);) {
        // "<number>:<controllers>:<path>"; version 2 has no controllers.
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const auto controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
        const fs::path path = line.substr(second + 1);
        if (controllers == ",,") {
            add(top, path, 2);
        } else if (controllers.find(fmt::format(",{},", controller)) != std::string::npos) {
            add(top / controller, path, 1);
        }
    }
    return groups;
}

}  // namespace stl
