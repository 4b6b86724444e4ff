// Memory for a kernel's operands that shows where it reads or writes what it must not, and what it leaves
// out.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl::test {

inline constexpr std::int64_t margin = 64;  ///< elements on either side
inline constexpr double canary = 12288;     ///< the same in float32 and bfloat16

/// NaNs on the CPU, the last of them before a page that cannot be read: what tries to ends the test program.
inline torch::Tensor nans_before_a_trap(std::int64_t size, torch::Dtype type) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const auto bytes = static_cast<std::size_t>(size) * c10::elementSize(type);
    const auto readable = (bytes + page - 1) / page * page, all = readable + page;
    void* start = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw std::runtime_error("no memory for a guarded tensor");
    auto* const first = static_cast<std::byte*>(start);
    std::memset(first, 0xff, readable);  // a NaN of any type
    mprotect(first + readable, page, PROT_NONE);
    return torch::from_blob(
        first + (readable - bytes), {size}, [=](void*) { munmap(start, all); }, type);
}

/// A contiguous copy of x between NaNs, which spread from what is read beside it; on the CPU with a trap
/// behind it, no further than packs have to be aligned.
inline torch::Tensor between_nans(const torch::Tensor& x) {
    constexpr std::int64_t alignment = 16;
    if (x.is_cpu()) {
        const auto step = alignment / x.element_size(), space = (x.numel() + step - 1) / step * step;
        auto inner = nans_before_a_trap(space + margin, x.scalar_type()).narrow(0, margin, x.numel());
        return inner.view(x.sizes()).copy_(x);
    }
    const auto whole = torch::full({x.numel() + 2 * margin}, NAN, x.options());
    auto inner = whole.narrow(0, margin, x.numel()).view(x.sizes());
    inner.copy_(x);
    return inner;
}

/// Outputs of a kernel: NaN until they are written, with canaries on either side.
class Outputs {
  public:
    explicit Outputs(torch::Device device) : device_(device) {}

    torch::Tensor make(c10::IntArrayRef sizes, torch::Dtype type = torch::kFloat32) {
        return made_from(torch::full(sizes, NAN, torch::dtype(type).device(device_)));
    }
    /// What a kernel changes in place.
    torch::Tensor made_from(const torch::Tensor& x) {
        wholes_.push_back(torch::full({x.numel() + 2 * margin}, canary, x.options().device(device_)));
        inners_.push_back(wholes_.back().narrow(0, margin, x.numel()).view(x.sizes()));
        inners_.back().copy_(x);
        return inners_.back();
    }
    const std::vector<torch::Tensor>& all() const { return inners_; }

    void expect_written_and_no_more() const {
        for (std::size_t i = 0; i < wholes_.size(); ++i) {
            const auto size = inners_[i].numel();
            EXPECT_FALSE(inners_[i].isnan().any().item<bool>()) << "output " << i << " is not all written";
            for (const auto start : {std::int64_t{0}, margin + size})
                EXPECT_TRUE((wholes_[i].narrow(0, start, margin) == canary).all().item<bool>())
                    << "written beside output " << i;
        }
    }

  private:
    torch::Device device_;
    std::vector<torch::Tensor> wholes_, inners_;
};

}  // namespace stl::test
