#include "stl/core/external_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(ExternalFiles, OnlyThoseInTheFolderOrBelowLieBesideAFile) {
    const test::TemporaryFolder folder;
    fs::create_directories(folder / "d/below");
    fs::create_directories(folder / "dd");
    for (const auto* name : {"d/a", "d/b", "d/below/c", "dd/e", "f"}) write_text(folder / name, "x");
    fs::create_symlink(folder / "f", folder / "d/inside");
    fs::create_symlink(folder / "d/b", folder / "outside");
    const auto beside = [&](const std::string& other) { return lies_beside(folder / "d/a", folder / other); };
    EXPECT_TRUE(beside("d/b"));
    EXPECT_TRUE(beside("d/below/c"));
    EXPECT_TRUE(beside("d/below/../b"));
    EXPECT_TRUE(beside("outside"));
    EXPECT_FALSE(beside("f"));
    EXPECT_FALSE(beside("d/../f"));
    EXPECT_FALSE(beside("d/inside"));
    EXPECT_FALSE(beside("dd/e"));
    EXPECT_FALSE(lies_beside(folder / "d/below/c", folder / "d/a"));
}

TEST(ExternalFiles, OthersAreRefusedUnlessAllowed) {
    const test::TemporaryFolder folder;
    fs::create_directories(folder / "d");
    for (const auto* name : {"d/a", "f"}) write_text(folder / name, "x");
    EXPECT_THAT(error_of([&] { require_allowed(folder / "d/a", folder / "f", {}); }),
                AllOf(StartsWith((folder / "d/a").string() + ": refers to "),
                      HasSubstr((folder / "f").string()), HasSubstr("--allow-external")));
    EXPECT_NO_THROW(require_allowed(folder / "d/a", folder / "f", {.allowed = true}));
}

}  // namespace
}  // namespace stl
