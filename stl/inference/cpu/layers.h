// The fast path's layers: made once from a module's weights, run on pixels without allocation.
// Norms, layer scales and shortcuts are folded into the adjacent weights (models/layers/folding.h).
#pragma once

#include <optional>
#include <type_traits>

#include "stl/cpu/packing.h"
#include "stl/cpu/parallel.h"
#include "stl/inference/cpu/frame.h"
#include "stl/inference/cpu/library_product.h"
#include "stl/inference/cpu/planning.h"
#include "stl/models/layers/folding.h"
#include "stl/runtime/torch.h"

namespace stl::inference {

/// A vector of channels as the kernels take it: float32, padded with zeros.
cpu::Buffer channels(const torch::Tensor& values);
cpu::Buffer channels(const torch::Tensor& values, const cpu::Order& order);

/// What a PointwisePlan adds to its products: scale * pixels.
struct Residual {
    Pixels pixels;
    const float* scale = nullptr;  ///< null: 1
};

/// Where a thread computes a panel's columns [column, ...) of `out`: in `out` itself or, if that stores pairs or is
/// empty, in the thread's own panel.
inline Pixels panel_of(const Frame& frame, Pixels out, int column) {
    const bool there = out.data && out.stored == Type::float32;
    return there ? out.from(column) : frame.workspace.panel(frame.rows());
}
/// Copies `part`, which panel_of() returned, to the columns of `out` from `column` on, unless it is already there.
void keep(const Frame& frame, Pixels part, Pixels out, int column, int columns);

/// Applies a Map to every pixel. Bias and residual are added in float32, whatever the precision of the products, which
/// our own kernels compute, or LibTorch where planning.tuner finds it quicker.
class PointwisePlan {
  public:
    PointwisePlan() = default;
    PointwisePlan(const Map& map, const Planning& planning);
    PointwisePlan(const Map& map, const cpu::Order& outputs, const cpu::Order& inputs,
                  const Planning& planning);

    int outputs() const { return panels_.outputs(); }
    /// The type in which it reads its input; an input of another type is first copied.
    Type precision() const { return panels_.precision(); }

    /// finish(column, columns, part) is called once for each panel when all its rows are done, on the thread that
    /// computed it (so that they are in its cache). part: the columns' values, in panel_of(out); finish() must copy
    /// them to `out` if that stores pairs, or elsewhere if `out` is empty (Pixels{}). `in` may store floats or pairs.
    template <class Finish>
    void run(const Frame& frame, Pixels in, Pixels out, const Residual& residual,
             const Finish& finish) const {
        const Trace::Timed timed(frame.trace, name_,
                                 std::int64_t{frame.rows()} * inputs_ * panels_.outputs());
        const auto words = left_side(frame, in);
        if (library_) {
            run_by_library(frame, words, out, residual, finish);
            return;
        }
        if (out.data && out.stored == Type::float32) {
            run_in_place(frame, words, out, residual, finish);
            return;
        }
        over_panels(1, [&](int first, int last) {
            const auto part = frame.workspace.panel(frame.rows());
            for (int p = first; p < last; ++p) {
                for (int block = 0; block < blocks(); ++block) {
                    for (int row = 0; row < frame.rows(); row += row_block)
                        multiply(frame, words, part, residual, {block, row, p, p + 1 < last});
                }
                finish(p * cpu::panel_columns, panels_.columns(p), part);
            }
        });
    }
    /// The same without a finish(). `out` must store floats.
    void run(const Frame& frame, Pixels in, Pixels out, const Residual& residual = {}) const {
        run(frame, in, out, residual, [](int /*column*/, int /*columns*/, Pixels /*part*/) {});
    }

  private:
    template <class Finish>
    void run_by_library(const Frame& frame, Pixels words, Pixels out, const Residual& residual,
                        const Finish& finish) const {
        const bool in_place = out.data && out.stored == Type::float32;
        // The residual may be what `out` holds.
        const auto sums = in_place && !residual.pixels.data ? out : library_sums(frame);
        library_->run(words, frame.rows(), sums);
        over_panels(1, [&](int first, int last) {
            for (int p = first; p < last; ++p) {
                const int column = p * cpu::panel_columns;
                const auto part = in_place ? out.from(column) : sums.from(column);
                if (residual.pixels.data) add(frame, residual, sums.from(column), part, p);
                finish(column, panels_.columns(p), part);
            }
        });
    }

    template <class Finish>
    void run_in_place(const Frame& frame, Pixels words, Pixels out, const Residual& residual,
                      const Finish& finish) const {
        const int together = frame.rows() > row_block ? 4 : 1;  // panels that share the rows in the cache
        for (int block = 0; block < blocks(); ++block) {
            over_panels(together, [&](int first, int last) {
                for (int row = 0; row < frame.rows(); row += row_block) {
                    for (int p = first; p < last; ++p) {
                        multiply(frame, words, out.from(p * cpu::panel_columns), residual,
                                 {block, row, p, p + 1 < last});
                    }
                }
                if (block + 1 < blocks()) return;
                for (int p = first; p < last; ++p) {
                    const int column = p * cpu::panel_columns;
                    finish(column, panels_.columns(p), out.from(column));
                }
            });
        }
    }

    /// Calls task(first, last) for groups of at least `together` panels in parallel. If there are enough panels for all
    /// threads, groups are larger, so that a thread's next panel is prefetched into its cache while it works on one.
    template <class Task>
    void over_panels(int together, const Task& task) const {
        constexpr int at_most = 4, units_a_thread = 4;
        const int group =
            std::clamp(panels_.count() / (units_a_thread * cpu::thread_count()), together, at_most);
        cpu::parallel((panels_.count() + group - 1) / group,
                      [&](int unit) { task(unit * group, std::min(panels_.count(), (unit + 1) * group)); });
    }

