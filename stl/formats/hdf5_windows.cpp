#include "stl/formats/hdf5_windows.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/hdf5_array.h"
#include "stl/formats/hdf5_parts.h"
#include "stl/formats/layout.h"

namespace stl {
namespace {

using hdf5::Handle;

constexpr auto frames_dataset = "frames";
constexpr auto windows_dataset = "windows";
constexpr auto split_dataset = "split";

bool has(hid_t file, const char* name) {
    return H5Lexists(file, name, H5P_DEFAULT) > 0;
}

class WindowReader : public SequenceReader {
  public:
    WindowReader(const fs::path& path, ExternalFiles external) : frames_(path, frames_dataset, external) {
        const auto& shape = frames_.shape();
        if (shape.size() != 4 || element_count(shape, frames_.where()) == 0) {
            fail("{}: shape {}, expected [F,C,H,W]", frames_.where(), to_string(shape));
        }
        if (frames_.dtype() != DType::u8 && frames_.dtype() != DType::f32) {
            fail("{}: {} values, expected uint8 or float32", frames_.where(), dtype_name(frames_.dtype()));
        }
        read_windows(path, external);
        info_.shape.channels = shape[1];
        info_.shape.height = shape[2];
        info_.shape.width = shape[3];
        info_.dtype = frames_.dtype();
        require_memory(static_cast<std::uint64_t>(info_.shape.elements()) * sizeof(float),
                       frames_.where() + ": one sequence");
        const hdf5::Lock lock;
        hdf5::InputFile file(path, external);
        const auto dataset = file.dataset(frames_dataset);
        info_.attributes = Json::object();
        info_.range = range_of_type(info_.dtype, info_.dtype == DType::u8);
        hdf5::read_description(dataset.get(), file, frames_dataset, {}, info_);
        if (file.has(split_dataset)) split_ = hdf5::read_marks(file, split_dataset, info_.count);
        info_.warnings = file.warnings();
    }

    const SequenceInfo& info() const override { return info_; }
    std::vector<std::int64_t> rows(Split split) const override { return rows_of(split_, info_.count, split); }

    void read(std::int64_t first, std::int64_t count, std::span<float> out) const override {
        check_range(info_, first, count, out.size(), frames_.where());
        const auto length = static_cast<std::size_t>(info_.shape.frames);
        const auto frame = static_cast<std::size_t>(info_.shape.frame_elements());
        for (std::int64_t i = 0; i < count; ++i) {
            const auto numbers =
                std::span(windows_).subspan(static_cast<std::size_t>(first + i) * length, length);
            for (std::size_t t = 0; t < length;) {
                std::size_t next = t + 1;
                while (next < length && numbers[next] == numbers[next - 1] + 1) ++next;
                const auto offset = (static_cast<std::size_t>(i) * length + t) * frame;
                read_run(numbers[t], next - t, out.subspan(offset, (next - t) * frame));
                t = next;
            }
        }
    }

  private:
    void read_windows(const fs::path& path, ExternalFiles external) {
        const Hdf5Array windows(path, windows_dataset, external);
        const auto& shape = windows.shape();
        const bool integers = windows.dtype() == DType::i64 || windows.dtype() == DType::i32;
        if (shape.size() != 2 || !integers || element_count(shape, windows.where()) == 0) {
            fail("{}: {} {}, expected int64 [N,T]", windows.where(), dtype_name(windows.dtype()),
                 to_string(shape));
        }
        const auto numbers = static_cast<std::uint64_t>(element_count(shape, windows.where()));
        require_memory(numbers * sizeof(std::int64_t), windows.where());
        windows_.resize(numbers);
        windows.read(0, shape[0], std::span(windows_));
        const auto [least, most] = std::ranges::minmax_element(windows_);
        if (*least < 0 || *most >= frames_.shape()[0]) {
            fail("{}: names frame {}, there are {}", windows.where(), *least < 0 ? *least : *most,
                 frames_.shape()[0]);
        }
        info_.count = shape[0];
        info_.shape.frames = shape[1];
    }

    void read_run(std::int64_t first, std::size_t count, std::span<float> out) const {
        const auto rows = static_cast<std::int64_t>(count);
        if (info_.dtype == DType::f32) return frames_.read(first, rows, out);
        std::vector<std::uint8_t> bytes(out.size());
        frames_.read(first, rows, std::span(bytes));
        to_unit_range(bytes, out.data());
    }

