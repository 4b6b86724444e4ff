#include <algorithm>

#include "stl/core/error.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/file_sizes.h"
#include "stl/formats/layout.h"
#include "stl/formats/npy_file.h"

namespace stl {
namespace {

class NpyReader : public SequenceReader {
  public:
    NpyReader(std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes,
              std::vector<std::uint8_t> marks, const std::string& layout, std::string where)
        : file_(std::move(file)), where_(std::move(where)), marks_(std::move(marks)) {
        if (fs::is_regular_file(file_->path())) sizes_.add(file_->path());  // what was unpacked has no name
        const auto header = parse_npy(bytes, where_);
        array_ = describe_array(header.shape, header.dtype, ArrayFile::numpy, layout, where_);
        values_ = bytes.data() + header.data_offset;
        strides_ = dense_strides(header.shape, dtype_size(header.dtype), header.fortran_order);
        if (const auto axis = array_.layout.find('N'); axis != std::string::npos)
            row_stride_ = strides_[axis];
        info_ = {.count = array_.count(),
                 .shape = array_.sequence(),
                 .dtype = header.dtype,
                 .attributes = Json::object()};
        if (!array_.guess.empty()) info_.warnings.push_back(array_.guess);
        info_.range =
            range_of_type(header.dtype, array_.divide);  // also where floats have been divided already
        if (array_.divide && is_float(header.dtype) && looks_divided()) {
            array_.divide = false;
            info_.warnings.push_back(
                fmt::format("{}: floats with {} axes are expected to range from 0 to 255, but these range "
                            "from 0 to 1; they are used unchanged, as a guess",
                            where_, header.shape.size()));
        }
        if (!marks_.empty() && static_cast<std::int64_t>(marks_.size()) != info_.count) {
            fail("{}: {} marks in 'split' for {} sequences", where_, marks_.size(), info_.count);
        }
        check_split(marks_, where_ + ": 'split'");
    }

    const SequenceInfo& info() const override { return info_; }

    void read(std::int64_t first, std::int64_t count, std::span<float> out) const override {
        check_range(info_, first, count, out.size(), where_);
        gather(array_, values_ + first * row_stride_, strides_, count, out.data());
        sizes_.require_whole();
    }

    std::vector<std::int64_t> rows(Split split) const override { return rows_of(marks_, info_.count, split); }

  private:
    /// Whether some sequences, evenly spread over all, hold no value over 1 but some over 0.
    bool looks_divided() const {
        constexpr std::int64_t looked_at = 16;
        std::vector<float> one(static_cast<std::size_t>(info_.shape.elements()));
        float highest = 0;
        const auto step = (info_.count + looked_at - 1) / looked_at;
        auto as_stored = array_;
        as_stored.divide = false;
        for (std::int64_t i = 0; i < info_.count; i += step) {
            gather(as_stored, values_ + i * row_stride_, strides_, 1, one.data());
            highest = std::max(highest, *std::ranges::max_element(one));
            if (highest > 1) return false;
        }
        return highest > 0;
    }

    FileSizes sizes_;
    std::shared_ptr<const MappedFile> file_;  // holds what values_ points to
    std::string where_;
    std::vector<std::uint8_t> marks_;
    StoredArray array_;
    const std::byte* values_ = nullptr;
    Shape strides_;
    std::int64_t row_stride_ = 0;
    SequenceInfo info_;
};

}  // namespace

std::unique_ptr<SequenceReader> open_npy(const fs::path& path, const ReadOptions& options) {
    auto file = std::make_shared<const MappedFile>(path);
    const auto bytes = file->bytes();
    return open_npy_bytes(std::move(file), bytes, {}, options.layout, path.string());
}

std::unique_ptr<SequenceReader> open_npy_bytes(std::shared_ptr<const MappedFile> file,
                                               std::span<const std::byte> bytes,
                                               std::vector<std::uint8_t> marks, const std::string& layout,
                                               const std::string& where) {
    return std::make_unique<NpyReader>(std::move(file), bytes, std::move(marks), layout, where);
}

}  // namespace stl
