#include "stl/pickle/machine.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/utf8.h"

namespace stl::pickle {
namespace {

// Opcodes, named as in CPython.
enum Op : std::uint8_t {
    MARK = '(',
    STOP = '.',
    POP = '0',
    POP_MARK = '1',
    DUP = '2',
    FLOAT = 'F',
    INT = 'I',
    BININT = 'J',
    BININT1 = 'K',
    LONG = 'L',
    BININT2 = 'M',
    NONE = 'N',
    PERSID = 'P',
    BINPERSID = 'Q',
    REDUCE = 'R',
    STRING = 'S',
    BINSTRING = 'T',
    SHORT_BINSTRING = 'U',
    UNICODE = 'V',
    BINUNICODE = 'X',
    APPEND = 'a',
    BUILD = 'b',
    GLOBAL = 'c',
    DICT = 'd',
    EMPTY_DICT = '}',
    APPENDS = 'e',
    GET = 'g',
    BINGET = 'h',
    INST = 'i',
    LONG_BINGET = 'j',
    LIST = 'l',
    EMPTY_LIST = ']',
    OBJ = 'o',
    PUT = 'p',
    BINPUT = 'q',
    LONG_BINPUT = 'r',
    SETITEM = 's',
    TUPLE = 't',
    EMPTY_TUPLE = ')',
    SETITEMS = 'u',
    BINFLOAT = 'G',
    PROTO = 0x80,
    NEWOBJ = 0x81,
    TUPLE1 = 0x85,
    TUPLE2 = 0x86,
    TUPLE3 = 0x87,
    NEWTRUE = 0x88,
    NEWFALSE = 0x89,
    LONG1 = 0x8a,
    LONG4 = 0x8b,
    BINBYTES = 'B',
    SHORT_BINBYTES = 'C',
    SHORT_BINUNICODE = 0x8c,
    BINUNICODE8 = 0x8d,
    BINBYTES8 = 0x8e,
    EMPTY_SET = 0x8f,
    ADDITEMS = 0x90,
    FROZENSET = 0x91,
    NEWOBJ_EX = 0x92,
    STACK_GLOBAL = 0x93,
    MEMOIZE = 0x94,
    FRAME = 0x95,
    BYTEARRAY8 = 0x96,
};

std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Machine::Machine(Arena& arena, Bytes bytes, Persistent persistent)
    : arena_(arena), bytes_(bytes), persistent_(std::move(persistent)) {}

Value Machine::run() {
    std::size_t start = 0;
    try {
        for (;;) {
            start = position_;
            const auto op = byte();
            if (op == STOP) break;
            if (!step(op)) fail("opcode 0x{:02x} is not known", op);
        }
        if (stack_.size() != 1 || !marks_.empty()) {
            fail("{} values and {} marks are left where one value was expected", stack_.size(),
                 marks_.size());
        }
        return pop();
    } catch (const Error& error) {
        fail("byte {}: {}", start, error.what());
    }
}

// ---- input

std::uint8_t Machine::byte() {
    return std::to_integer<std::uint8_t>(take(1)[0]);
}

Bytes Machine::take(std::uint64_t count) {
    const auto left = bytes_.size() - position_;
    if (count > left) fail("truncated: {} bytes announced, {} are left", count, left);
    const auto part = bytes_.subspan(position_, count);
    position_ += count;
    return part;
}

std::uint64_t Machine::little_endian(int count) {
    return stl::little_endian(take(static_cast<std::uint64_t>(count)));
}

std::string_view Machine::line() {
    const auto rest = as_text(bytes_.subspan(position_));
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) fail("truncated: a line without an end");
    position_ += end + 1;
    return rest.substr(0, end);
}

std::string_view Machine::text(Bytes bytes) const {
    if (!is_utf8(as_text(bytes))) fail("a string is not valid UTF-8");
    return as_text(bytes);
}

// ---- stack

void Machine::push(Value value) {
    if (stack_.size() >= Arena::limit) fail("more than {} values on the stack", Arena::limit);
    stack_.push_back(value);
}

Value& Machine::top() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) fail("the stack is empty");
    return stack_.back();
}

Value Machine::pop() {
    const Value value = top();
    stack_.pop_back();
    return value;
}

void Machine::push_mark() {
    if (marks_.size() >= Arena::limit) fail("more than {} marks", Arena::limit);
    marks_.push_back(stack_.size());
}

std::vector<Value> Machine::pop_to_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    marks_.pop_back();
    std::vector<Value> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
}

void Machine::memorize(std::uint64_t index) {
    // Whoever writes pickles counts up: an index beyond the bytes read so far is damage.
    if (index > position_ || index >= Arena::limit) fail("memo index {} is out of range", index);
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = top();
}

void Machine::recall(std::uint64_t index) {
    if (index >= memo_.size() || !memo_[index]) fail("memo index {} was never set", index);
    push(*memo_[index]);
}

// ---- opcodes

bool Machine::step(std::uint8_t op) {
    return step_number(op) || step_text(op) || step_container(op) || step_memo(op) || step_object(op);
}

