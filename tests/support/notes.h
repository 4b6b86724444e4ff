// What the library reports, kept.
#pragma once

#include <string>
#include <vector>

#include "stl/core/reporter.h"

namespace stl::test {

struct Notes : Reporter {
    void info(const std::string& line) override { infos.push_back(line); }
    void warn(const std::string& line) override { warnings.push_back(line); }
    std::vector<std::string> infos, warnings;
};

}  // namespace stl::test
