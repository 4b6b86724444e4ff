#include "stl/cpu/packing.h"

#include <numeric>
#include <vector>

namespace stl::cpu {

Order in_order(int count) {
    Order order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    return order;
}

Order padded_parts(std::span<const int> sizes) {
    Order order;
    int source = 0;
    for (const int size : sizes) {
        for (int i = 0; i < padded(size); ++i) order.push_back(i < size ? source + i : -1);
        source += size;
    }
    return order;
}

Panels::Panels(const float* weight, int source_depth, const Order& outputs, const Order& depths,
               Type precision)
    : precision_(precision),
      outputs_(padded(static_cast<int>(outputs.size()))),
      depth_(words_of(precision, static_cast<int>(depths.size()))) {
    data_.reserve(static_cast<std::size_t>(count()) * depth_ * panel_columns);
    const int columns = static_cast<int>(depths.size());
    std::vector<float> values(depths.size()), pairs(static_cast<std::size_t>(depth_));
    for (std::size_t o = 0; o < outputs.size(); ++o) {
        if (outputs[o] < 0) continue;
        const float* row = weight + static_cast<std::ptrdiff_t>(outputs[o]) * source_depth;
        for (std::size_t k = 0; k < depths.size(); ++k) values[k] = depths[k] < 0 ? 0.0F : row[depths[k]];
        const float* words = values.data();
        if (precision == Type::bfloat16) {
            kernels().narrow_rows({.in = words, .rows = 1, .columns = columns, .out = pairs.data()});
            words = pairs.data();
        }
        float* to = data_.data() + o / panel_columns * depth_ * panel_columns + o % panel_columns;
        for (int k = 0; k < depth_; ++k) to[k * panel_columns] = words[k];
    }
}

}  // namespace stl::cpu
