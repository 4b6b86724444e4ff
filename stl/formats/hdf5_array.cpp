#include "stl/formats/hdf5_array.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/hdf5_parts.h"
#include "stl/formats/hdf5_texts.h"

namespace stl {
namespace {

std::vector<std::string> fixed_texts(hid_t dataset, std::int64_t count, const std::string& where) {
    const hdf5::Handle type(H5Dget_type(dataset), H5Tclose);
    const auto length = H5Tget_size(type.get());
    require_memory(2 * static_cast<std::uint64_t>(count) * length, where);
    std::string all(static_cast<std::size_t>(count) * length, '\0');
    if (H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()) < 0) {
        fail("{}: cannot be read ({})", where, hdf5::reason());
    }
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < all.size(); i += length) {
        auto text = all.substr(i, length);
        text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
        texts.push_back(std::move(text));
    }
    return texts;
}

std::vector<std::string> integer_texts(hid_t dataset, std::int64_t count, const std::string& where) {
    require_memory(64 * static_cast<std::uint64_t>(count), where);
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
    if (H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) < 0) {
        fail("{}: cannot be read ({})", where, hdf5::reason());
    }
    std::vector<std::string> texts;
    for (const auto number : numbers) texts.push_back(std::to_string(number));
    return texts;
}

}  // namespace

struct Hdf5Array::Parts {
    Parts(const fs::path& path, ExternalFiles external) : file(path, external) {}

    hdf5::InputFile file;
    hdf5::Handle dataset;
    std::string where;
    Shape shape;
    DType dtype = DType::u8;
    std::int64_t row_elements = 1;
    Packing packing;
    std::unique_ptr<hdf5::BlockReader> blocks;

    ~Parts() {
        const hdf5::Lock lock;
        dataset.close();
        file.close();
    }

    void read(std::int64_t first, std::int64_t count, hid_t type, std::size_t values, void* out) const {
        if (first < 0 || count < 0 || first + count > shape.front() ||
            values != static_cast<std::size_t>(count * row_elements)) {
            fail("{}: rows {} to {} of {} asked for", where, first, first + count, shape.front());
        }
        if (count == 0) return;
        std::vector<hsize_t> start(shape.size());
        std::vector<hsize_t> size(shape.begin(), shape.end());
        start[0] = static_cast<hsize_t>(first);
        size[0] = static_cast<hsize_t>(count);
        blocks->read(start, size, type, out);
    }
};

Hdf5Array::Hdf5Array(const fs::path& path, const std::string& dataset, ExternalFiles external)
    : parts_(std::make_unique<Parts>(path, external)) {
    const hdf5::Lock lock;
    auto& p = *parts_;
    p.where = p.file.where(dataset);
    p.dataset = p.file.dataset(dataset);
    p.shape = hdf5::dataset_shape(p.dataset.get());
    p.dtype = hdf5::dataset_dtype(p.dataset.get(), p.where);
    p.packing = hdf5::read_packing(p.dataset.get(), p.where);
    if (p.shape.empty()) fail("{}: a scalar, expected an array", p.where);
    p.row_elements = element_count(Shape(p.shape.begin() + 1, p.shape.end()), p.where);
    require_memory(static_cast<std::uint64_t>(p.row_elements) * sizeof(double), p.where + ": one row");
    p.blocks = std::make_unique<hdf5::BlockReader>(p.dataset.get(), p.file.sizes(), p.where);
}

Hdf5Array::~Hdf5Array() = default;
Hdf5Array::Hdf5Array(Hdf5Array&&) noexcept = default;
Hdf5Array& Hdf5Array::operator=(Hdf5Array&&) noexcept = default;

const Shape& Hdf5Array::shape() const {
    return parts_->shape;
}

DType Hdf5Array::dtype() const {
    return parts_->dtype;
}

const std::string& Hdf5Array::where() const {
    return parts_->where;
}

std::int64_t Hdf5Array::row_elements() const {
    return parts_->row_elements;
}

const std::vector<std::string>& Hdf5Array::warnings() const {
    return parts_->file.warnings();
}

const Packing& Hdf5Array::packing() const {
    return parts_->packing;
}

bool Hdf5Array::has_attribute(const std::string& name) const {
    const hdf5::Lock lock;
    return H5Aexists(parts_->dataset.get(), name.c_str()) > 0;
}

Json Hdf5Array::attribute(const std::string& name) const {
    const hdf5::Lock lock;
    return hdf5::read_attribute(parts_->dataset.get(), name);
}

void Hdf5Array::read(std::int64_t first, std::int64_t count, std::span<std::uint8_t> out) const {
    parts_->read(first, count, H5T_NATIVE_UINT8, out.size(), out.data());
}

void Hdf5Array::read(std::int64_t first, std::int64_t count, std::span<float> out) const {
    parts_->read(first, count, H5T_NATIVE_FLOAT, out.size(), out.data());
}

void Hdf5Array::read(std::int64_t first, std::int64_t count, std::span<double> out) const {
    parts_->read(first, count, H5T_NATIVE_DOUBLE, out.size(), out.data());
}

void Hdf5Array::read(std::int64_t first, std::int64_t count, std::span<std::int64_t> out) const {
    parts_->read(first, count, H5T_NATIVE_INT64, out.size(), out.data());
}

std::vector<std::string> hdf5_dataset_names(const fs::path& path) {
    const hdf5::Lock lock;
    const auto file = hdf5::open_for_reading(path);
    return hdf5::dataset_names(file.get());
}

std::vector<std::string> read_hdf5_texts(const fs::path& path, const std::string& dataset,
                                         ExternalFiles external) {
    const hdf5::Lock lock;
    hdf5::InputFile file(path, external);
    const auto handle = file.dataset(dataset);
    const auto where = file.where(dataset);
    const auto count = element_count(hdf5::dataset_shape(handle.get()), where);
    const hdf5::Handle type(H5Dget_type(handle.get()), H5Tclose);
    if (H5Tget_class(type.get()) == H5T_INTEGER) return integer_texts(handle.get(), count, where);
    if (H5Tget_class(type.get()) != H5T_STRING) fail("{}: expected strings or integers", where);
    if (H5Tis_variable_str(type.get()) > 0) return hdf5::VariableTexts(handle.get()).read_dataset(count);
    return fixed_texts(handle.get(), count, where);
}

}  // namespace stl
