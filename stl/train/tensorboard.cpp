#include "stl/train/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "stl/core/error.h"

namespace stl {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
        table[i] = value;
    }
    return table;
}();

template <class T>
std::string little_endian(T value) {
    static_assert(std::endian::native == std::endian::little);
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
}

std::string varint(std::uint64_t value) {
    std::string bytes;
    while (value >= 0x80) {
        bytes += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    return bytes + static_cast<char>(value);
}

// Protocol-buffer fields by wire type.
std::string field_double(int number, double v) {
    return varint(number << 3 | 1) + little_endian(v);
}
std::string field_float(int number, float v) {
    return varint(number << 3 | 5) + little_endian(v);
}
std::string field_varint(int number, std::uint64_t v) {
    return varint(number << 3 | 0) + varint(v);
}
std::string field_bytes(int number, const std::string& v) {
    return varint(number << 3 | 2) + varint(v.size()) + v;
}

double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t crc = 0xffffffffU;
    for (const char c : bytes) crc = crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
    return crc ^ 0xffffffffU;
}

TensorBoardWriter::TensorBoardWriter(const fs::path& folder) {
    const auto path = folder / fmt::format("events.out.tfevents.{}.stl", static_cast<std::int64_t>(now()));
    out_.open(path, std::ios::binary | std::ios::app);
    if (!out_) fail("{}: cannot be written", path.string());
    write_record(field_double(1, now()) + field_bytes(3, "brain.Event:2"));
}

void TensorBoardWriter::write_record(const std::string& event) {
    const auto masked = [](std::string_view bytes) {
        const auto crc = crc32c(bytes);
        return std::rotr(crc, 15) + 0xa282ead8U;
    };
    const auto length = little_endian(static_cast<std::uint64_t>(event.size()));
    out_ << length << little_endian(masked(length)) << event << little_endian(masked(event));
    out_.flush();
}

void TensorBoardWriter::restart_at(std::int64_t step) {
    constexpr std::uint64_t start = 1;  // SessionLog.SessionStatus
    write_record(field_double(1, now()) + field_varint(2, static_cast<std::uint64_t>(step)) +
                 field_bytes(7, field_varint(1, start)));
}

void TensorBoardWriter::add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
    std::string summary;
    for (const auto& [tag, value] : scalars) {
        summary += field_bytes(1, field_bytes(1, tag) + field_float(2, static_cast<float>(value)));
    }
    write_record(field_double(1, now()) + field_varint(2, static_cast<std::uint64_t>(step)) +
                 field_bytes(5, summary));
}

}  // namespace stl
