// Memory for the kernels: floats, aligned to cache lines (to large pages from their size on), zeroed, resized only
// upwards.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace stl::cpu {

class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t floats) { reserve(floats); }

    /// Zeroes everything if it has to grow; what it held is lost then.
    void reserve(std::size_t floats) {
        if (floats <= size_) return;
        const std::size_t bytes = (floats * sizeof(float) + alignment - 1) / alignment * alignment;
        data_.reset();
        const std::size_t page = bytes < large_page ? alignment : large_page;
        data_.reset(static_cast<float*>(std::aligned_alloc(page, (bytes + page - 1) / page * page)));
        if (!data_) throw std::bad_alloc();
        // Weights are read once a pass, a page after the other: in small pages a tenth of the time goes into looking
        // them up. A wish: the system may decline it.
        if (bytes >= large_page) madvise(data_.get(), bytes, MADV_HUGEPAGE);
        std::memset(data_.get(), 0, bytes);
        size_ = floats;
    }
    float* data() { return data_.get(); }
    const float* data() const { return data_.get(); }
    std::size_t size() const { return size_; }

  private:
    static constexpr std::size_t alignment = 64, large_page = std::size_t{2} << 20U;
    struct Free {
        void operator()(float* p) const { std::free(p); }
    };
    std::unique_ptr<float, Free> data_;
    std::size_t size_ = 0;
};

}  // namespace stl::cpu
