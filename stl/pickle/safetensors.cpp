#include "stl/pickle/safetensors.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <unordered_set>
#include <utility>

#include "stl/core/byte_order.h"
#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/json.h"
#include "stl/core/memory.h"
#include "stl/core/utf8.h"

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
    if (found == dtypes.end())
        fail("{}: elements of type '{}' are not supported", where, printable(name).substr(0, 20));
    return found->second;
}

const char* name_of(DType dtype) {
    return std::ranges::find_if(dtypes, [&](const auto& pair) { return dtype == pair.second; })->first;
}

std::uint64_t header_size(std::span<const std::byte> bytes) {
    return little_endian(bytes.first(8));
}

/// One member of the header, as it stands there.
struct Member {
    std::string name, dtype;
    std::optional<Shape> shape, offsets;
};

/// Reads the header as a stream of events: a document of its own would look every new name up among all
/// others.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit HeaderReader(std::string where) : where_(std::move(where)) {}

    std::vector<Member> members;
    std::map<std::string, std::string> metadata;

    bool start_object(std::size_t /*count*/) override {
        if (++depth_ > 2 || in_list_) refuse();
        if (depth_ == 2 && !in_metadata_) members.push_back({name_, "", {}, {}});
        return true;
    }
    bool end_object() override {
        --depth_;
        return true;
    }
    bool key(std::string& text) override {
        (depth_ == 1 ? name_ : field_) = text;
        if (depth_ != 1) return true;
        in_metadata_ = text == "__metadata__";
        if (!names_.insert(text).second) fail("{}: {} stands twice", where_, printable(text));
        return true;
    }
    bool string(std::string& text) override {
        if (depth_ != 2 || in_list_) refuse();
        if (in_metadata_) {
            metadata[field_] = text;
        } else if (field_ == "dtype") {
            members.back().dtype = text;
        } else {
            refuse();
        }
        return true;
    }
    bool start_array(std::size_t /*count*/) override {
        if (depth_ != 2 || in_list_ || in_metadata_) refuse();
        list().emplace();
        in_list_ = true;
        return true;
    }
    bool end_array() override {
        in_list_ = false;
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (!in_list_ || value > INT64_MAX) refuse();
        list()->push_back(static_cast<std::int64_t>(value));
        if (list()->size() > 16)
            fail("{}: {}.{}: more than 16 numbers", where_, printable(name_), printable(field_));
        return true;
    }
    bool number_integer(number_integer_t /*value*/) override { return refuse(); }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return refuse(); }
    bool null() override { return refuse(); }
    bool boolean(bool /*value*/) override { return refuse(); }
    bool binary(binary_t& /*value*/) override { return refuse(); }
    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const nlohmann::json::exception&) override {
        fail("{}: header: not valid JSON at byte {}", where_, position);
    }

  private:
    std::optional<Shape>& list() {
        if (field_ == "shape") return members.back().shape;
        if (field_ == "data_offsets") return members.back().offsets;
        refuse();
        return members.back().shape;
    }
    bool refuse() const {
        if (depth_ < 2) fail("{}: header: expected {{name: {{dtype, shape, data_offsets}}}}", where_);
        fail(
            "{}: {}.{}: expected {}", where_, printable(name_), printable(field_),
            in_metadata_ ? "a string" : "dtype (a string), shape and data_offsets (lists of numbers from 0)");
    }

    std::string where_, name_, field_;
    std::unordered_set<std::string> names_;
    int depth_ = 0;
    bool in_metadata_ = false, in_list_ = false;
};

