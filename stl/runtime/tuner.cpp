#include "stl/runtime/tuner.h"

#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "stl/core/clock.h"
#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/json.h"
#include "stl/core/version.h"
#include "stl/cpu/isa.h"

namespace stl {
namespace {

constexpr std::uint64_t largest_file = std::uint64_t{1} << 20U;

Choices read_choices(const fs::path& file) {
    Choices found;
    std::error_code error;
    if (file.empty() || !fs::is_regular_file(file, error)) return found;
    try {
        const auto json = read_json(file, largest_file);
        for (const auto& [work, name] : json.at("choices").items()) found[work] = name.get<std::string>();
    } catch (const std::exception&) {
        found.clear();  // written anew by save()
    }
    return found;
}

/// The shortest time of each candidate, which other processes disturb least; they run in turn, so that a processor's
/// changing frequency meets all alike.
std::vector<double> measured(std::span<const Candidate> candidates) {
    constexpr int rounds = 3;
    std::vector<double> best(candidates.size(), 1e30);
    for (const auto& candidate : candidates) candidate.run();  // memory, and threads that wake up
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const auto start = Clock::now();
            candidates[i].run();
            best[i] = std::min(best[i], seconds_since(start));
        }
    }
    return best;
}

}  // namespace

Tuner::Tuner(std::filesystem::path file, double seconds)
    : file_(std::move(file)), seconds_left_(seconds), choices_(read_choices(file_)) {}

std::size_t Tuner::choose(const std::string& work, std::span<const Candidate> candidates) {
    if (const auto known = choices_.find(work); known != choices_.end()) {
        const auto found = std::ranges::find(candidates, known->second, &Candidate::name);
        if (found != candidates.end()) return static_cast<std::size_t>(found - candidates.begin());
    }
    if (seconds_left_ <= 0) return 0;
    constexpr double clearly = 0.9;
    const auto start = Clock::now();
    const auto times = measured(candidates);
    const auto quickest = static_cast<std::size_t>(std::ranges::min_element(times) - times.begin());
    const std::size_t chosen = times[quickest] < clearly * times.front() ? quickest : 0;
    seconds_left_ -= seconds_since(start);
    choices_[work] = candidates[chosen].name;
    changed_ = true;
    return chosen;
}

void Tuner::save() {
    if (!changed_ || file_.empty()) return;
    changed_ = false;
    auto all = read_choices(file_);  // another process may have added to it
    all.insert(choices_.begin(), choices_.end());
    try {
        fs::create_directories(file_.parent_path());
        write_json(file_, {{"processor", cpu::processor_name()}, {"choices", all}});
    } catch (const std::exception&) {
    }
}

std::filesystem::path choices_file() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    fs::path folder;
    if (cache != nullptr && *cache == '/') {
        folder = cache;
    } else if (home != nullptr && *home == '/') {
        folder = fs::path(home) / ".cache";
    } else {
        return {};
    }
    const auto machine = fmt::format("{}|{}|{}|{}", cpu::processor_name(), cpu::isa_name(cpu::best_isa()),
                                     TORCH_VERSION, version_and_revision());
    return folder / "stl" / fmt::format("choices-{}.json", crc_text(crc32c(machine)));
}

}  // namespace stl
