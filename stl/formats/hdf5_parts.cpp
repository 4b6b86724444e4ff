#include "stl/formats/hdf5_parts.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/file_checks.h"

namespace stl::hdf5 {
namespace {

constexpr auto settings_name = "settings";

/// Settings are a help and no more: damaged ones are left out.
Json json_or_null(const std::string& text) {
    try {
        return parse_json(text, "settings");
    } catch (const Error&) {
        return nullptr;
    }
}

/// Empty where there is no such attribute.
std::vector<double> read_numbers(hid_t dataset, const char* name, const std::string& where) {
    if (H5Aexists(dataset, name) <= 0) return {};
    const auto value = read_attribute(dataset, name);
    if (value.is_number()) return {value.get<double>()};
    if (!value.is_array()) fail("{}: its attribute '{}' is not a number: correct or delete it", where, name);
    return value.get<std::vector<double>>();
}

double read_number(hid_t dataset, const char* name, double otherwise, const std::string& where) {
    const auto values = read_numbers(dataset, name, where);
    if (values.empty()) return otherwise;
    if (values.size() == 1 && std::isfinite(values.front())) return values.front();
    fail("{}: its attribute '{}' is not one finite number: correct or delete it", where, name);
}

}  // namespace

BlockReader::BlockReader(hid_t dataset, FileSizes files, std::string where)
    : dataset_(dataset),
      files_(std::move(files)),
      where_(std::move(where)),
      chunks_(ChunkReader::make(dataset, where_)) {}

void BlockReader::read(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                       void* out) const {
    files_.require_whole();  // or else what is missing is called damaged
    if (chunks_)
        read_packed(start, size, type, out);
    else
        read_plain(start, size, type, out);
    files_.require_whole();
}

std::string BlockReader::slow_at_random() const {
    const Lock lock;
    return chunks_ ? chunks_->slow_at_random(dataset_shape(dataset_)) : "";
}

void BlockReader::read_plain(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                             void* out) const {
    const Lock lock;
    const Handle here(H5Dget_space(dataset_), H5Sclose);
    const Handle there(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(here.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dread(dataset_, type, there.get(), here.get(), H5P_DEFAULT, out) < 0) {
        fail("{}: row {} cannot be read ({})", where_, start.front(), reason());
    }
}

void BlockReader::read_packed(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                              void* out) const {
    const auto elements = std::accumulate(size.begin(), size.end(), hsize_t{1}, std::multiplies<>());
    std::size_t stored_size = 0;
    std::size_t wanted_size = 0;
    Handle stored;
    {
        const Lock lock;
        wanted_size = H5Tget_size(type);
        stored = Handle(H5Dget_type(dataset_), H5Tclose);
        if (H5Tequal(stored.get(), type) == 0) stored_size = H5Tget_size(stored.get());
    }
    if (stored_size == 0) return chunks_->read(start, size, static_cast<std::byte*>(out));
    std::vector<std::byte> values(elements * std::max(stored_size, wanted_size));
    chunks_->read(start, size, values.data());
    const Lock lock;
    if (H5Tconvert(stored.get(), type, elements, values.data(), nullptr, H5P_DEFAULT) < 0) {
        fail("{}: values cannot be converted ({})", where_, reason());
    }
    std::memcpy(out, values.data(), elements * wanted_size);
}

RowWriter::RowWriter(const fs::path& file, Layout layout, std::string where)
    : layout_(std::move(layout)), where_(std::move(where)) {
    const Lock lock;
    file_ = create_file(file);
    if (!file_.valid()) fail("{}: cannot be written ({})", where_, reason());
    create_dataset();
}

RowWriter::~RowWriter() {
    const Lock lock;
    dataset_.close();
    file_.close();
}

std::vector<hsize_t> RowWriter::extent(std::int64_t rows) const {
    std::vector<hsize_t> sizes{static_cast<hsize_t>(rows)};
    sizes.insert(sizes.end(), layout_.row.begin(), layout_.row.end());
    return sizes;
}

void RowWriter::create_dataset() {
    const bool growing = layout_.count == unknown_count;
    const auto size = extent(growing ? 0 : layout_.count);
    auto largest = size;
    if (growing) largest[0] = H5S_UNLIMITED;
    const auto rank = static_cast<int>(size.size());
    const std::vector<hsize_t> chunk(layout_.chunk.begin(), layout_.chunk.end());
    const Handle creation = checked_creation(chunk, layout_.compression);
    // Of a chunk of several rows the last may be written in part.
    if (chunk.front() == 1) H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
    // Whole chunks are written once: without a cache they go straight to the file.
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    H5Pset_chunk_cache(access.get(), 1, 0, 1.0);
    create_groups(file_.get(), layout_.dataset);
    const Handle space(H5Screate_simple(rank, size.data(), largest.data()), H5Sclose);
    const hid_t type = layout_.dtype == DType::u8 ? H5T_STD_U8LE : H5T_IEEE_F32LE;
    dataset_ = Handle(H5Dcreate2(file_.get(), layout_.dataset.c_str(), type, space.get(), H5P_DEFAULT,
                                 creation.get(), access.get()),
                      H5Dclose);
    if (!dataset_.valid()) fail("{}: dataset '{}' cannot be made ({})", where_, layout_.dataset, reason());
}

void RowWriter::append(const void* values, std::int64_t rows) {
    if (rows == 0) return;
    const auto size = extent(rows);
    std::vector<hsize_t> start(size.size());
    start[0] = static_cast<hsize_t>(rows_);
    const hid_t type = layout_.dtype == DType::u8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    const Lock lock;
    if (layout_.count == unknown_count && H5Dset_extent(dataset_.get(), extent(rows_ + rows).data()) < 0)
        fail_writing(where_);
    if (layout_.compression == 0 && std::ranges::equal(layout_.chunk, extent(1))) {
        write_chunks(static_cast<const std::byte*>(values), rows);
        rows_ += rows;
        return;
    }
    const Handle there(H5Dget_space(dataset_.get()), H5Sclose);
    const Handle here(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(there.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dwrite(dataset_.get(), type, here.get(), there.get(), H5P_DEFAULT, values) < 0) {
        fail_writing(where_);
    }
    rows_ += rows;
}

void RowWriter::write_chunks(const std::byte* values, std::int64_t rows) const {
    static_assert(std::endian::native == std::endian::little, "values are stored as they are");
    auto start = extent(0);
    std::size_t bytes = dtype_size(layout_.dtype);
    for (const auto size : layout_.row) bytes *= static_cast<std::size_t>(size);
    std::vector<std::byte> chunk(bytes + sizeof(std::uint32_t));
    std::ranges::fill(start, 0);
    for (std::int64_t i = 0; i < rows; ++i, values += bytes) {
        std::memcpy(chunk.data(), values, bytes);
        const auto checksum = chunk_checksum({values, bytes});
        std::memcpy(chunk.data() + bytes, &checksum, sizeof checksum);
        start[0] = static_cast<hsize_t>(rows_ + i);
        if (H5Dwrite_chunk(dataset_.get(), H5P_DEFAULT, 0, start.data(), chunk.size(), chunk.data()) < 0)
            fail_writing(where_);
    }
}

void RowWriter::close() {
    const Lock lock;
    if (H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) < 0 || !dataset_.close() || !file_.close())
        fail_writing(where_);
}

void fail_writing(const std::string& where) {
    fail("{}: cannot be written ({}; is the disk full?)", where, reason());
}

std::string beside(const std::string& dataset, const std::string& name) {
    const auto slash = dataset.rfind('/');
    return (slash == std::string::npos ? "" : dataset.substr(0, slash + 1)) + name;
}

namespace {

/// The dataset `settings` beside the dataset `name`, if there is one, into info.
void read_long_settings(InputFile& file, const std::string& name, SequenceInfo& info) {
    const auto own = beside(name, settings_name);
    if (own == name || !file.has(own)) return;
    const auto dataset = file.dataset(own);
    const auto shape = dataset_shape(dataset.get());
    const auto where = file.where(own);
    // Others may have datasets of this name that are something else.
    if (shape.size() != 1 || shape[0] < 1 ||
        H5Tget_class(Handle(H5Dget_type(dataset.get()), H5Tclose).get()) != H5T_INTEGER)
        return;
    if (static_cast<std::uint64_t>(shape[0]) > most_json_bytes) return;
    std::string text(static_cast<std::size_t>(shape[0]), '\0');
    if (H5Dread(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) < 0)
        fail("{}: cannot be read ({})", where, reason());
    auto settings = json_or_null(text);
    if (settings.is_object()) info.attributes.update(settings);
}

}  // namespace

void read_description(hid_t dataset, InputFile& file, const std::string& name, const Packing& packing,
                      SequenceInfo& info) {
    const auto attribute = [&](const char* key) {
        auto value = read_attribute(dataset, key);
        return value.is_null() ? read_attribute(file.get(), key) : value;
    };
    if (const auto fps = attribute("fps"); fps.is_number()) info.fps = fps.get<double>();
    if (const auto settings = attribute(settings_name); settings.is_string()) {
        auto object = json_or_null(settings.get<std::string>());
        if (object.is_object()) info.attributes = std::move(object);
    }
    if (auto source = attribute("source"); source.is_string()) info.attributes["source"] = std::move(source);
    const auto mean = attribute("mean"), deviation = attribute("std");
    if ((mean.is_number() || mean.is_array()) && (deviation.is_number() || deviation.is_array())) {
        info.attributes["mean"] = mean;
        info.attributes["std"] = deviation;
    }
    // CF's names give values as stored, ours as they are meant.
    const auto meant = [&](double stored) { return stored * packing.scale + packing.offset; };
    auto range = ValueRange::from_json(attribute("range"));
    for (const auto& stored :
         {attribute("valid_range"), Json::array({attribute("valid_min"), attribute("valid_max")})}) {
        const auto found = ValueRange::from_json(stored);
        if (found && !range) range = ValueRange{meant(found->low), meant(found->high)};
    }
    if (range && info.dtype == DType::u8) range = ValueRange{range->low / 255, range->high / 255};
    if (range) info.range = range;
    read_long_settings(file, name, info);
}

Packing read_packing(hid_t dataset, const std::string& where) {
    Packing packing{read_number(dataset, "scale_factor", 1, where),
                    read_number(dataset, "add_offset", 0, where)};
    if (packing.scale == 0) fail("{}: its attribute 'scale_factor' is 0: correct or delete it", where);
    for (const char* name : {"_FillValue", "missing_value"}) {
        for (const double value : read_numbers(dataset, name, where))
            packing.missing.push_back(static_cast<float>(value));
    }
    return packing;
}

void write_description(hid_t dataset, hid_t file, const std::string& name, const WriteOptions& options,
                       const std::string& where) {
    if (options.fps > 0) write_attribute(dataset, "fps", options.fps, where);
    auto settings = options.attributes;
    if (settings.contains("source")) {
        write_attribute(dataset, "source", settings["source"], where);
        settings.erase("source");
    }
    for (const char* name : {"mean", "std", "range"}) {
        if (settings.contains(name)) write_attribute(dataset, name, settings[name], where);
    }
    if (settings.empty()) return;
    constexpr std::size_t attribute_limit = 60000;  // 64 KiB, with what HDF5 adds
    const auto text = to_line(settings);
    if (text.size() <= attribute_limit) return write_attribute(dataset, settings_name, settings, where);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    write_marks(file, beside(name, settings_name), {bytes, text.size()}, where);
}

std::vector<std::uint8_t> read_marks(InputFile& file, const std::string& name, std::int64_t count) {
    const auto dataset = file.dataset(name);
    const auto shape = dataset_shape(dataset.get());
    const auto where = file.where(name);
    if (shape != Shape{count}) {
        fail("{}: shape {}, expected [{}], a mark for each sequence", where, to_string(shape), count);
    }
    if (dataset_dtype(dataset.get(), where) != DType::u8) fail("{}: expected uint8 values", where);
    require_memory(static_cast<std::uint64_t>(count), where);
    std::vector<std::uint8_t> marks(static_cast<std::size_t>(count));
    if (H5Dread(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, marks.data()) < 0) {
        fail("{}: cannot be read ({})", where, reason());
    }
    check_split(marks, where);
    return marks;
}

void write_marks(hid_t file, const std::string& name, std::span<const std::uint8_t> marks,
                 const std::string& where) {
    const hsize_t size = marks.size(), chunk = std::min<hsize_t>(size, 1 << 20);
    const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
    const Handle split(H5Dcreate2(file, name.c_str(), H5T_STD_U8LE, space.get(), H5P_DEFAULT,
                                  checked_creation({&chunk, 1}).get(), H5P_DEFAULT),
                       H5Dclose);
    if (!split.valid() ||
        H5Dwrite(split.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, marks.data()) < 0) {
        fail_writing(where);
    }
}

}  // namespace stl::hdf5