bool Machine::step_number(std::uint8_t op) {
    switch (op) {
        case NONE:
            push({});
            break;
        case NEWTRUE:
            make(true);
            break;
        case NEWFALSE:
            make(false);
            break;
        case BININT:
            make(std::int64_t{static_cast<std::int32_t>(little_endian(4))});
            break;
        case BININT1:
            make(std::int64_t{byte()});
            break;
        case BININT2:
            make(static_cast<std::int64_t>(little_endian(2)));
            break;
        case LONG1:
            long_integer(take(byte()));
            break;
        case LONG4:
            long_integer(take(little_endian(4)));
            break;
        case INT:
            decimal(line());
            break;
        case LONG:
            decimal(line());
            break;
        case BINFLOAT: {
            auto bits = little_endian(8);
            make(std::bit_cast<double>(__builtin_bswap64(bits)));  // the one big-endian number
            break;
        }
        case FLOAT: {
            const auto digits = line();
            double value = 0;
            const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
            if (code != std::errc{} || end != digits.data() + digits.size()) {
                fail("'{}' is not a number", printable(digits));
            }
            make(value);
            break;
        }
        default:
            return false;
    }
    return true;
}

void Machine::long_integer(Bytes bytes) {
    if (bytes.size() > 8) return make(BigInteger{bytes});
    const auto value = stl::little_endian(bytes);
    const auto unused = 64 - 8 * static_cast<int>(bytes.size());
    // The sign stands in the last byte's highest bit.
    make(unused == 64 ? std::int64_t{0} : static_cast<std::int64_t>(value << unused) >> unused);
}

void Machine::decimal(std::string_view digits) {
    if (digits == "00") return make(false);
    if (digits == "01") return make(true);
    if (digits.ends_with('L')) digits.remove_suffix(1);
    const auto* end_of_digits = digits.data() + digits.size();
    std::int64_t value = 0;
    if (const auto [end, code] = std::from_chars(digits.data(), end_of_digits, value);
        code == std::errc{} && end == end_of_digits) {
        return make(value);
    }
    std::uint64_t large = 0;
    const auto [end, code] = std::from_chars(digits.data(), end_of_digits, large);
    if (end != end_of_digits || code == std::errc::invalid_argument)
        fail("'{}' is not an integer", printable(digits));
    if (code == std::errc::result_out_of_range) return make(BigInteger{});
    std::string bytes(9, '\0');
    std::memcpy(bytes.data(), &large, sizeof large);
    make(BigInteger{std::as_bytes(std::span(arena_.keep(std::move(bytes))))});
}

bool Machine::step_text(std::uint8_t op) {
    switch (op) {
        case BINUNICODE:
            make(text(take(little_endian(4))));
            break;
        case SHORT_BINUNICODE:
            make(text(take(byte())));
            break;
        case BINUNICODE8:
            make(text(take(little_endian(8))));
            break;
        case UNICODE:
            make(text(std::as_bytes(std::span(line()))));
            break;
        case BINBYTES:
            make(take(little_endian(4)));
            break;
        case SHORT_BINBYTES:
            make(take(byte()));
            break;
        case BINBYTES8:
        case BYTEARRAY8:
            make(take(little_endian(8)));
            break;
        // Python 2's str: a text where it can be one.
        case STRING:
        case BINSTRING:
        case SHORT_BINSTRING: {
            auto value = op == STRING ? line() : as_text(take(op == BINSTRING ? little_endian(4) : byte()));
            if (op == STRING) {
                if (value.size() < 2 || value.front() != value.back()) fail("a string without quotes");
                value = value.substr(1, value.size() - 2);
            }
            is_utf8(value) ? make(value) : make(std::as_bytes(std::span(value)));
            break;
        }
        default:
            return false;
    }
    return true;
}

bool Machine::step_container(std::uint8_t op) {
    switch (op) {
        case MARK:
            push_mark();
            break;
        case POP:
            // Python lets POP take a mark too.
            if (!marks_.empty() && marks_.back() == stack_.size()) {
                marks_.pop_back();
            } else {
                pop();
            }
            break;
        case POP_MARK:
            pop_to_mark();
            break;
        case DUP:
            push(top());
            break;
        case EMPTY_TUPLE:
            sequence(Sequence::tuple, {});
            break;
        case EMPTY_LIST:
            sequence(Sequence::list, {});
            break;
        case EMPTY_SET:
            sequence(Sequence::set, {});
            break;
        case EMPTY_DICT:
            make(Dict{});
            break;
        case TUPLE:
            sequence(Sequence::tuple, pop_to_mark());
            break;
        case LIST:
            sequence(Sequence::list, pop_to_mark());
            break;
        case FROZENSET:
            sequence(Sequence::set, pop_to_mark());
            break;
        case TUPLE1:
        case TUPLE2:
        case TUPLE3: {
            std::vector<Value> items(static_cast<std::size_t>(op - TUPLE1 + 1));
            for (auto it = items.rbegin(); it != items.rend(); ++it) *it = pop();
            sequence(Sequence::tuple, std::move(items));
            break;
        }
        case DICT: {
            auto items = pop_to_mark();
            make(Dict{});
            set_items(std::move(items));
            break;
        }
        case APPEND:
            append({pop()});
            break;
        case APPENDS:
        case ADDITEMS:
            append(pop_to_mark());
            break;
        case SETITEM: {
            const auto value = pop();
            const auto key = pop();
            set_items({key, value});
            break;
        }
        case SETITEMS:
            set_items(pop_to_mark());
            break;
        default:
            return false;
    }
    return true;
}