    Hdf5Array frames_;
    std::vector<std::int64_t> windows_;
    std::vector<std::uint8_t> split_;
    SequenceInfo info_;
};

}  // namespace

bool holds_windows(const fs::path& path) {
    const hdf5::Lock lock;
    const auto file = hdf5::open_for_reading(path);
    return has(file.get(), frames_dataset) && has(file.get(), windows_dataset) &&
           !has(file.get(), "sequences");
}

std::unique_ptr<SequenceReader> open_windows(const fs::path& path, ExternalFiles external) {
    return std::make_unique<WindowReader>(path, external);
}

class WindowWriter::File {
  public:
    File(const fs::path& path, const SequenceShape& shape, const WriteOptions& options)
        : output_(path, options.force), name_(path.string()), shape_(shape), dtype_(options.dtype) {
        if ((dtype_ != DType::u8 && dtype_ != DType::f32) || shape.elements() < 1) {
            fail("{}: cannot write {} of {}", name_, to_string(shape), dtype_name(dtype_));
        }
        // Small frames share a chunk: about 64 KiB is cheap to unpack for one of them and quick for all.
        constexpr std::int64_t chunk_bytes = 64 << 10;
        per_chunk_ = std::clamp<std::int64_t>(chunk_bytes / frame_bytes(), 1, shape.frames);
        rows_.emplace(
            output_.temporary(),
            hdf5::RowWriter::Layout{.dataset = frames_dataset,
                                    .dtype = dtype_,
                                    .row = {shape.channels, shape.height, shape.width},
                                    .chunk = {per_chunk_, shape.channels, shape.height, shape.width},
                                    .compression = options.compression},
            name_);
        const hdf5::Lock lock;
        hdf5::write_description(rows_->dataset(), rows_->file(), frames_dataset, options, name_);
    }

    void append(const void* values, std::size_t bytes, DType type) {
        const auto one = static_cast<std::size_t>(frame_bytes());
        if (type != dtype_ || bytes % one != 0) {
            fail("{}: {} bytes of {}, expected frames of {} {} values", name_, bytes, dtype_name(type),
                 shape_.frame_elements(), dtype_name(dtype_));
        }
        const auto* data = static_cast<const std::byte*>(values);
        for (std::size_t at = 0; at < bytes; at += one) {
            waiting_.insert(waiting_.end(), data + at, data + at + one);
            ++frames_;
            if (std::ssize(waiting_) == per_chunk_ * frame_bytes()) write_waiting();
        }
    }

    void add(std::span<const std::int64_t> frames, Split split) {
        if (std::ssize(frames) != shape_.frames) {
            fail("{}: a sequence of {} frames, expected {}", name_, frames.size(), shape_.frames);
        }
        windows_.insert(windows_.end(), frames.begin(), frames.end());
        marks_.push_back(static_cast<std::uint8_t>(split));
    }

    void finish() {
        if (marks_.empty()) fail("{}: not one sequence of {} frames", name_, shape_.frames);
        const auto [least, most] = std::ranges::minmax_element(windows_);
        if (*least < 0 || *most >= frames_) {
            fail("{}: a sequence names frame {}, there are {}", name_, *least < 0 ? *least : *most, frames_);
        }
        const hdf5::Lock lock;
        write_waiting();
        write_windows();
        hdf5::write_marks(rows_->file(), split_dataset, marks_, name_);
        rows_->close();
        output_.commit();
    }

    std::int64_t frames() const { return frames_; }
    std::int64_t windows() const { return std::ssize(marks_); }
    std::int64_t length() const { return shape_.frames; }

  private:
    std::int64_t frame_bytes() const {
        return shape_.frame_elements() * static_cast<std::int64_t>(dtype_size(dtype_));
    }

    void write_waiting() {
        rows_->append(waiting_.data(), std::ssize(waiting_) / frame_bytes());
        waiting_.clear();
    }

    void write_windows() const {
        const std::array<hsize_t, 2> size{marks_.size(), static_cast<hsize_t>(shape_.frames)};
        constexpr hsize_t chunk_numbers = 1 << 17;
        const std::array<hsize_t, 2> chunk{std::clamp<hsize_t>(chunk_numbers / size[1], 1, size[0]), size[1]};
        const Handle space(H5Screate_simple(2, size.data(), nullptr), H5Sclose);
        const Handle windows(H5Dcreate2(rows_->file(), windows_dataset, H5T_STD_I64LE, space.get(),
                                        H5P_DEFAULT, hdf5::checked_creation(chunk).get(), H5P_DEFAULT),
                             H5Dclose);
        if (!windows.valid() ||
            H5Dwrite(windows.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, windows_.data()) < 0) {
            hdf5::fail_writing(name_);
        }
    }

    AtomicFile output_;
    std::string name_;
    SequenceShape shape_;
    DType dtype_;
    std::int64_t per_chunk_ = 1;
    std::optional<hdf5::RowWriter> rows_;
    std::vector<std::byte> waiting_;  ///< frames of a chunk that is not full yet
    std::int64_t frames_ = 0;
    std::vector<std::int64_t> windows_;
    std::vector<std::uint8_t> marks_;
};

WindowWriter::WindowWriter(const fs::path& path, const SequenceShape& shape, const WriteOptions& options)
    : file_(std::make_unique<File>(path, shape, options)) {}

WindowWriter::~WindowWriter() = default;

void WindowWriter::append(std::span<const std::uint8_t> frames) {
    file_->append(frames.data(), frames.size_bytes(), DType::u8);
}

void WindowWriter::append(std::span<const float> frames) {
    file_->append(frames.data(), frames.size_bytes(), DType::f32);
}

std::int64_t WindowWriter::frames() const {
    return file_->frames();
}

std::int64_t WindowWriter::windows() const {
    return file_->windows();
}

void WindowWriter::add_window(std::span<const std::int64_t> frames, Split split) {
    file_->add(frames, split);
}

void WindowWriter::add_window(std::int64_t first, Split split) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(file_->length()));
    std::iota(numbers.begin(), numbers.end(), first);
    file_->add(numbers, split);
}

void WindowWriter::finish() {
    file_->finish();
}

}  // namespace stl
