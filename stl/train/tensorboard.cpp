#include "stl/train/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <protozero/pbf_builder.hpp>

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

// Fields of the protocol buffers in event.proto and summary.proto.
enum class EventField : std::uint32_t { seconds = 1, step = 2, version = 3, summary = 5, session = 7 };
enum class SummaryField : std::uint32_t { value = 1 };
enum class ValueField : std::uint32_t { tag = 1, number = 2 };
enum class SessionField : std::uint32_t { status = 1 };

template <class Field>
using Message = protozero::pbf_builder<Field>;

double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Of this moment, with what `fill` adds.
template <class Fill>
std::string event_of(Fill fill) {
    std::string bytes;
    Message<EventField> event(bytes);
    event.add_double(EventField::seconds, now());
    fill(event);
    return bytes;
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
    write_record(
        event_of([](Message<EventField>& event) { event.add_string(EventField::version, "brain.Event:2"); }));
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
    constexpr std::int32_t start = 1;  // SessionLog.SessionStatus
    write_record(event_of([&](Message<EventField>& event) {
        event.add_int64(EventField::step, step);
        Message<SessionField>(event, EventField::session).add_enum(SessionField::status, start);
    }));
}

void TensorBoardWriter::add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
    write_record(event_of([&](Message<EventField>& event) {
        event.add_int64(EventField::step, step);
        Message<SummaryField> summary(event, EventField::summary);
        for (const auto& [tag, number] : scalars) {
            Message<ValueField> value(summary, SummaryField::value);
            value.add_string(ValueField::tag, tag);
            value.add_float(ValueField::number, static_cast<float>(number));
        }
    }));
}

}  // namespace stl
