#include "stl/pickle/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "stl/core/error.h"
#include "stl/core/json.h"

namespace stl::pickle {
namespace {

constexpr std::uint64_t max_header = 100'000'000;  // the reference implementation's limit

constexpr std::array<std::pair<const char*, DType>, 10> dtypes{{{"F32", DType::f32},
                                                                {"F64", DType::f64},
                                                                {"F16", DType::f16},
                                                                {"BF16", DType::bf16},
                                                                {"I64", DType::i64},
                                                                {"I32", DType::i32},
                                                                {"I16", DType::i16},
                                                                {"I8", DType::i8},
                                                                {"U8", DType::u8},
                                                                {"BOOL", DType::boolean}}};

DType dtype_of(const std::string& name, const std::string& where) {
    const auto* found = std::ranges::find_if(dtypes, [&](const auto& pair) { return name == pair.first; });
    if (found == dtypes.end()) fail("{}: elements of type '{}' are not supported", where, name.substr(0, 20));
    return found->second;
}

const char* name_of(DType dtype) {
    return std::ranges::find_if(dtypes, [&](const auto& pair) { return dtype == pair.second; })->first;
}

std::uint64_t header_size(std::span<const std::byte> bytes) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    return size;
}

/// A name out of the file, fit for a message of one line.
std::string shown(const std::string& name) {
    std::string text = name.substr(0, 80);
    std::ranges::replace_if(
        text, [](char c) { return c >= 0 && c < ' '; }, '?');
    return text;
}

/// The header's members and their order. Not core's JSON, which looks each new key up one by one: a header
/// may be made to hold very many.
struct Header {
    Header(std::string_view text, const std::string& where) {
        const auto callback = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
            if (depth > 8) fail("{}: header: nested more than 8 deep", where);
            if (event == nlohmann::json::parse_event_t::key && depth == 1)
                names.push_back(parsed.get<std::string>());
            return true;
        };
        try {
            json = nlohmann::json::parse(text, callback);
        } catch (const nlohmann::json::exception&) {
            fail("{}: header: not valid JSON", where);
        }
        if (!json.is_object()) fail("{}: header: no object {{...}}", where);
        if (json.size() != names.size()) fail("{}: header: a name stands twice", where);
    }

    nlohmann::json json;
    std::vector<std::string> names;
};

std::map<std::string, std::string> read_metadata(const nlohmann::json& json, const std::string& where) {
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : json.items()) {
        if (!value.is_string()) fail("{}: not an object of strings", where);
        out.emplace(key, value.get<std::string>());
    }
    return out;
}

SafeTensor read_tensor(const std::string& name, const nlohmann::json& json, std::span<const std::byte> data,
                       const std::string& where) {
    if (json.size() != 3) fail("{}: expected dtype, shape and data_offsets", where);
    Fields fields(Json(json), where);
    SafeTensor tensor;
    tensor.name = name;
    tensor.dtype = dtype_of(fields.require<std::string>("dtype"), where);
    tensor.shape = fields.require<std::vector<std::int64_t>>("shape");
    const auto offsets = fields.require<std::vector<std::int64_t>>("data_offsets");
    fields.finish();
    if (tensor.shape.size() > 16) fail("{}: {} dimensions", where, tensor.shape.size());
    std::int64_t size = 0;
    if (__builtin_mul_overflow(element_count(tensor.shape, where),
                               static_cast<std::int64_t>(dtype_size(tensor.dtype)), &size)) {
        fail("{}: impossible shape {}", where, to_string(tensor.shape));
    }
    if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0] ||
        static_cast<std::uint64_t>(offsets[1]) > data.size()) {
        fail("{}: its bytes lie outside the file (truncated?)", where);
    }
    if (offsets[1] - offsets[0] != size) {
        fail("{}: {} bytes for shape {} of {}", where, offsets[1] - offsets[0], to_string(tensor.shape),
             dtype_name(tensor.dtype));
    }
    tensor.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(size));
    return tensor;
}

}  // namespace

bool SafeTensors::looks_like_one(std::span<const std::byte> start) {
    return start.size() > 8 && header_size(start) <= max_header && start[8] == std::byte{'{'};
}

SafeTensors::SafeTensors(const fs::path& path) : file(path) {
    const auto where = path.string();
    const auto bytes = file.bytes();
    if (bytes.size() < 8) fail("{}: not a safetensors file ({} bytes)", where, bytes.size());
    const auto size = header_size(bytes);
    if (size > bytes.size() - 8 || size > max_header) {
        fail("{}: not a safetensors file, or truncated (a header of {} in a file of {})", where,
             bytes_text(size), bytes_text(bytes.size()));
    }
    const Header header({reinterpret_cast<const char*>(bytes.data() + 8), size}, where);
    for (const auto& name : header.names) {
        const auto& json = header.json.at(name);
        const auto where_name = where + ": " + shown(name);
        if (name == "__metadata__") {
            metadata = read_metadata(json, where_name);
        } else {
            tensors.push_back(read_tensor(name, json, bytes.subspan(8 + size), where_name));
        }
    }
}

void write_safetensors(const fs::path& path, const std::string& shown_as,
                       const std::vector<SafeTensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    // Wide elements first, so that every tensor is aligned; the header keeps the given order.
    std::vector<std::size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater{},
                             [&](std::size_t i) { return dtype_size(tensors[i].dtype); });
    std::vector<std::int64_t> begin(tensors.size());
    std::vector<std::int64_t> size(tensors.size());
    std::int64_t position = 0;
    for (const auto i : order) {
        begin[i] = position;
        size[i] = element_count(tensors[i].shape, shown_as) *
                  static_cast<std::int64_t>(dtype_size(tensors[i].dtype));
        position += size[i];
    }
    Json header = Json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        header[tensors[i].name] = {{"dtype", name_of(tensors[i].dtype)},
                                   {"shape", tensors[i].shape},
                                   {"data_offsets", {begin[i], begin[i] + size[i]}}};
    }
    auto text = header.dump();
    text.append((64 - (8 + text.size()) % 64) % 64, ' ');

    std::ofstream out(path, std::ios::binary);
    const std::uint64_t text_size = text.size();
    out.write(reinterpret_cast<const char*>(&text_size), sizeof text_size);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const auto i : order) {
        std::int64_t written = 0;
        tensors[i].write([&](std::span<const std::byte> bytes) {
            out.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
            written += static_cast<std::int64_t>(bytes.size());
        });
        if (written != size[i])
            fail("{}: {} bytes of {} where {} were due", shown_as, written, tensors[i].name, size[i]);
        if (!out) break;
    }
    out.close();
    if (!out) fail("{}: cannot be written (is the disk full?)", shown_as);
}

}  // namespace stl::pickle
