// What the fast path's layers work on: one sequence's latent (or one frame's features) as a matrix of pixels
// by channels, and the buffers that are made once and used again.
#pragma once

#include <cstddef>
#include <vector>

#include "stl/cpu/buffer.h"
#include "stl/cpu/kernels.h"
#include "stl/inference/trace.h"

namespace stl::inference {

using cpu::Index;
using cpu::Type;

/// [rows, channels], a row every `row` words: floats, or pairs of bfloat16. Rows are padded to
/// cpu::column_step channels.
struct Pixels {
    float* data = nullptr;
    Index row = 0;
    Type stored = Type::float32;

    /// column: even, if pairs are stored.
    Pixels from(int column) const { return {data + cpu::words_of(stored, column), row, stored}; }
    Pixels below(int r) const { return {data + r * row, row, stored}; }
};

/// Buffers by number, and one of its own for each thread. They grow in the first run and stay.
class Workspace {
  public:
    /// Call before each run, outside of parallel().
    void prepare(int threads);
    /// [rows, channels]; a row is a little longer than its channels, so that rows do not compete for cache
    /// lines.
    Pixels pixels(std::size_t slot, int rows, int channels, Type stored = Type::float32);
    float* floats(std::size_t slot, std::size_t count);
    /// The calling thread's own, for the moment.
    float* scratch(std::size_t count);
    /// The calling thread's own, zero at first; whoever uses it is its only user.
    float* planes(std::size_t count);
    /// The calling thread's own: one panel's columns, [rows, cpu::panel_columns] floats.
    Pixels panel(int rows);
    std::size_t bytes() const;  ///< of all buffers

  private:
    std::vector<cpu::Buffer> slots_, scratch_, planes_, panels_;
};

/// Where a layer works.
struct Frame {
    const cpu::Kernels& kernels;
    Workspace& workspace;
    int height = 0, width = 0;
    Trace* trace = nullptr;  ///< null: nobody asks where the time goes

    int rows() const { return height * width; }
};

/// The first `rows` rows and `columns` channels of `from`, which holds floats, to `to`, as that stores them.
void store_rows(const Frame& frame, Pixels from, Pixels to, int rows, int columns);

}  // namespace stl::inference
