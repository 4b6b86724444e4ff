// Weights in the order in which the product kernel reads them: panels of 32 outputs, in each [depth][32], or
// [depth / 2][32] pairs.
#pragma once

#include <span>
#include <vector>

#include "stl/cpu/buffer.h"
#include "stl/cpu/kernels.h"

namespace stl::cpu {

/// Which source index stands at each place; -1: none (zeros).
using Order = std::vector<int>;

/// 0, 1, ..., count-1.
Order in_order(int count);
/// Parts of the given sizes one after the other, each padded to column_step.
Order padded_parts(std::span<const int> sizes);

class Panels {
  public:
    Panels() = default;
    /// weight: [*, source_depth]; `outputs` and `depths` choose and order its rows and columns.
    Panels(const float* weight, int source_depth, const Order& outputs, const Order& depths, Type precision);

    Type precision() const { return precision_; }
    int outputs() const { return outputs_; }  ///< padded to column_step
    int depth() const { return depth_; }      ///< values or pairs, as Product counts
    int count() const { return panel_count(outputs_); }
    const float* panel(int i) const {
        return data_.data() + static_cast<std::size_t>(i) * depth_ * panel_columns;
    }
    int columns(int i) const { return panel_width(i, outputs_); }

  private:
    Buffer data_;
    Type precision_ = Type::float32;
    int outputs_ = 0, depth_ = 0;
};

}  // namespace stl::cpu
