#include <optional>

#include "stl/core/error.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/hdf5_file.h"
#include "stl/formats/hdf5_parts.h"

namespace stl {
namespace {

class Hdf5Writer : public SequenceWriter {
  public:
    Hdf5Writer(const fs::path& path, std::int64_t count, const SequenceShape& shape,
               const WriteOptions& options)
        : output_(path, options.force),
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
        rows_.emplace(
            output_.temporary(),
            hdf5::RowWriter::Layout{.dataset = options.dataset,
                                    .dtype = dtype_,
                                    .count = count,
                                    .row = {shape.frames, shape.channels, shape.height, shape.width},
                                    .chunk = chunk(),
                                    .compression = options.compression},
            name_);
    }

    void append(std::span<const std::uint8_t> values) override {
        write(values.data(), values.size(), DType::u8);
    }
    void append(std::span<const float> values) override { write(values.data(), values.size(), DType::f32); }

    void set_splits(std::span<const Split> splits) override {
        splits_.clear();
        for (const auto split : splits) splits_.push_back(static_cast<std::uint8_t>(split));
    }

    void set_attributes(const Json& attributes) override { options_.attributes = attributes; }

    void finish() override {
        const auto written = rows_->rows();
        if (count_ == unknown_count ? written == 0 : written != count_) {
            fail("{}: only {} of {} sequences were written", name_, written,
                 count_ == unknown_count ? "some" : std::to_string(count_));
        }
        {
            const hdf5::Lock lock;
            hdf5::write_description(rows_->dataset(), rows_->file(), dataset_name_, options_, name_);
            write_splits();
            rows_->close();
        }
        output_.commit();
    }

  private:
    /// A sequence, or of a huge one a frame.
    Shape chunk() const {
        constexpr std::uint64_t largest_chunk = 1ULL << 30, hdf5_chunk_limit = 1ULL << 32;
        const bool whole =
            static_cast<std::uint64_t>(shape_.elements()) * dtype_size(dtype_) <= largest_chunk;
        const auto elements = static_cast<std::uint64_t>(whole ? shape_.elements() : shape_.frame_elements());
        if (elements * dtype_size(dtype_) >= hdf5_chunk_limit) {
            fail("{}: frames of {}x{}x{} are too large: HDF5 stores less than 4 GiB in one chunk", name_,
                 shape_.channels, shape_.height, shape_.width);
        }
        return {1, whole ? shape_.frames : 1, shape_.channels, shape_.height, shape_.width};
    }

    void write(const void* values, std::size_t elements, DType type) {
        const auto one = static_cast<std::size_t>(shape_.elements());
        const auto n = static_cast<std::int64_t>(elements / one);
        const bool growing = count_ == unknown_count;
        const auto written = rows_->rows();
        if (type != dtype_ || elements % one != 0 || (!growing && written + n > count_)) {
            fail("{}: {} {} values after {} of {} sequences, expected {} sequences of {}", name_, elements,
                 dtype_name(type), written, growing ? "some" : std::to_string(count_), dtype_name(dtype_),
                 to_string(shape_));
        }
        rows_->append(values, n);
    }

    /// `split` beside the dataset, a mark a row.
    void write_splits() const {
        if (splits_.empty()) return;
        if (std::ssize(splits_) != rows_->rows()) {
            fail("{}: {} splits for {} sequences", name_, splits_.size(), rows_->rows());
        }
        hdf5::write_marks(rows_->file(), hdf5::beside(dataset_name_, "split"), splits_, name_);
    }

    AtomicFile output_;
    std::string name_;
    std::string dataset_name_;
    std::vector<std::uint8_t> splits_;
    std::int64_t count_;
    SequenceShape shape_;
    DType dtype_;
    WriteOptions options_;
    std::optional<hdf5::RowWriter> rows_;
};

}  // namespace

std::unique_ptr<SequenceWriter> create_hdf5(const fs::path& path, std::int64_t count,
                                            const SequenceShape& shape, const WriteOptions& options) {
    return std::make_unique<Hdf5Writer>(path, count, shape, options);
}

}  // namespace stl
