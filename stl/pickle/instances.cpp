// What the known calls make.

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "stl/core/error.h"
#include "stl/pickle/machine.h"

namespace stl::pickle {
namespace {

constexpr std::size_t max_rank = 16;

template <class T>
T& argument(const List& arguments, std::size_t index, const char* what) {
    if (index >= arguments.items.size()) fail("{} is missing", what);
    auto* value = arguments.items[index].as<T>();
    if (value == nullptr) fail("{} where {} was expected", arguments.items[index].describe(), what);
    return *value;
}

Shape integers(const List& list, const char* what) {
    if (list.items.size() > max_rank) fail("{} of {} dimensions", what, list.items.size());
    Shape out;
    for (const auto& item : list.items) out.push_back(to_integer(item, what));
    return out;
}

/// Arguments: storage, offset, shape, strides, ... ; `dtype` if it is not the storage's.
Value make_tensor(Arena& arena, const List& arguments, std::optional<DType> dtype) {
    const auto& storage = argument<StorageView>(arguments, 0, "a storage");
    Tensor tensor;
    tensor.storage = storage.storage;
    tensor.dtype = dtype.value_or(storage.dtype);
    const auto scale = static_cast<std::int64_t>(dtype_size(tensor.dtype));
    const auto base = storage.offset * static_cast<std::int64_t>(dtype_size(storage.dtype));
    tensor.offset = argument<std::int64_t>(arguments, 1, "a storage offset");
    if (base % scale != 0 || __builtin_add_overflow(tensor.offset, base / scale, &tensor.offset) ||
        tensor.offset < 0) {
        fail("impossible storage offset");
    }
    tensor.shape = integers(argument<List>(arguments, 2, "a shape"), "a shape");
    tensor.strides = integers(argument<List>(arguments, 3, "strides"), "strides");
    if (tensor.shape.size() != tensor.strides.size()) {
        fail("shape {} with strides {}", to_string(tensor.shape), to_string(tensor.strides));
    }
    return arena.make({std::move(tensor)});
}

/// torch._tensor._rebuild_from_type_v2(function, type, arguments, state): a tensor with attributes.
Value make_from_type(Arena& arena, const List& arguments) {
    const auto& function = argument<Global>(arguments, 0, "a function");
    if (function.role == Role::unknown) return arena.make({Object{function, arguments.items.back(), {}}});
    const bool plain = function.role == Role::tensor_v1 || function.role == Role::tensor_v2 ||
                       function.role == Role::tensor_v3 || function.role == Role::parameter;
    if (!plain) fail("a tensor made by {}.{}", function.module, function.name);
    argument<List>(arguments, 2, "arguments");
    return make_instance(arena, arguments.items[0], arguments.items[2]);
}

/// _codecs.encode(text, 'latin1'): each character is one byte.
Value make_bytes(Arena& arena, const List& arguments) {
    const auto text = argument<std::string_view>(arguments, 0, "a text");
    const auto codec = argument<std::string_view>(arguments, 1, "a codec");
    if (codec != "latin1") fail("bytes in a codec other than latin1");
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x80) {
            if (c > 0xc3 || ++i == text.size()) fail("a character beyond latin1");
            c = static_cast<unsigned char>((c & 0x03) << 6 | (static_cast<unsigned char>(text[i]) & 0x3f));
        }
        bytes += static_cast<char>(c);
    }
    return arena.make({std::as_bytes(std::span(arena.keep(std::move(bytes))))});
}