    /// Decides what computes the products.
    void choose(const Map& map, const cpu::Order& outputs, const cpu::Order& inputs,
                const Planning& planning);
    /// Where LibTorch's products are kept until the residual is added.
    Pixels library_sums(const Frame& frame) const;
    /// sums + the residual -> out, of one panel.
    void add(const Frame& frame, const Residual& residual, Pixels sums, Pixels out, int panel) const;

    /// `in` in the form that the products read: itself, or converted to pairs.
    Pixels left_side(const Frame& frame, Pixels in) const;

    /// Rows processed at a time; depth_block_ is the depth in words. Both are chosen to fit in the L2 cache.
    static constexpr int row_block = 512;
    int blocks() const { return (panels_.depth() + depth_block_ - 1) / depth_block_; }

    /// The part of one panel in block `block` of the depth and the row block that starts at `row`.
    struct Part {
        int block, row, panel;
        bool next_follows;  ///< the same thread computes the next panel afterwards
    };
    /// out: the panel's columns.
    void multiply(const Frame& frame, Pixels words, Pixels out, const Residual& residual,
                  const Part& part) const;

    cpu::Panels panels_;
    cpu::Buffer bias_;
    std::optional<LibraryProduct> library_;  ///< computes the products; none: our own kernels do
    cpu::Buffer ones_, zeros_;               ///< with library_: vectors of all outputs
    int depth_block_ = 1024;
    int inputs_ = 0;
    std::string name_;  ///< for traces
};

/// A depthwise convolution: one filter per channel.
class DepthwisePlan {
  public:
    DepthwisePlan() = default;
    explicit DepthwisePlan(const Conv2d& convolution);
    /// With add_input, adds the input to the output; `order`: the order of the channels.
    DepthwisePlan(const Conv2d& convolution, const cpu::Order& order, bool add_input = false);

    /// Only channels [column, column + columns): in and out start at `column` and store floats; they may be the same.
    void run(const Frame& frame, Pixels in, Pixels out, int column, int columns) const;
    /// All channels, in parallel.
    void run(const Frame& frame, Pixels in, Pixels out) const;

  private:
    cpu::Buffer weights_, bias_;
    int channels_ = 0, kernel_ = 0, dilation_ = 1;
    std::string name_;  ///< for traces
};

/// Rows split over threads: task(first row, rows).
template <class Task>
void over_rows(int rows, const Task& task) {
    constexpr int step = 32;
    cpu::parallel((rows + step - 1) / step,
                  [&](int unit) { task(unit * step, std::min(step, rows - unit * step)); });
}

/// Columns split over threads: task(first column, columns).
template <class Task>
void over_columns(int columns, const Task& task) {
    constexpr int step = cpu::panel_columns;
    const int whole = cpu::padded(columns);
    cpu::parallel((whole + step - 1) / step,
                  [&](int unit) { task(unit * step, std::min(step, whole - unit * step)); });
}

/// Applies `op` to `columns` columns of all pixels. `out` may be a or b; if it is neither, it may store pairs.
struct Vectors {
    const float* scale = nullptr;
    const float* shift = nullptr;
};
void apply(const Frame& frame, cpu::Op op, Pixels a, Pixels b, Pixels out, int columns, Vectors vectors = {});

/// The mean over the pixels of each of `columns` columns (if `mean` is given, of the squared differences from
/// it).
void column_means(const Frame& frame, Pixels in, int columns, const float* mean, double* out);

/// (x - mean) / sqrt(variance + eps) over each pixel's channels, to floats or pairs. The norm's gain and shift are
/// folded into the next Map (Affine::of).
void normalise(const Frame& frame, Pixels in, Pixels out, int channels, double eps);

/// fc2(GELU(dwconv(fc1(x)))), added to the residual; dwconv is optional. The last Map includes
/// the layer scale.
class MlpPlan {
  public:
    MlpPlan() = default;
    MlpPlan(const Map& fc1, const Map& fc2, const Planning& planning);
    MlpPlan(const Map& fc1, const Conv2d& dwconv, const Map& fc2, const Planning& planning);

    /// x += mlp(in).
    void run(const Frame& frame, Pixels in, Pixels x) const;
    /// The first half, up to the activation, into a separate buffer. watch(column, columns, part) is called with each
    /// panel in floats; null: none.
    template <class Watch>
    Pixels hidden(const Frame& frame, Pixels in, const Watch& watch) const {
        const auto h = hidden_pixels(frame);
        fc1_.run(frame, in, h, {}, [&](int column, int columns, Pixels part) {
            if (has_dwconv_) dwconv_.run(frame, part, part, column, columns);
            if constexpr (std::is_null_pointer_v<Watch>) {
                apply(frame, cpu::Op::gelu, part, part, h.from(column), columns);
            } else {
                apply(frame, cpu::Op::gelu, part, part, part, columns);
                watch(column, columns, part);
                keep(frame, part, h, column, columns);
            }
        });
        return h;
    }
    const PointwisePlan& last() const { return fc2_; }
    Type precision() const { return fc1_.precision(); }
    int width() const { return hidden_; }

  private:
    Pixels hidden_pixels(const Frame& frame) const;

    PointwisePlan fc1_, fc2_;
    DepthwisePlan dwconv_;
    bool has_dwconv_ = false;
    int hidden_ = 0;
};

}  // namespace stl::inference