void Machine::sequence(Sequence kind, std::vector<Value> items) {
    make(List{kind, std::move(items)});
}

void Machine::append(std::vector<Value> items) {
    const auto target = top();
    if (target.as<Object>()) return;  // a list's subclass that nobody needs
    auto* list = target.as<List>();
    if (list == nullptr || list->sequence == Sequence::tuple)
        fail("{} can't be appended to", target.describe());
    list->items.insert(list->items.end(), items.begin(), items.end());
}

void Machine::set_items(std::vector<Value> keys_and_values) {
    const auto target = top();
    if (keys_and_values.size() % 2 != 0) fail("a key without a value");
    if (target.as<Object>()) return;
    auto* dict = target.as<Dict>();
    if (dict == nullptr) fail("{} takes no keys", target.describe());
    for (std::size_t i = 0; i < keys_and_values.size(); i += 2) {
        dict->entries.push_back({keys_and_values[i], keys_and_values[i + 1]});
    }
}

bool Machine::step_memo(std::uint8_t op) {
    const auto index_of_line = [this] {
        const auto digits = line();
        std::uint64_t index = 0;
        const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
        if (code != std::errc{} || end != digits.data() + digits.size())
            fail("'{}' is not an index", printable(digits));
        return index;
    };
    switch (op) {
        case PUT:
            memorize(index_of_line());
            break;
        case BINPUT:
            memorize(byte());
            break;
        case LONG_BINPUT:
            memorize(little_endian(4));
            break;
        case MEMOIZE:
            memorize(memo_.size());
            break;
        case GET:
            recall(index_of_line());
            break;
        case BINGET:
            recall(byte());
            break;
        case LONG_BINGET:
            recall(little_endian(4));
            break;
        case PROTO:
            if (const auto version = byte(); version > 5) fail("pickle protocol {} is not known", version);
            break;
        case FRAME: {
            const auto size = little_endian(8);
            const auto left = bytes_.size() - position_;
            if (size > left) fail("truncated: a frame of {} bytes, {} are left", size, left);
            break;
        }
        default:
            return false;
    }
    return true;
}

bool Machine::step_object(std::uint8_t op) {
    switch (op) {
        case GLOBAL: {
            const auto module = line();
            push(global(module, line()));
            break;
        }
        case STACK_GLOBAL: {
            const auto name = pop();
            const auto module = pop();
            if (!name.as<std::string_view>() || !module.as<std::string_view>())
                fail("a name that is not text");
            push(global(*module.as<std::string_view>(), *name.as<std::string_view>()));
            break;
        }
        case REDUCE:
        case NEWOBJ: {
            const auto arguments = pop();
            const auto callable = pop();
            push(make_instance(arena_, callable, arguments));
            break;
        }
        case NEWOBJ_EX: {
            pop();  // keyword arguments: no class with any is of use
            const auto arguments = pop();
            const auto callable = pop();
            push(make_instance(arena_, callable, arguments));
            break;
        }
        case OBJ:
        case INST: {
            const auto type = op == INST ? [this] { const auto module = line(); return global(module, line()); }()
                                         : Value{};
            auto items = pop_to_mark();
            if (op == OBJ && items.empty()) fail("no class on the stack");
            const auto callable = op == INST ? type : items.front();
            if (op == OBJ) items.erase(items.begin());
            sequence(Sequence::tuple, std::move(items));
            const auto arguments = pop();
            push(make_instance(arena_, callable, arguments));
            break;
        }
        case BUILD:
            build(pop());
            break;
        case BINPERSID:
            persistent_id(pop());
            break;
        case PERSID:
            fail("a persistent id in text form");
        default:
            return false;
    }
    return true;
}

Value Machine::global(std::string_view module, std::string_view name) {
    return arena_.make({find_global(module, name).value_or(Global{Role::unknown, DType::u8, module, name})});
}

void Machine::build(Value state) {
    const auto target = top();
    if (auto* object = target.as<Object>()) {
        object->state = state;
        return;
    }
    // Attributes of dictionaries (_metadata of a state dict), lists and tensors are of no use.
    if (target.as<Dict>() || target.as<List>() || target.as<Tensor>()) return;
    fail("{} takes no state", target.describe());
}

void Machine::persistent_id(Value id) {
    const auto* tuple = id.as<List>();
    if (tuple == nullptr || !persistent_) fail("{} is not a persistent id of a storage", id.describe());
    // The legacy format writes a module's class as ('module', class, source file, source).
    if (tuple->items.size() > 1 && tuple->items[1].as<Global>()) {
        const auto* kind = tuple->items[0].as<std::string_view>();
        if (kind != nullptr && *kind == "module") return push(tuple->items[1]);
    }
    make(persistent_(*tuple));
}

}  // namespace stl::pickle
