// Checks files that stl writes and reads, all of their bytes, and runs with all that belongs to them.
//
// To add a kind of file: a function that checks one, and a line in the list of files.cpp.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/core/json.h"
#include "stl/core/names.h"
#include "stl/core/reporter.h"

namespace stl {

enum class Condition {
    whole,      ///< all that matters is what its digests say
    unchecked,  ///< it can be read, but has no digests, or not on everything
    damaged,    ///< or missing, or not what it was
};
template <>
inline constexpr std::array<std::string_view, 3> member_names<Condition>{"whole", "unchecked", "damaged"};

struct Verdict {
    fs::path file;
    Condition condition = Condition::whole;
    std::string text;      ///< what it is, or what is wrong with it
    std::string usable{};  ///< of what is damaged: what can still be used; of a run: what goes on from what

    Json to_json() const;
};

/// Of a file one verdict, of a run one for each of its files and of those that it was trained on. Error: there is nothing
/// at `path`, or nothing that is known here. Interrupted.
std::vector<Verdict> verify(const fs::path& path, Reporter& reporter, const StopRequested& stop = {});

}  // namespace stl
