#include "stl/inference/cpu/frame.h"

#include <algorithm>

#include "stl/cpu/parallel.h"

namespace stl::inference {

void Workspace::prepare(int threads) {
    const auto count = static_cast<std::size_t>(threads);
    if (scratch_.size() >= count) return;
    scratch_.resize(count);
    planes_.resize(count);
    panels_.resize(count);
}

float* Workspace::floats(std::size_t slot, std::size_t count) {
    if (slots_.size() <= slot) slots_.resize(slot + 1);
    slots_[slot].reserve(count);
    return slots_[slot].data();
}

Pixels Workspace::pixels(std::size_t slot, int rows, int channels, Type stored) {
    const Index row = cpu::words_of(stored, cpu::padded(channels)) + cpu::column_step;
    return {floats(slot, static_cast<std::size_t>(rows) * static_cast<std::size_t>(row)), row, stored};
}

float* Workspace::scratch(std::size_t count) {
    auto& own = scratch_[static_cast<std::size_t>(cpu::thread_index())];
    own.reserve(count);
    return own.data();
}

float* Workspace::planes(std::size_t count) {
    auto& own = planes_[static_cast<std::size_t>(cpu::thread_index())];
    own.reserve(count);
    return own.data();
}

Pixels Workspace::panel(int rows) {
    auto& own = panels_[static_cast<std::size_t>(cpu::thread_index())];
    own.reserve(static_cast<std::size_t>(rows) * cpu::panel_columns);
    return {own.data(), cpu::panel_columns};
}

std::size_t Workspace::bytes() const {
    std::size_t floats = 0;
    for (const auto* buffers : {&slots_, &scratch_, &planes_, &panels_}) {
        for (const auto& buffer : *buffers) floats += buffer.size();
    }
    return floats * sizeof(float);
}

void store_rows(const Frame& frame, Pixels from, Pixels to, int rows, int columns) {
    if (to.stored == Type::bfloat16) {
        frame.kernels.narrow_rows({.in = from.data,
                                   .in_row = from.row,
                                   .rows = rows,
                                   .columns = columns,
                                   .out = to.data,
                                   .out_row = to.row});
        return;
    }
    for (int r = 0; r < rows; ++r) std::copy_n(from.data + r * from.row, columns, to.data + r * to.row);
}

}  // namespace stl::inference
