// Interprets a pickle (protocols 0 to 5) without running anything: names are looked up in a list, and what the
// few known calls would make is made here as plain values. Other names become inert placeholders.
//
// Source for the opcodes: CPython's Lib/pickletools.py; for what torch writes: torch/_utils.py,
// torch/serialization.py. Memory is bounded by the pickle's own size (every opcode makes at most one small
// value) and by Arena::limit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stl/pickle/value.h"

namespace stl::pickle {

class Machine {
  public:
    /// What a persistent id (a tuple ('storage', type, key, location, count)) stands for.
    using Persistent = std::function<StorageView(const List& id)>;

    /// `bytes` starts with the pickle and must live as long as the arena's values.
    Machine(Arena& arena, Bytes bytes, Persistent persistent);

    /// The value of the first pickle in `bytes`. Error "byte 17: ..." if it is damaged or truncated.
    Value run();
    /// Where that pickle ended.
    std::size_t position() const { return position_; }

  private:
    // Input.
    std::uint8_t byte();
    Bytes take(std::uint64_t count);
    std::uint64_t little_endian(int bytes);
    std::string_view line();
    std::string_view text(Bytes bytes) const;

    // Stack.
    void push(Value value);
    template <class T>
    void make(T payload) {
        push(arena_.make({std::move(payload)}));
    }
    Value pop();
    Value& top();
    void push_mark();
    std::vector<Value> pop_to_mark();
    void memorize(std::uint64_t index);
    void recall(std::uint64_t index);

    // Opcodes by kind; false if `op` is none of theirs.
    bool step(std::uint8_t op);
    bool step_number(std::uint8_t op);
    bool step_text(std::uint8_t op);
    bool step_container(std::uint8_t op);
    bool step_memo(std::uint8_t op);
    bool step_object(std::uint8_t op);

    void long_integer(Bytes bytes);
    void decimal(std::string_view digits);
    void sequence(Sequence kind, std::vector<Value> items);
    void append(std::vector<Value> items);
    void set_items(std::vector<Value> keys_and_values);
    void build(Value state);
    void persistent_id(Value id);
    Value global(std::string_view module, std::string_view name);

    Arena& arena_;
    Bytes bytes_;
    Persistent persistent_;
    std::size_t position_ = 0;
    std::vector<Value> stack_;
    std::vector<std::size_t> marks_;
    std::vector<std::optional<Value>> memo_;
};

/// What calling `callable` with `arguments` (a tuple) makes: a value for the calls that are known, else an inert
/// object.
Value make_instance(Arena& arena, Value callable, Value arguments);

}  // namespace stl::pickle
