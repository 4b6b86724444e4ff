#include "stl/pickle/value.h"

#include <unordered_map>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/utf8.h"

namespace stl::pickle {

Value Value::find(std::string_view key) const {
    const auto* dict = as<Dict>();
    if (dict == nullptr) return {};
    for (auto it = dict->entries.rbegin(); it != dict->entries.rend(); ++it) {
        const auto* text = it->key.as<std::string_view>();
        if (text != nullptr && *text == key) return it->value;
    }
    return {};
}

std::string Value::describe() const {
    struct Describe {
        std::string operator()(bool b) const { return b ? "True" : "False"; }
        std::string operator()(std::int64_t n) const { return fmt::format("the number {}", n); }
        std::string operator()(double x) const { return fmt::format("the number {}", x); }
        std::string operator()(std::string_view) const { return "a text"; }
        std::string operator()(Bytes) const { return "bytes"; }
        std::string operator()(const List& list) const {
            constexpr const char* names[]{"a tuple", "a list", "a set"};
            return names[static_cast<std::size_t>(list.sequence)];
        }
        std::string operator()(const Dict&) const { return "a dictionary"; }
        std::string operator()(const Global& g) const {
            return fmt::format("the name {}.{}", printable(g.module), printable(g.name));
        }
        std::string operator()(const Object& o) const {
            return fmt::format("a {}.{}", printable(o.type.module), printable(o.type.name));
        }
        std::string operator()(const Tensor&) const { return "a tensor"; }
        std::string operator()(const StorageView&) const { return "a storage"; }
        std::string operator()(const BigInteger&) const { return "a long integer"; }
    };
    return is_none() ? "None" : std::visit(Describe{}, node_->payload);
}

Value Arena::make(Node node) {
    charge(1);
    return Value(&nodes_.emplace_back(std::move(node)));
}

std::string_view Arena::keep(std::string text) {
    charge(1 + text.size() / sizeof(Node));
    return texts_.emplace_back(std::move(text));
}

void Arena::charge(std::size_t count) {
    if (count > limit - used_) fail("more than {} values in a pickle", limit);
    used_ += count;
}

namespace {

/// Converts with a bound on depth and on the number of values: shared parts are written out each time they
/// occur.
class JsonConverter {
  public:
    explicit JsonConverter(const std::string& where) : where_(where) {}

    /// False where JSON has no word for the value.
    bool convert(Value value, Json& out, int depth = 0) {
        if (depth > 64) fail("{}: nested more than 64 deep", where_);
        if (++values_ > std::size_t{1} << 20) fail("{}: more than {} values", where_, std::size_t{1} << 20);
        if (value.is_none()) {
            out = nullptr;
        } else if (const auto* b = value.as<bool>()) {
            out = *b;
        } else if (const auto* n = value.as<std::int64_t>()) {
            out = *n;
        } else if (const auto* x = value.as<double>()) {
            out = *x;
        } else if (const auto* text = value.as<std::string_view>()) {
            out = std::string(*text);
        } else if (const auto* big = value.as<BigInteger>()) {
            return convert_big(*big, out);
        } else if (const auto* list = value.as<List>()) {
            convert_list(*list, out, depth);
        } else if (const auto* dict = value.as<Dict>()) {
            convert_dict(*dict, out, depth);
        } else if (const auto* object = value.as<Object>(); object && object->type.role == Role::name_space) {
            return convert(object->state, out, depth + 1);
        } else {
            return false;
        }
        return true;
    }

  private:
    static bool convert_big(const BigInteger& big, Json& out) {
        if (big.bytes.size() != 9 || big.bytes[8] != std::byte{0}) return false;
        out = little_endian(big.bytes.first(8));
        return true;
    }

    void convert_list(const List& list, Json& out, int depth) {
        out = Json::array();
        for (const auto& item : list.items) {
            Json element;
            convert(item, element, depth + 1);
            out.push_back(std::move(element));
        }
    }

    void convert_dict(const Dict& dict, Json& out, int depth) {
        out = Json::object();
        // Appended directly, with an index of our own: ordered_json looks every new key up one by one.
        auto& members = out.get_ref<Json::object_t&>();
        std::unordered_map<std::string, std::size_t> index;
        for (const auto& [key, value] : dict.entries) {
            std::string name;
            if (const auto* text = key.as<std::string_view>()) {
                name = *text;
            } else if (const auto* n = key.as<std::int64_t>()) {
                name = std::to_string(*n);
            } else {
                continue;
            }
            Json element;
            if (!convert(value, element, depth + 1)) continue;
            const auto [place, fresh] = index.emplace(name, members.size());
            if (fresh) {
                members.emplace_back(std::move(name), std::move(element));
            } else {
                (members.begin() + static_cast<std::ptrdiff_t>(place->second))->second = std::move(element);
            }
        }
    }

    const std::string& where_;
    std::size_t values_ = 0;
};

}  // namespace

Json to_json(Value value, const std::string& where) {
    Json out;
    JsonConverter(where).convert(value, out);
    return out;
}

std::int64_t to_integer(Value value, const std::string& where) {
    if (const auto* n = value.as<std::int64_t>()) return *n;
    fail("{}: {} where an integer was expected", where, value.describe());
}

double to_real(Value value, const std::string& where) {
    if (const auto* x = value.as<double>()) return *x;
    return static_cast<double>(to_integer(value, where));
}

}  // namespace stl::pickle
