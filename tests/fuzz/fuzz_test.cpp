// Every reader over a corpus of changed files: an Error or a value, in bounded time and memory. Under
// sanitizers (cmake --preset asan) the reads themselves are checked.
//
//   STL_FUZZ_INPUTS=20000   inputs for every reader (300 unless told otherwise)
//   STL_FUZZ_SEED=7         another stream of changes
//   STL_FUZZ_FILE=a.bin     this file alone, of the target that --gtest_filter chooses
//
// When the program dies the input lies in the folder that it names at the start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <set>

#include "stl/core/error.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/targets.h"
#include "tests/fuzz/work_folder.h"

namespace stl::fuzz {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto longest = 5s;                       // of one input, on a busy machine
constexpr std::int64_t most_memory = 1024 * 1024;  // KiB that the inputs of a target may add

std::uint64_t setting(const char* name, std::uint64_t fallback) {
    const char* text = std::getenv(name);
    return text == nullptr ? fallback : std::stoull(text);
}

/// KiB; sanitizers' own included.
std::int64_t peak_memory() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

Input input_of(const std::string& bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

class Fuzz : public testing::TestWithParam<Target> {};

TEST_P(Fuzz, ReadsOrRefusesWhateverComes) {
    const auto& target = GetParam();
    if (const char* file = std::getenv("STL_FUZZ_FILE")) {
        target.run(input_of(read_text(file)));
        return;
    }
    const auto seeds = target.seeds();
    for (const auto& seed : seeds) target.run(input_of(seed));
    const auto before = peak_memory();
    const auto stream = setting("STL_FUZZ_SEED", 0);
    const auto inputs = setting("STL_FUZZ_INPUTS", 300);
    RecordProperty("last_input", (work_folder() / "last").string());
    for (std::uint64_t i = 0; i < inputs; ++i) {
        StreamRandom random(stream, i);
        const auto bytes = mutated(seeds, random);
        put_file("last", bytes);
        const auto start = Clock::now();
        target.run(input_of(bytes));
        ASSERT_LT(Clock::now() - start, longest) << "input " << i << " of stream " << stream;
        ASSERT_LT(peak_memory() - before, most_memory) << "input " << i << " of stream " << stream;
    }
}

INSTANTIATE_TEST_SUITE_P(Readers, Fuzz, testing::ValuesIn(targets()),
                         [](const auto& info) { return info.param.name; });

TEST(Mutations, AreManyAndTheSameForTheSameSeed) {
    const std::vector<std::string> seeds{std::string(400, 'a'), "0123456789"};
    std::set<std::string> seen;
    for (std::uint64_t i = 0; i < 200; ++i) {
        StreamRandom one(1, i), two(1, i), other(2, i);
        const auto bytes = mutated(seeds, one);
        EXPECT_EQ(bytes, mutated(seeds, two));
        seen.insert(bytes);
        seen.insert(mutated(seeds, other));
    }
    EXPECT_GT(seen.size(), 380U);
}

TEST(Targets, UnknownOnesAreNamed) {
    EXPECT_THROW(find_target("jpg"), Error);
    EXPECT_EQ(find_target("png").name, "png");
}

}  // namespace
}  // namespace stl::fuzz
