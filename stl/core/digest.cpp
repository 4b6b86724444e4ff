#include "stl/core/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "stl/core/error.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace stl {
namespace {

using Table = std::array<std::uint32_t, 256>;

/// tables[k][b]: of byte b with k zero bytes after it (reflected polynomial 0x1edc6f41).
constexpr std::array<Table, 8> tables = [] {
    constexpr std::uint32_t polynomial = 0x82f63b78;
    std::array<Table, 8> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ polynomial : crc >> 1;
        t[0][i] = crc;
    }
    for (std::size_t k = 1; k < t.size(); ++k) {
        for (std::size_t i = 0; i < 256; ++i) t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 0xff];
    }
    return t;
}();

std::uint32_t crc_by_tables(const std::byte* at, std::size_t size, std::uint32_t crc) {
    for (; size >= 8; size -= 8, at += 8) {
        std::uint32_t next = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const auto byte = std::to_integer<std::uint32_t>(at[i]) ^ (i < 4 ? crc >> 8 * i & 0xff : 0);
            next ^= tables[7 - i][byte];
        }
        crc = next;
    }
    for (; size > 0; --size, ++at)
        crc = tables[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xff] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc_by_instruction(const std::byte* at, std::size_t size,
                                                                   std::uint32_t crc) {
    std::uint64_t wide = crc;
    for (; size >= 8; size -= 8, at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, at, 8);
        wide = _mm_crc32_u64(wide, eight);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (; size > 0; --size, ++at) crc = _mm_crc32_u8(crc, std::to_integer<std::uint8_t>(*at));
    return crc;
}
#endif

using Crc = std::uint32_t (*)(const std::byte*, std::size_t, std::uint32_t);

Crc fastest_crc() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return crc_by_instruction;
#endif
    return crc_by_tables;
}

std::ifstream open_binary(const fs::path& path) {
    require_regular_file(path);
    std::ifstream in(path, std::ios::binary);
    if (!in) fail_call(errno, "{}: cannot be opened ({})", path.string(), std::strerror(errno));
    return in;
}

class Sha256 {
  public:
    Sha256() {
        if (EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) fail("SHA-256 is not available");
    }
    void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
        std::string text;
        for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
    static const Crc crc = fastest_crc();
    return ~crc(bytes.data(), bytes.size(), ~before);
}

std::uint32_t crc32c(std::string_view text, std::uint32_t before) {
    return crc32c(std::as_bytes(std::span(text)), before);
}

std::string crc_text(std::uint32_t crc) {
    return fmt::format("{:08x}", crc);
}

std::string sha256_file(const fs::path& path) {
    auto in = open_binary(path);
    Sha256 digest;
    std::string block(1 << 20, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())), in.gcount() > 0)
        digest.add({block.data(), static_cast<std::size_t>(in.gcount())});
    return digest.hex();
}

std::string sample_digest(const fs::path& path) {
    constexpr std::uintmax_t blocks = 64, block_size = 64 << 10;
    auto in = open_binary(path);
    const auto size = fs::file_size(path);
    Sha256 digest;
    digest.add(std::to_string(size));
    std::string block(block_size, '\0');
    // The first block begins the file and the last one ends it; those of a small file follow one another.
    const bool small = size <= blocks * block_size;
    const auto stride = small ? block_size : (size - block_size) / (blocks - 1);
    for (std::uintmax_t i = 0; i < blocks; ++i) {
        const auto start = small || i + 1 < blocks ? i * stride : size - block_size;
        if (start >= size) break;
        in.clear();
        in.seekg(static_cast<std::streamoff>(start));
        in.read(block.data(), static_cast<std::streamsize>(block.size()));
        digest.add({block.data(), static_cast<std::size_t>(in.gcount())});
    }
    return digest.hex();
}

}  // namespace stl
