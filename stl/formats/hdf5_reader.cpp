#include <algorithm>
#include <optional>

#include "stl/core/error.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/hdf5_file.h"
#include "stl/formats/hdf5_parts.h"
#include "stl/formats/hdf5_windows.h"
#include "stl/formats/layout.h"

namespace stl {
namespace {

using hdf5::Handle;

constexpr auto default_name = "sequences";

/// "sequences", or the only dataset besides `split` and `settings`.
std::string choose_dataset(const hdf5::InputFile& file) {
    if (file.has(default_name)) return default_name;
    auto names = hdf5::dataset_names(file.get());
    std::erase_if(names, [](const std::string& name) {
        return name == hdf5::beside(name, "split") || name == hdf5::beside(name, "settings");
    });
    if (names.size() == 1) return names.front();
    return default_name;
}

class Hdf5Reader : public SequenceReader {
  public:
    Hdf5Reader(const fs::path& path, const ReadOptions& options) : file_(path, options.external) {
        const hdf5::Lock lock;
        name_ = options.dataset.empty() ? choose_dataset(file_) : options.dataset;
        where_ = file_.where(name_);
        dataset_ = file_.dataset(name_);

        const auto stored = hdf5::dataset_dtype(dataset_.get(), where_);
        packing_ = hdf5::read_packing(dataset_.get(), where_);
        const bool floats = packing_.scaled() || stored != DType::u8;
        const auto as_read = floats ? DType::f32 : stored;
        array_ = describe_array(hdf5::dataset_shape(dataset_.get()), as_read, ArrayFile::hdf5, options.layout,
                                where_);
        info_ = {.count = array_.count(),
                 .shape = array_.sequence(),
                 .dtype = packing_.scaled() ? DType::f32 : stored,
                 .fps = 0,
                 .attributes = Json::object()};
        info_.range = range_of_type(info_.dtype, array_.divide);
        hdf5::read_description(dataset_.get(), file_, name_, packing_, info_);
        read_split(options.dataset);
        info_.warnings = file_.warnings();
        if (!array_.guess.empty()) info_.warnings.push_back(array_.guess);
        if (array_.divide) {
            for (auto& value : packing_.missing) value /= 255.0F;  // as gather() does
        }
        blocks_.emplace(dataset_.get(), file_.sizes(), where_);
        if (array_.layout.starts_with('N')) info_.slow_at_random = blocks_->slow_at_random();
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
        read_stored(first, count, out);
        packing_.unpack(out);
    }

    std::vector<std::int64_t> rows(Split split) const override { return rows_of(split_, info_.count, split); }

  private:
    void read_stored(std::int64_t first, std::int64_t count, std::span<float> out) const {
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

    void read_block(std::int64_t first, std::int64_t count, hid_t type, void* out) const {
        std::vector<hsize_t> start(array_.shape.size());
        std::vector<hsize_t> size(array_.shape.begin(), array_.shape.end());
        if (const auto axis = array_.layout.find('N'); axis != std::string::npos) {
            start[axis] = static_cast<hsize_t>(first);
            size[axis] = static_cast<hsize_t>(count);
        }
        blocks_->read(start, size, type, out);
    }

    /// `split` stands beside the dataset. It need not fit a dataset that was named, e.g. predictions for a
    /// few rows.
    void read_split(const std::string& named) {
        const auto split_name = hdf5::beside(name_, "split");
        if (name_ == split_name || !file_.has(split_name)) return;
        const auto marks = file_.dataset(split_name);
        const bool fits = hdf5::dataset_shape(marks.get()) == Shape{info_.count};
        if (!fits && !named.empty() && named != default_name) return;
        split_ = hdf5::read_marks(file_, split_name, info_.count);
    }

    std::string name_;
    std::string where_;
    hdf5::InputFile file_;
    Handle dataset_;
    std::optional<hdf5::BlockReader> blocks_;
    StoredArray array_;
    Packing packing_;
    SequenceInfo info_;
    std::vector<std::uint8_t> split_;
};

}  // namespace

std::unique_ptr<SequenceReader> open_hdf5(const fs::path& path, const ReadOptions& options) {
    if (options.dataset.empty() && options.layout.empty() && holds_windows(path))
        return open_windows(path, options.external);
    return std::make_unique<Hdf5Reader>(path, options);
}

}  // namespace stl