template <class T>
T load(Bytes bytes) {
    T value;
    if (bytes.size() != sizeof value) fail("a numpy scalar of {} bytes", bytes.size());
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

/// numpy.core.multiarray.scalar(dtype, bytes): the number, or an inert object where it is none of the usual.
Value make_numpy_scalar(Arena& arena, const Global& type, Value arguments) {
    const auto inert = [&] { return arena.make({Object{type, arguments, {}}}); };
    const auto& list = *arguments.as<List>();
    const auto& dtype = argument<Object>(list, 0, "a numpy dtype");
    const auto* names = dtype.arguments.as<List>();
    const auto* state = dtype.state.as<List>();
    if (list.items.size() < 2 || !names || names->items.empty()) return inert();
    const auto* name = names->items[0].as<std::string_view>();
    const auto* bytes = list.items[1].as<Bytes>();
    if (!name || !bytes) return inert();
    if (state && state->items.size() > 1) {
        const auto* order = state->items[1].as<std::string_view>();
        if (order && *order == ">") return inert();
    }
    const auto integer = [&](auto value) { return arena.make({static_cast<std::int64_t>(value)}); };
    const auto real = [&](double value) { return arena.make({value}); };
    if (*name == "f8") return real(load<double>(*bytes));
    if (*name == "f4") return real(load<float>(*bytes));
    if (*name == "f2") return real(half_to_double(load<std::uint16_t>(*bytes)));
    if (*name == "i8") return integer(load<std::int64_t>(*bytes));
    if (*name == "i4") return integer(load<std::int32_t>(*bytes));
    if (*name == "i2") return integer(load<std::int16_t>(*bytes));
    if (*name == "i1") return integer(load<std::int8_t>(*bytes));
    if (*name == "u4") return integer(load<std::uint32_t>(*bytes));
    if (*name == "u2") return integer(load<std::uint16_t>(*bytes));
    if (*name == "u1") return integer(load<std::uint8_t>(*bytes));
    if (*name == "b1") return arena.make({load<std::uint8_t>(*bytes) != 0});
    return inert();
}

/// OrderedDict(), OrderedDict([[key, value], ...]), dict({...}), defaultdict(factory).
Value make_dictionary(Arena& arena, const List& arguments) {
    Dict dict;
    for (const auto& argument : arguments.items) {
        if (const auto* other = argument.as<Dict>()) {
            arena.charge(other->entries.size());
            dict = *other;
        }
        const auto* pairs = argument.as<List>();
        if (!pairs) continue;
        arena.charge(pairs->items.size());
        for (const auto& item : pairs->items) {
            const auto* pair = item.as<List>();
            if (!pair || pair->items.size() != 2) fail("a dictionary made of {}", item.describe());
            dict.entries.push_back({pair->items[0], pair->items[1]});
        }
    }
    return arena.make({std::move(dict)});
}

/// set([...]), torch.Size([...]), ...
Value make_sequence(Arena& arena, const Global& type, const List& arguments) {
    const auto kind = type.name.ends_with("set")                    ? Sequence::set
                      : type.name == "tuple" || type.name == "Size" ? Sequence::tuple
                                                                    : Sequence::list;
    List out{kind, {}};
    if (!arguments.items.empty()) {
        if (arguments.items[0].as<Object>()) return arena.make({Object{type, arguments.items[0], {}}});
        const auto* items = arguments.items[0].as<List>();
        if (items == nullptr) fail("{}.{} of {}", type.module, type.name, arguments.items[0].describe());
        arena.charge(items->items.size());
        out.items = items->items;
    }
    return arena.make({std::move(out)});
}

/// getattr(OneCycleLR, '_annealing_cos'), which torch 1.x wrote: noted, not looked up.
Value make_attribute(Arena& arena, const Global& type, Value arguments) {
    const auto& list = *arguments.as<List>();
    const auto owner = list.items.empty() ? Value{} : list.items[0];
    const auto* name = owner.as<Global>();
    const auto* object = owner.as<Object>();
    const bool allowed =
        (name && (name->role == Role::scheduler || name->role == Role::unknown)) ||
        (object && (object->type.role == Role::scheduler || object->type.role == Role::unknown));
    if (!allowed) fail("getattr on {} is not on the list of what a checkpoint may hold", owner.describe());
    argument<std::string_view>(list, 1, "an attribute's name");
    return arena.make({Object{type, arguments, {}}});
}

}  // namespace

Value make_instance(Arena& arena, Value callable, Value arguments) {
    const auto* type = callable.as<Global>();
    const auto* list = arguments.as<List>();
    // What an inert function would have made: a nested class, a partial function.
    if (const auto* object = callable.as<Object>()) return arena.make({Object{object->type, arguments, {}}});
    if (type == nullptr) fail("{} can't be called", callable.describe());
    if (list == nullptr || list->sequence != Sequence::tuple) {
        fail("{}.{} with {} for arguments", type->module, type->name, arguments.describe());
    }
    switch (type->role) {
        case Role::tensor_v1:
        case Role::tensor_v2:
            return make_tensor(arena, *list, {});
        case Role::tensor_v3: {
            const auto& dtype = argument<Global>(*list, 6, "a dtype");
            if (dtype.role != Role::dtype) fail("{} where a dtype was expected", list->items[6].describe());
            return make_tensor(arena, *list, dtype.dtype);
        }
        case Role::parameter:
            if (!list->items.empty() && list->items[0].as<Object>()) return list->items[0];
            argument<Tensor>(*list, 0, "a tensor");
            return list->items[0];
        case Role::from_type:
            return make_from_type(arena, *list);
        case Role::dictionary:
            return make_dictionary(arena, *list);
        case Role::sequence:
            return make_sequence(arena, *type, *list);
        case Role::encode:
            return make_bytes(arena, *list);
        case Role::reconstructor: {
            // _reconstructor(class, base, state)
            auto& cls = argument<Global>(*list, 0, "a class");
            return arena.make({Object{cls, arguments, {}}});
        }
        case Role::attribute:
            return make_attribute(arena, *type, arguments);
        case Role::numpy_scalar:
            return make_numpy_scalar(arena, *type, arguments);
        case Role::storage_type:
        case Role::dtype:
            fail("{}.{} can't be called", type->module, type->name);
        case Role::scheduler:
        case Role::numpy_dtype:
        case Role::name_space:
        case Role::inert:
        case Role::unknown:
            return arena.make({Object{*type, arguments, {}}});
    }
    fail("{}.{} can't be called", type->module, type->name);
}

}  // namespace stl::pickle
