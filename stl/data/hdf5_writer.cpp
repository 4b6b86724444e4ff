#include <array>

#include "stl/core/error.h"
#include "stl/data/file_checks.h"
#include "stl/data/hdf5_file.h"
#include "stl/data/hdf5_parts.h"

namespace stl {
namespace {

using hdf5::Handle;

class Hdf5Writer : public SequenceWriter {
  public:
    Hdf5Writer(const fs::path& path, std::int64_t count, const SequenceShape& shape,
               const WriteOptions& options)
        : output_((refuse_existing(path, options.force), path)),
          name_(path.string()),
          dataset_name_(options.dataset),
          count_(count),
          shape_(shape),
          dtype_(options.dtype),
          options_(options) {
        if (options.layout != "NTCHW") fail("{}: layout {}, HDF5 files are NTCHW", name_, options.layout);
        if (options.compression == 0 && count != unknown_count) {
            const auto bytes = static_cast<std::uint64_t>(element_count({count, shape.elements()}, name_));
            require_space(path, bytes * dtype_size(dtype_));
        }
        const hdf5::Lock lock;
        file_ =
            Handle(H5Fcreate(output_.temporary().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
        if (!file_.valid()) fail("{}: cannot be written ({})", name_, hdf5::reason());
        create_dataset(options);
    }

    ~Hdf5Writer() override {
        const hdf5::Lock lock;
        dataset_.close();
        file_.close();
    }

    void append(std::span<const std::uint8_t> values) override {
        write(values.data(), values.size(), DType::u8, H5T_NATIVE_UINT8);
    }
    void append(std::span<const float> values) override {
        write(values.data(), values.size(), DType::f32, H5T_NATIVE_FLOAT);
    }

    void set_splits(std::span<const Split> splits) override {
        splits_.clear();
        for (const auto split : splits) splits_.push_back(static_cast<std::uint8_t>(split));
    }

    void set_attributes(const Json& attributes) override { options_.attributes = attributes; }

    void finish() override {
        if (count_ == unknown_count ? written_ == 0 : written_ != count_) {
            fail("{}: {} of {} sequences were written", name_, written_,
                 count_ == unknown_count ? "some" : std::to_string(count_));
        }
        {
            const hdf5::Lock lock;
            hdf5::write_description(dataset_.get(), options_, name_);
            write_splits();
            if (H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) < 0 || !dataset_.close() || !file_.close()) {
                fail("{}: cannot be written ({}; is the disk full?)", name_, hdf5::reason());
            }
        }
        output_.commit();
    }

  private:
    static constexpr int kRank = 5;
    using Sizes = std::array<hsize_t, kRank>;

    Sizes rows(std::int64_t n) const {
        return {static_cast<hsize_t>(n), static_cast<hsize_t>(shape_.frames),
                static_cast<hsize_t>(shape_.channels), static_cast<hsize_t>(shape_.height),
                static_cast<hsize_t>(shape_.width)};
    }

    void create_dataset(const WriteOptions& options) {
        constexpr std::uint64_t largest_chunk = 1ULL << 30, hdf5_chunk_limit = 1ULL << 32;
        const bool growing = count_ == unknown_count;
        const auto size = rows(growing ? 0 : count_);
        auto largest = size;
        if (growing) largest[0] = H5S_UNLIMITED;
        auto chunk = rows(1);
        if (static_cast<std::uint64_t>(shape_.elements()) * dtype_size(dtype_) > largest_chunk) chunk[1] = 1;
        const auto chunk_bytes =
            static_cast<std::uint64_t>(shape_.elements()) / (chunk[1] == 1 ? shape_.frames : 1);
        if (chunk_bytes * dtype_size(dtype_) >= hdf5_chunk_limit) {
            fail("{}: frames of {}x{}x{}, HDF5 takes less than 4 GiB in one piece", name_, shape_.channels,
                 shape_.height, shape_.width);
        }
        const Handle creation = hdf5::timeless_creation();
        H5Pset_chunk(creation.get(), kRank, chunk.data());
        H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
        if (options.compression > 0) {
            H5Pset_shuffle(creation.get());
            H5Pset_deflate(creation.get(), static_cast<unsigned>(options.compression));
        }
        // Whole chunks are written once: without a cache they go straight to the file.
        const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
        H5Pset_chunk_cache(access.get(), 1, 0, 1.0);
        const Handle groups(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
        H5Pset_create_intermediate_group(groups.get(), 1);
        const Handle space(H5Screate_simple(kRank, size.data(), largest.data()), H5Sclose);
        const hid_t type = dtype_ == DType::u8 ? H5T_STD_U8LE : H5T_IEEE_F32LE;
        dataset_ = Handle(H5Dcreate2(file_.get(), options.dataset.c_str(), type, space.get(), groups.get(),
                                     creation.get(), access.get()),
                          H5Dclose);
        if (!dataset_.valid()) {
            fail("{}: dataset '{}' cannot be made ({})", name_, options.dataset, hdf5::reason());
        }
    }

    void write(const void* values, std::size_t elements, DType type, hid_t memory_type) {
        const auto one = static_cast<std::size_t>(shape_.elements());
        const auto n = static_cast<std::int64_t>(elements / one);
        const bool growing = count_ == unknown_count;
        if (type != dtype_ || elements % one != 0 || (!growing && written_ + n > count_)) {
            fail("{}: {} {} values after {} of {} sequences, expected {} sequences of {}", name_, elements,
                 dtype_name(type), written_, growing ? "some" : std::to_string(count_), dtype_name(dtype_),
                 to_string(shape_));
        }
        if (n == 0) return;
        const Sizes start{static_cast<hsize_t>(written_)};
        const auto size = rows(n);
        const hdf5::Lock lock;
        if (growing && H5Dset_extent(dataset_.get(), rows(written_ + n).data()) < 0) {
            fail("{}: cannot be written ({}; is the disk full?)", name_, hdf5::reason());
        }
        const Handle there(H5Dget_space(dataset_.get()), H5Sclose);
        const Handle here(H5Screate_simple(kRank, size.data(), nullptr), H5Sclose);
        if (H5Sselect_hyperslab(there.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) <
                0 ||
            H5Dwrite(dataset_.get(), memory_type, here.get(), there.get(), H5P_DEFAULT, values) < 0) {
            fail("{}: cannot be written ({}; is the disk full?)", name_, hdf5::reason());
        }
        written_ += n;
    }

    /// `split` beside the dataset, a mark a row.
    void write_splits() const {
        if (splits_.empty()) return;
        if (std::ssize(splits_) != written_) {
            fail("{}: {} splits for {} sequences", name_, splits_.size(), written_);
        }
        const auto slash = dataset_name_.rfind('/');
        const auto where = (slash == std::string::npos ? "" : dataset_name_.substr(0, slash + 1)) + "split";
        hdf5::write_marks(file_.get(), where, splits_, name_);
    }

    AtomicFile output_;
    std::string name_;
    std::string dataset_name_;
    std::vector<std::uint8_t> splits_;
    std::int64_t count_;
    SequenceShape shape_;
    DType dtype_;
    WriteOptions options_;
    Handle file_;
    Handle dataset_;
    std::int64_t written_ = 0;
};

}  // namespace

std::unique_ptr<SequenceWriter> create_hdf5(const fs::path& path, std::int64_t count,
                                            const SequenceShape& shape, const WriteOptions& options) {
    return std::make_unique<Hdf5Writer>(path, count, shape, options);
}

}  // namespace stl
