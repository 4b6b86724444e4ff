// What a Tuner remembers, and that it stays with the first candidate unless another is clearly quicker.
#include "stl/runtime/tuner.h"

#include <gtest/gtest.h>

#include <fstream>

#include "stl/core/clock.h"
#include "stl/core/json.h"
#include "tests/support/checks.h"
#include "tests/support/environment.h"

namespace stl {
namespace {

using test::TemporaryFolder;

/// Counts its runs, and spins for so long in each.
struct Spinning {
    double seconds;
    int runs = 0;

    Candidate named(const std::string& name) {
        return {name, [this] {
                    ++runs;
                    const auto start = Clock::now();
                    while (seconds_since(start) < seconds) {
                    }
                }};
    }
};

TEST(Tuner, ChoosesTheQuickest) {
    Tuner tuner({});
    Spinning slow{.seconds = 4e-3}, quick{.seconds = 1e-5};
    const Candidate first_slow[] = {slow.named("slow"), quick.named("quick")};
    EXPECT_EQ(tuner.choose("a", first_slow), 1U);
    const Candidate first_quick[] = {quick.named("quick"), slow.named("slow")};
    EXPECT_EQ(tuner.choose("b", first_quick), 0U);
    EXPECT_EQ(tuner.choices(), (Choices{{"a", "quick"}, {"b", "quick"}}));
}

TEST(Tuner, RemembersInItsFile) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "cache" / "choices.json";
    Spinning slow{.seconds = 4e-3}, quick{.seconds = 1e-5};
    const Candidate candidates[] = {slow.named("slow"), quick.named("quick")};
    Tuner first(file);
    first.choose("a", candidates);
    EXPECT_FALSE(fs::exists(file));
    first.save();
    const int runs = slow.runs;
    EXPECT_GT(runs, 0);
    // Another process measures other work meanwhile; neither loses the other's.
    Tuner second(file), third(file);
    EXPECT_EQ(second.choose("a", candidates), 1U);
    EXPECT_EQ(slow.runs, runs) << "measured again";
    second.choose("b", candidates);
    third.choose("c", candidates);
    second.save();
    third.save();
    EXPECT_EQ(Tuner(file).choices(), (Choices{{"a", "quick"}, {"b", "quick"}, {"c", "quick"}}));
}

TEST(Tuner, ObeysItsFile) {
    const TemporaryFolder folder;
    const auto file = folder / "choices.json";
    write_json(file, {{"choices", {{"a", "slow"}, {"b", "no longer there"}}}});
    Spinning slow{.seconds = 4e-3}, quick{.seconds = 1e-5};
    const Candidate candidates[] = {quick.named("quick"), slow.named("slow")};
    Tuner tuner(file);
    EXPECT_EQ(tuner.choose("a", candidates), 1U);
    EXPECT_EQ(quick.runs + slow.runs, 0);
    EXPECT_EQ(tuner.choose("b", candidates), 0U);
    EXPECT_GT(slow.runs, 0);
}

TEST(Tuner, ADamagedFileCountsAsEmpty) {
    const TemporaryFolder folder;
    const auto file = folder / "choices.json";
    for (const auto* text : {"", "{", "[]", "{\"choices\": 7}", "{\"choices\": {\"a\": 7}}", "\xff\xfe"}) {
        std::ofstream(file) << text;
        EXPECT_TRUE(Tuner(file).choices().empty()) << text;
    }
    fs::remove(file);
    fs::create_directory(file);
    Spinning quick{.seconds = 1e-5};
    const Candidate candidates[] = {quick.named("quick")};
    Tuner tuner(file);
    EXPECT_EQ(tuner.choose("a", candidates), 0U);
    EXPECT_NO_THROW(tuner.save()) << "a folder is in its place";
}

TEST(Tuner, StopsMeasuringWhenItsTimeIsUp) {
    Tuner tuner({}, /*seconds=*/0);
    Spinning slow{.seconds = 4e-3}, quick{.seconds = 1e-5};
    const Candidate candidates[] = {slow.named("slow"), quick.named("quick")};
    EXPECT_EQ(tuner.choose("a", candidates), 0U);
    EXPECT_EQ(slow.runs, 0);
    EXPECT_TRUE(tuner.choices().empty()) << "to be measured by the next process";
}

TEST(Tuner, ItsFileIsInTheUsersCacheFolder) {
    {
        const EnvironmentVariable cache("XDG_CACHE_HOME", "/some/cache");
        EXPECT_EQ(choices_file().parent_path(), "/some/cache/stl");
    }
    const EnvironmentVariable cache("XDG_CACHE_HOME", "");
    {
        const EnvironmentVariable home("HOME", "/some/home");
        EXPECT_EQ(choices_file().parent_path(), "/some/home/.cache/stl");
    }
    const EnvironmentVariable home("HOME", "");
    EXPECT_TRUE(choices_file().empty());
}

}  // namespace
}  // namespace stl
