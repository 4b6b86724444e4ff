#include "stl/train/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <protozero/pbf_builder.hpp>

#include "stl/core/digest.h"
#include "stl/core/error.h"

namespace stl {
namespace {

template <class T>
std::string little_endian(T value) {
    static_assert(std::endian::native == std::endian::little);
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
}

std::uint32_t masked(std::string_view bytes) {
    return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
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

TensorBoardWriter::TensorBoardWriter(const fs::path& folder) {
    const auto path = folder / fmt::format("events.out.tfevents.{}.stl", static_cast<std::int64_t>(now()));
    out_.open(path, std::ios::binary | std::ios::app);
    if (!out_) fail("{}: cannot be written", path.string());
    write_record(
        event_of([](Message<EventField>& event) { event.add_string(EventField::version, "brain.Event:2"); }));
}

void TensorBoardWriter::write_record(const std::string& event) {
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

EventCheck check_events(const fs::path& file) {
    constexpr std::size_t length_size = 8, crc_size = 4;
    const auto text = read_text(file);
    std::string_view rest(text);
    EventCheck found;
    const auto is = [&](std::size_t at, std::string_view of) {
        return rest.substr(at, crc_size) == little_endian(masked(of));
    };
    for (; !rest.empty(); ++found.whole) {
        if (rest.size() < length_size + crc_size) return found;
        std::uint64_t length = 0;
        std::memcpy(&length, rest.data(), length_size);
        found.damaged = !is(length_size, rest.substr(0, length_size));
        const auto data = length_size + crc_size;
        if (found.damaged || length > rest.size() - data || rest.size() - data - length < crc_size)
            return found;
        found.damaged = !is(data + length, rest.substr(data, length));
        if (found.damaged) return found;
        rest.remove_prefix(data + length + crc_size);
    }
    return found;
}

}  // namespace stl
