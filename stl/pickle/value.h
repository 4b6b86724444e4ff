// What a pickle holds, as plain values: nothing of it is ever called.
//
// Values are handles to nodes of an Arena, which owns them all: shared and even cyclic structures are freed
// together. Texts and bytes view the pickle itself. Whoever walks values bounds the walk (to_json does): a
// small pickle can describe a huge tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/json.h"
#include "stl/pickle/globals.h"

namespace stl::pickle {

struct Node;
struct Entry;
struct Object;
struct Tensor;
struct StorageView;
struct BigInteger;
using Bytes = std::span<const std::byte>;

enum class Sequence : std::uint8_t { tuple, list, set };

/// A handle; valid as long as its Arena. The default one is None.
class Value {
  public:
    Value() = default;
    explicit Value(Node* node) : node_(node) {}

    bool is_none() const { return node_ == nullptr; }
    /// The payload if it is a T, else null. T: bool, std::int64_t, double, std::string_view, Bytes, List,
    /// Dict, Global, Object, Tensor, StorageView, BigInteger.
    template <class T>
    T* as() const;
    /// The dictionary's value under a text key (the last one, as in Python), or None.
    Value find(std::string_view key) const;
    /// "a list", "the number 3", ... for messages.
    std::string describe() const;

    bool operator==(const Value&) const = default;

  private:
    Node* node_ = nullptr;
};

struct List {
    Sequence sequence = Sequence::list;
    std::vector<Value> items;
};
struct Dict {
    std::vector<Entry> entries;
};
struct Entry {
    Value key, value;
};
/// An integer of more than 64 bits: little-endian two's complement (empty where it was written in decimal and
/// is beyond use).
struct BigInteger {
    Bytes bytes;
};
/// An inert instance of a class that is known and not needed.
struct Object {
    Global type;
    Value arguments, state;
};
/// Part of a storage: what a persistent id stands for. Offset and count in elements.
struct StorageView {
    std::uint32_t storage = 0;
    DType dtype = DType::u8;
    std::int64_t offset = 0, count = 0;
};
/// A strided view into a storage; strides and offset in elements of dtype.
struct Tensor {
    std::uint32_t storage = 0;
    DType dtype = DType::f32;
    Shape shape, strides;
    std::int64_t offset = 0;
};

struct Node {
    std::variant<bool, std::int64_t, double, std::string_view, Bytes, List, Dict, Global, Object, Tensor,
                 StorageView, BigInteger>
        payload;
};

template <class T>
T* Value::as() const {
    return node_ == nullptr ? nullptr : std::get_if<T>(&node_->payload);
}

/// Owns nodes, and the few texts that are not in the pickle itself.
class Arena {
  public:
    /// Error beyond `limit` values: no checkpoint has as many.
    Value make(Node node);
    std::string_view keep(std::string text);
    /// Calls function(const T&) for every value with such a payload.
    template <class T, class Function>
    void for_each(Function function) const {
        for (const auto& node : nodes_) {
            if (const auto* payload = std::get_if<T>(&node.payload)) function(*payload);
        }
    }
    /// Before `count` elements are copied: copies count towards the limit too.
    void charge(std::size_t count);

    static constexpr std::size_t limit = std::size_t{1} << 22;

  private:
    std::size_t used_ = 0;
    std::deque<Node> nodes_;
    std::deque<std::string> texts_;
};

/// Plain values as JSON: tuples and sets become arrays, argparse.Namespace its fields, keys texts. Entries
/// that JSON has no word for (tensors, functions, objects, bytes) are left out of dictionaries and are null
/// in lists. Error when the tree is too deep or too large.
Json to_json(Value value, const std::string& where);

/// An integer or a real number; error naming `where` otherwise.
std::int64_t to_integer(Value value, const std::string& where);
double to_real(Value value, const std::string& where);

}  // namespace stl::pickle
