#include "stl/core/digest.h"

#include "tests/support/files.h"

namespace stl {
namespace {

/// RFC 3720, appendix B.4.
TEST(Digest, CrcOfRfc3720) {
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc_text(crc32c("123456789")), "e3069283");
}

TEST(Digest, CrcOfPiecesIsThatOfTheWhole) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += static_cast<char>(i * i);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const auto whole = std::string_view(text);
        EXPECT_EQ(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))), crc32c(whole)) << cut;
    }
}

TEST(Digest, OfAFileIsSha256) {
    const test::TemporaryFolder folder;
    write_text(folder / "a", "abc");
    EXPECT_EQ(sha256_file(folder / "a"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    write_text(folder / "b", "");
    EXPECT_EQ(sha256_file(folder / "b"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, ASampleFindsAnotherFile) {
    const test::TemporaryFolder folder;
    const auto file = folder / "a";
    const auto digest = [&](const std::string& bytes) {
        write_text(file, bytes);
        return sample_digest(file);
    };
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{1} << 16, std::size_t{5} << 20}) {
        SCOPED_TRACE(size);
        std::string bytes(size, 'x');
        const auto whole = digest(bytes);
        EXPECT_EQ(digest(bytes), whole);
        EXPECT_NE(digest(bytes + "x"), whole);
        if (size == 0) continue;
        for (const std::size_t at : {std::size_t{0}, size - 1}) {
            auto other = bytes;
            other[at] = 'y';
            EXPECT_NE(digest(other), whole) << at;
        }
    }
}

}  // namespace
}  // namespace stl
