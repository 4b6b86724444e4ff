#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "stl/core/descriptor.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/npy_file.h"

namespace stl {
namespace {

/// A file written at given places.
class OutputFile {
  public:
    OutputFile(const fs::path& path, std::string name)
        : file_(::open(path.c_str(), O_WRONLY | O_CLOEXEC)), name_(std::move(name)) {
        if (!file_.is_open()) fail("{}: cannot be written ({})", name_, std::strerror(errno));
    }

    /// Takes the place on disk now, so that a full one is found out before the work.
    void reserve(std::int64_t bytes) const {
        if (::fallocate(file_.get(), 0, 0, bytes) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
            fail("{}: cannot be written ({} needed: {})", name_,
                 bytes_text(static_cast<std::uint64_t>(bytes)), std::strerror(errno));
        }
    }
    void write(const void* data, std::size_t bytes, std::int64_t offset) const {
        const auto* p = static_cast<const char*>(data);
        while (bytes > 0) {
            const auto n = ::pwrite(file_.get(), p, bytes, offset);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) fail("{}: cannot be written ({})", name_, std::strerror(errno));
            p += n;
            offset += n;
            bytes -= static_cast<std::size_t>(n);
        }
    }

  private:
    Descriptor file_;
    std::string name_;
};

class NpyWriter : public SequenceWriter {
  public:
    NpyWriter(const fs::path& path, std::int64_t count, const SequenceShape& shape,
              const WriteOptions& options)
        : output_(path, options.force),
          name_(path.string()),
          count_(count),
          shape_(shape),
          dtype_(options.dtype),
          frame_major_(options.layout.starts_with("TN")) {
        const auto stored = stored_shape(options.layout);
        const auto elements = element_count(stored, name_);
        const auto header = npy_header(stored, dtype_);
        const auto bytes = static_cast<std::int64_t>(header.size()) +
                           elements * static_cast<std::int64_t>(dtype_size(dtype_));
        require_space(path, static_cast<std::uint64_t>(bytes));
        file_.emplace(output_.temporary(), name_);
        file_->reserve(bytes);
        file_->write(header.data(), header.size(), 0);
        data_offset_ = static_cast<std::int64_t>(header.size());
    }

    void append(std::span<const std::uint8_t> values) override { write(values, DType::u8); }
    void append(std::span<const float> values) override { write(values, DType::f32); }

    void finish() override {
        if (written_ != count_) fail("{}: only {} of {} sequences were written", name_, written_, count_);
        file_.reset();
        output_.commit();
    }

  private:
    Shape stored_shape(const std::string& layout) const {
        const auto& s = shape_;
        if (layout == "NTCHW") return {count_, s.frames, s.channels, s.height, s.width};
        if (layout == "TNHWC") return {s.frames, count_, s.height, s.width, s.channels};
        if (layout != "TNHW") fail("{}: layout {}, expected NTCHW, TNHW or TNHWC", name_, layout);
        if (s.channels != 1) fail("{}: {} channels, layout TNHW has 1", name_, s.channels);
        return {s.frames, count_, s.height, s.width};
    }

    /// One frame, its channels last where the file is frame-major.
    template <class T>
    void place_frame(const T* from, T* to) const {
        const auto plane = shape_.height * shape_.width;
        if (shape_.channels == 1) {
            std::memcpy(to, from, static_cast<std::size_t>(plane) * sizeof(T));
            return;
        }
        for (std::int64_t c = 0; c < shape_.channels; ++c)
            for (std::int64_t i = 0; i < plane; ++i) to[i * shape_.channels + c] = *from++;
    }

    template <class T>
    void write(std::span<const T> values, DType type) {
        const auto one = static_cast<std::size_t>(shape_.elements());
        const auto n = static_cast<std::int64_t>(values.size() / one);
        if (type != dtype_ || values.size() % one != 0 || written_ + n > count_) {
            fail("{}: {} {} values after {} of {} sequences, expected {} sequences of {}", name_,
                 values.size(), dtype_name(type), written_, count_, dtype_name(dtype_), to_string(shape_));
        }
        if (frame_major_) {
            write_by_frame(values, n);
        } else {
            const auto offset = data_offset_ + written_ * static_cast<std::int64_t>(one * sizeof(T));
            file_->write(values.data(), values.size_bytes(), offset);
        }
        written_ += n;
    }

    /// Frame t of all sequences stands together in the file: collect it from the n sequences, write it as one
    /// piece.
    template <class T>
    void write_by_frame(std::span<const T> values, std::int64_t n) {
        const auto frame = static_cast<std::size_t>(shape_.frame_elements());
        const auto one = static_cast<std::size_t>(shape_.elements());
        std::vector<T> piece(static_cast<std::size_t>(n) * frame);
        for (std::int64_t t = 0; t < shape_.frames; ++t) {
            const T* from = values.data() + static_cast<std::size_t>(t) * frame;
            for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
                place_frame(from + i * one, piece.data() + i * frame);
            }
            const auto place = (t * count_ + written_) * static_cast<std::int64_t>(frame * sizeof(T));
            file_->write(piece.data(), piece.size() * sizeof(T), data_offset_ + place);
        }
    }

    AtomicFile output_;
    std::string name_;
    std::int64_t count_;
    SequenceShape shape_;
    DType dtype_;
    bool frame_major_;
    std::optional<OutputFile> file_;
    std::int64_t data_offset_ = 0;
    std::int64_t written_ = 0;
};

}  // namespace

std::unique_ptr<SequenceWriter> create_npy(const fs::path& path, std::int64_t count,
                                           const SequenceShape& shape, const WriteOptions& options) {
    return std::make_unique<NpyWriter>(path, count, shape, options);
}

}  // namespace stl