SafeTensor read_tensor(const Member& member, std::span<const std::byte> data, const std::string& where) {
    if (!member.shape || !member.offsets || member.dtype.empty()) {
        fail("{}: expected dtype, shape and data_offsets", where);
    }
    SafeTensor tensor{member.name, dtype_of(member.dtype, where), *member.shape, {}, {}};
    std::int64_t size = 0;
    if (__builtin_mul_overflow(element_count(tensor.shape, where),
                               static_cast<std::int64_t>(dtype_size(tensor.dtype)), &size)) {
        fail("{}: impossible shape {}", where, to_string(tensor.shape));
    }
    const auto& offsets = *member.offsets;
    if (offsets.size() != 2 || offsets[1] < offsets[0] ||
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

constexpr const char* digests_key = "stl_digests";

/// Of what a header says, whatever the order and spelling of its JSON: other programs may write the file anew.
template <class Tensors>
std::string header_digest(const Tensors& tensors, const std::map<std::string, std::string>& metadata) {
    std::map<std::string, Json> sorted;
    for (const auto& tensor : tensors) sorted[tensor.name] = {name_of(tensor.dtype), tensor.shape};
    auto crc = crc32c(to_line(metadata));
    for (const auto& [name, kind] : sorted) crc = crc32c(to_line(Json{name, kind}), crc);
    return crc_text(crc);
}

/// Gives the tensors the digests that the metadata has, and removes them from it.
void take_digests(SafeTensors& file, const std::string& where) {
    const auto found = file.metadata.find(digests_key);
    if (found == file.metadata.end()) return;
    const auto require = [&](bool holds) {
        if (!holds) fail("{}: damaged header: it is not what its digest says", where);
    };
    // Not a Json, which looks names up one by one: there may be many.
    using Members = nlohmann::json;
    const auto digests = Members::parse(found->second, nullptr, /*allow_exceptions=*/false);
    file.metadata.erase(found);
    require(digests.is_object() && digests.contains("tensors") && digests["tensors"].is_object());
    require(digests.value("header", Members()) == header_digest(file.tensors, file.metadata));
    for (auto& tensor : file.tensors) {
        const auto digest = digests["tensors"].find(tensor.name);
        require(digest != digests["tensors"].end() && digest->is_string());
        tensor.digest = digest->get<std::string>();
    }
}

}  // namespace

bool SafeTensor::whole() const {
    return !digest || *digest == crc_text(crc32c(bytes));
}

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
    HeaderReader header(where);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data() + 8), size);
    nlohmann::json::sax_parse(text, &header);
    for (const auto& member : header.members) {
        tensors.push_back(
            read_tensor(member, bytes.subspan(8 + size), where + ": " + printable(member.name)));
    }
    metadata = std::move(header.metadata);
    take_digests(*this, where);
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
    std::vector<std::uint32_t> crcs(tensors.size());
    const auto header = [&] {
        Json digests{{"header", header_digest(tensors, metadata)}, {"tensors", Json::object()}};
        for (std::size_t i = 0; i < tensors.size(); ++i)
            digests["tensors"][tensors[i].name] = crc_text(crcs[i]);
        auto all = metadata;
        all[digests_key] = to_line(digests);
        Json members{{"__metadata__", all}};
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            members[tensors[i].name] = {{"dtype", name_of(tensors[i].dtype)},
                                        {"shape", tensors[i].shape},
                                        {"data_offsets", {begin[i], begin[i] + size[i]}}};
        }
        auto text = members.dump();
        text.append((64 - (8 + text.size()) % 64) % 64, ' ');
        const std::uint64_t text_size = text.size();
        return std::string(reinterpret_cast<const char*>(&text_size), sizeof text_size) + text;
    };

    std::ofstream out(path, std::ios::binary);
    out << header();  // as long as it will be with the digests
    for (const auto i : order) {
        std::int64_t written = 0;
        tensors[i].write([&](std::span<const std::byte> bytes) {
            out.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
            crcs[i] = crc32c(bytes, crcs[i]);
            written += static_cast<std::int64_t>(bytes.size());
        });
        if (written != size[i])
            fail("{}: {} bytes of {}, expected {}", shown_as, written, tensors[i].name, size[i]);
        if (!out) break;
    }
    out.seekp(0);
    out << header();
    out.close();
    if (!out) fail("{}: cannot be written (is the disk full?)", shown_as);
}

}  // namespace stl::pickle
