// The data of the fast path's layers: one sequence's latent (or one frame's features) as a matrix of pixels
// by channels, and buffers that are allocated once and reused.
#pragma once

#include <cstddef>
#include <vector>

#include "stl/cpu/buffer.h"
#include "stl/cpu/kernels.h"
#include "stl/inference/trace.h"

namespace stl::inference {

using cpu::Index;
using cpu::Type;

/// [rows, channels] with a row stride of `row` words, which are floats or pairs of bfloat16. Rows are padded to
/// cpu::column_step channels.
struct Pixels {
    float* data = nullptr;
    Index row = 0;
    Type stored = Type::float32;

    /// `column` must be even if pairs are stored.
    Pixels from(int column) const { return {data + cpu::words_of(stored, column), row, stored}; }
    Pixels below(int r) const { return {data + r * row, row, stored}; }
};

/// Numbered buffers, and separate ones for each thread. They grow in the first run and are then kept.
class Workspace {
  public:
    /// Call before each run, outside of parallel().
    void prepare(int threads);
    /// [rows, channels]; rows are padded a little, so that they do not compete for the same cache
    /// sets.
    Pixels pixels(std::size_t slot, int rows, int channels, Type stored = Type::float32);
    float* floats(std::size_t slot, std::size_t count);
    /// The calling thread's scratch memory; valid until the next call.
    float* scratch(std::size_t count);
    /// The calling thread's memory for planes, initially zero; only CoderPlan may use it.
    float* planes(std::size_t count);
    /// The calling thread's memory for one panel's columns, [rows, cpu::panel_columns] floats.
    Pixels panel(int rows);
    std::size_t bytes() const;  ///< of all buffers

  private:
    std::vector<cpu::Buffer> slots_, scratch_, planes_, panels_;
};

/// The context in which a layer runs.
struct Frame {
    const cpu::Kernels& kernels;
    Workspace& workspace;
    int height = 0, width = 0;
    Trace* trace = nullptr;  ///< null: no tracing

    int rows() const { return height * width; }
};

/// Copies the first `rows` rows and `columns` channels of `from`, which has floats, to `to`, converting to its type.
void store_rows(const Frame& frame, Pixels from, Pixels to, int rows, int columns);

}  // namespace stl::inference
