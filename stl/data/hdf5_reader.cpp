#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "stl/core/error.h"
#include "stl/data/file_checks.h"
#include "stl/data/hdf5_chunks.h"
#include "stl/data/hdf5_file.h"
#include "stl/data/hdf5_handle.h"
#include "stl/data/layout.h"

namespace stl {
namespace {

using hdf5::Handle;

constexpr auto kDefaultName = "sequences";

/// "sequences", or the only dataset besides `split`.
std::string choose_dataset(hid_t file) {
    if (H5Lexists(file, kDefaultName, H5P_DEFAULT) > 0) return kDefaultName;
    auto names = hdf5::dataset_names(file);
    std::erase(names, "split");
    if (names.size() == 1) return names.front();
    return kDefaultName;
}

class Hdf5Reader : public SequenceReader {
  public:
    Hdf5Reader(const fs::path& path, const ReadOptions& options) {
        const hdf5::Lock lock;
        file_ = hdf5::open_for_reading(path);
        name_ = options.dataset.empty() ? choose_dataset(file_.get()) : options.dataset;
        where_ = fmt::format("{}: dataset '{}'", path.string(), name_);
        dataset_ = hdf5::open_dataset(file_.get(), name_, path.string());

        const auto stored = hdf5::dataset_dtype(dataset_.get(), where_);
        const auto as_read = stored == DType::f16 || stored == DType::f64 ? DType::f32 : stored;
        array_ = describe_array(hdf5::dataset_shape(dataset_.get()), as_read, FileKind::hdf5, options.layout,
                                where_);
        info_ = {array_.count(), array_.sequence(), stored, 0, Json::object()};
        read_attributes();
        read_split(path.string(), options.dataset);
        chunks_ = hdf5::ChunkReader::make(dataset_.get(), where_);
    }

    ~Hdf5Reader() override {
        const hdf5::Lock lock;
        dataset_.close();
        file_.close();
    }

    const SequenceInfo& info() const override { return info_; }

    void read(std::int64_t first, std::int64_t count, std::span<float> out) const override {
        check_range(info_, first, count, out.size(), where_);
        if (count == 0) return;
        const auto one = static_cast<std::size_t>(info_.shape.elements());
        if (array_.layout == "NTCHW" && array_.dtype == DType::f32) {
            return read_block(first, count, H5T_NATIVE_FLOAT, out.data());
        }
        const auto element = dtype_size(array_.dtype);
        std::vector<std::byte> rows(one * element);
        Shape block = array_.shape;
        if (const auto axis = array_.layout.find('N'); axis != std::string::npos) block[axis] = 1;
        const auto strides = dense_strides(block, element);
        const hid_t type = array_.dtype == DType::u8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
        for (std::int64_t i = 0; i < count; ++i) {
            read_block(first + i, 1, type, rows.data());
            gather(array_, rows.data(), strides, 1, out.data() + static_cast<std::size_t>(i) * one);
        }
    }

    std::vector<std::int64_t> rows(Split split) const override { return rows_of(split_, info_.count, split); }

  private:
    void read_block(std::int64_t first, std::int64_t count, hid_t type, void* out) const {
        std::vector<hsize_t> start(array_.shape.size());
        std::vector<hsize_t> size(array_.shape.begin(), array_.shape.end());
        if (const auto axis = array_.layout.find('N'); axis != std::string::npos) {
            start[axis] = static_cast<hsize_t>(first);
            size[axis] = static_cast<hsize_t>(count);
        }
        if (chunks_) return read_packed(start, size, type, out);
        const hdf5::Lock lock;
        const Handle here(H5Dget_space(dataset_.get()), H5Sclose);
        const Handle there(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
        if (H5Sselect_hyperslab(here.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) <
                0 ||
            H5Dread(dataset_.get(), type, there.get(), here.get(), H5P_DEFAULT, out) < 0) {
            fail("{}: sequence {} cannot be read ({})", where_, first, hdf5::reason());
        }
    }

    void read_packed(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                     void* out) const {
        const auto elements = std::accumulate(size.begin(), size.end(), hsize_t{1}, std::multiplies<>());
        std::size_t stored_size = 0;
        Handle stored;
        {
            const hdf5::Lock lock;
            stored = Handle(H5Dget_type(dataset_.get()), H5Tclose);
            if (H5Tequal(stored.get(), type) == 0) stored_size = H5Tget_size(stored.get());
        }
        if (stored_size == 0) return chunks_->read(start, size, static_cast<std::byte*>(out));
        std::vector<std::byte> values(elements * std::max<std::size_t>(stored_size, sizeof(float)));
        chunks_->read(start, size, values.data());
        const hdf5::Lock lock;
        if (H5Tconvert(stored.get(), type, elements, values.data(), nullptr, H5P_DEFAULT) < 0) {
            fail("{}: values cannot be converted ({})", where_, hdf5::reason());
        }
        std::memcpy(out, values.data(), elements * H5Tget_size(type));
    }

    /// Of the dataset, or else of the file: `fps`, `source`, and a JSON object `settings`.
    void read_attributes() {
        const auto attribute = [&](const char* name) {
            auto value = hdf5::read_attribute(dataset_.get(), name);
            return value.is_null() ? hdf5::read_attribute(file_.get(), name) : value;
        };
        if (const auto fps = attribute("fps"); fps.is_number()) info_.fps = fps.get<double>();
        if (const auto settings = attribute("settings"); settings.is_string()) {
            auto object = Json::parse(settings.get<std::string>(), nullptr, /*allow_exceptions=*/false);
            if (object.is_object()) info_.attributes = std::move(object);
        }
        if (auto source = attribute("source"); source.is_string())
            info_.attributes["source"] = std::move(source);
    }

    /// `split` stands beside the dataset. It need not fit a dataset that was named, e.g. predictions for a
    /// few rows.
    void read_split(const std::string& path, const std::string& named) {
        const auto slash = name_.rfind('/');
        const auto split_name = (slash == std::string::npos ? "" : name_.substr(0, slash + 1)) + "split";
        if (name_ == split_name || H5Lexists(file_.get(), split_name.c_str(), H5P_DEFAULT) <= 0) return;
        const auto dataset = hdf5::open_dataset(file_.get(), split_name, path);
        const auto shape = hdf5::dataset_shape(dataset.get());
        const auto where = fmt::format("{}: dataset '{}'", path, split_name);
        if (shape != Shape{info_.count}) {
            if (!named.empty() && named != kDefaultName) return;
            fail("{}: shape {}, expected [{}], a mark for each sequence", where, to_string(shape),
                 info_.count);
        }
        if (hdf5::dataset_dtype(dataset.get(), where) != DType::u8) fail("{}: expected uint8 values", where);
        split_.resize(static_cast<std::size_t>(info_.count));
        if (H5Dread(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, split_.data()) < 0) {
            fail("{}: cannot be read ({})", where, hdf5::reason());
        }
        check_split(split_, where);
    }

    std::string name_;
    std::string where_;
    Handle file_;
    Handle dataset_;
    std::unique_ptr<hdf5::ChunkReader> chunks_;  ///< null: H5Dread does it
    StoredArray array_;
    SequenceInfo info_;
    std::vector<std::uint8_t> split_;
};

}  // namespace

std::unique_ptr<SequenceReader> open_hdf5(const fs::path& path, const ReadOptions& options) {
    return std::make_unique<Hdf5Reader>(path, options);
}

}  // namespace stl
