#include "stl/core/utf8.h"

#include <gtest/gtest.h>

namespace stl {
namespace {

TEST(Printable, KeepsTextAndHidesTheRest) {
    EXPECT_EQ(printable("größe_1"), "größe_1");
    EXPECT_EQ(printable("a\x1b[31m\nb\x7f"), "a?[31m?b?");
    EXPECT_EQ(printable("gr\xf6\xdf"
                        "e"),
              "gr??e")
        << "no UTF-8";
    EXPECT_EQ(printable(std::string(200, 'x')).size(), 80);
    EXPECT_TRUE(is_utf8(printable(std::string(79, 'x') + "ö"))) << "cut inside a character";
}

TEST(OnOneLine, KeepsAllButControlCharacters) {
    EXPECT_EQ(on_one_line("größe\n\x1b[2J\x7f" + std::string(200, 'x')),
              "größe??[2J?" + std::string(200, 'x'));
}

}  // namespace
}  // namespace stl
