// Memory for a kernel's operands that shows where it reads or writes what it must not, and what it leaves
// out.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "stl/runtime/torch.h"

namespace stl::test {

inline constexpr std::int64_t margin = 64;  ///< elements on either side
inline constexpr double canary = 12288;     ///< the same in float32 and bfloat16

/// A contiguous copy of x between NaNs, which spread from what is read beside it.
inline torch::Tensor between_nans(const torch::Tensor& x) {
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
