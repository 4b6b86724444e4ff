// IncepU: inception modules, conv1 and then the sum of LeakyReLU(GN(grouped k x k convolution)), k = 3, 5,
// 7, 11.
//
// conv1's output is laid out group by group in planes with a border of zeros; a filter line's pixels and
// channels are then contiguous, so a convolution is a product with one tap a line. A group is also what the
// norm runs over: each thread finishes its groups by itself.
#include "stl/models/translators/incepu.h"

#include <cmath>

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;

constexpr int border = 5;  ///< of the largest filters, 11x11

struct GroupedConvolution {
    GroupedConvolution(const GroupConv2d& layer, int group_inputs, Type precision)
        : kernel(static_cast<int>(layer->conv->options.kernel)), eps(layer->norm->eps) {
        const auto groups = layer->conv->options.groups, outputs = layer->conv->options.out / groups;
        const auto depth = kernel * kernel * group_inputs;
        // [groups, outputs, ky, kx, inputs]
        const auto w = layer->conv->weight.detach()
                           .view({groups, outputs, group_inputs, kernel, kernel})
                           .permute({0, 1, 3, 4, 2})
                           .contiguous();
        for (std::int64_t g = 0; g < groups; ++g) {
            panels.emplace_back(w[g].data_ptr<float>(), depth, cpu::in_order(static_cast<int>(outputs)),
                                cpu::in_order(depth), precision);
            bias.push_back(channels(layer->conv->bias.narrow(0, g * outputs, outputs)));
            gain.push_back(channels(layer->norm->weight.narrow(0, g * outputs, outputs)));
            shift.push_back(channels(layer->norm->bias.narrow(0, g * outputs, outputs)));
        }
    }

    int kernel;
    double eps;
    std::vector<cpu::Panels> panels;  ///< a group each
    std::vector<cpu::Buffer> bias, gain, shift;
};

class InceptionPlan {
  public:
    InceptionPlan(const Inception& module, const Planning& planning)
        : conv1_(Map::of(module->conv1), planning), hidden_(static_cast<int>(module->conv1->options.out)) {
        const auto& first = module->layers.front()->conv->options;
        groups_ = static_cast<int>(first.groups);
        inputs_ = hidden_ / groups_;
        // A pixel's channels end with a pair.
        precision_ = inputs_ % 2 == 0 ? planning.precision : Type::float32;
        words_ = cpu::words_of(precision_, inputs_);
        outputs_ = static_cast<int>(first.out) / groups_;
        for (const auto& layer : module->layers) convolutions_.emplace_back(layer, inputs_, precision_);
    }

    void run(const Frame& frame, Pixels in, Pixels out) const {
        const auto hidden = frame.workspace.pixels(slot::a, frame.rows(), hidden_);
        const auto plane = static_cast<std::size_t>((frame.height + 2 * border) * line(frame));
        float* planes = frame.workspace.floats(slot::b, plane * static_cast<std::size_t>(groups_));
        conv1_.run(frame, in, hidden);
        const Trace::Timed timed(frame.trace, "grouped convolutions and norms", macs(frame));
        cpu::parallel(groups_, [&](int group) {
            float* own = planes + plane * static_cast<std::size_t>(group);
            lay_out(frame, hidden.from(group * inputs_), own);
            convolve(frame, own, group, out.from(group * outputs_));
        });
    }

  private:
    Index line(const Frame& frame) const { return Index{frame.width + 2 * border} * words_; }

    std::int64_t macs(const Frame& frame) const {
        std::int64_t filters = 0;
        for (const auto& convolution : convolutions_)
            filters += std::int64_t{convolution.kernel} * convolution.kernel;
        return filters * frame.rows() * groups_ * inputs_ * outputs_;
    }

    /// The border stays zero: only the inside is ever written.
    void lay_out(const Frame& frame, Pixels hidden, float* plane) const {
        for (int y = 0; y < frame.height; ++y) {
            float* to = plane + (y + border) * line(frame) + Index{border} * words_;
            store_rows(frame, hidden.below(y * frame.width), {to, words_, precision_}, frame.width, inputs_);
        }
    }

    void convolve(const Frame& frame, const float* plane, int group, Pixels out) const {
        const Index row = cpu::padded(outputs_);
        const auto count = static_cast<std::size_t>(frame.rows() * row);
        float* result = frame.workspace.scratch(2 * count);
        const Pixels values{result, row}, total{result + count, row};
        for (const auto& convolution : convolutions_) {
            multiply(frame, plane, convolution, static_cast<std::size_t>(group), values);
            const auto op = &convolution == &convolutions_.front() ? Op::leaky_affine : Op::leaky_affine_add;
            add_normalised(frame, convolution, static_cast<std::size_t>(group), op, values, total);
        }
        for (int r = 0; r < frame.rows(); ++r)
            std::copy_n(total.data + r * row, outputs_, out.data + r * out.row);
    }

    void multiply(const Frame& frame, const float* plane, const GroupedConvolution& convolution,
                  std::size_t group, Pixels values) const {
        const int kernel = convolution.kernel, skip = border - kernel / 2;
        Index taps[2 * border + 1];
        for (int dy = 0; dy < kernel; ++dy) taps[dy] = dy * line(frame);
        const auto& panels = convolution.panels[group];
        for (int panel = 0; panel < panels.count(); ++panel) {
            cpu::Product p;
            p.precision = precision_;
            p.a_row = words_;
            p.taps = taps;
            p.tap_count = kernel;
            p.depth = kernel * words_;
            p.w = panels.panel(panel);
            p.rows = frame.width;
            p.columns = panels.columns(panel);
            p.out_row = values.row;
            p.bias = convolution.bias[group].data() + panel * cpu::panel_columns;
            p.lines = frame.height;
            p.a = plane + skip * line(frame) + Index{skip} * words_;
            p.a_line = line(frame);
            p.out = values.data + panel * cpu::panel_columns;
            p.out_line = frame.width * values.row;
            frame.kernels.product(p);
        }
    }

    void add_normalised(const Frame& frame, const GroupedConvolution& convolution, std::size_t group, Op op,
                        Pixels values, Pixels total) const {
        constexpr int step = cpu::column_step;
        double sums[step];
        float middle[step];
        double mean = 0, squares = 0;
        for (int c = 0; c < outputs_; c += step) {
            column_means(frame, values.from(c), step, nullptr, sums);
            for (int i = 0; i < std::min(step, outputs_ - c); ++i) mean += sums[i] / outputs_;
        }
        std::fill_n(middle, step, static_cast<float>(mean));
        for (int c = 0; c < outputs_; c += step) {
            column_means(frame, values.from(c), step, middle, sums);
            for (int i = 0; i < std::min(step, outputs_ - c); ++i) squares += sums[i] / outputs_;
        }
        const double scale = 1.0 / std::sqrt(squares + convolution.eps);
        for (int c = 0; c < outputs_; c += step) {
            float gain[step], shift[step];
            for (int i = 0; i < step; ++i) {
                const double g = scale * static_cast<double>(convolution.gain[group].data()[c + i]);
                gain[i] = static_cast<float>(g);
                shift[i] = static_cast<float>(static_cast<double>(convolution.shift[group].data()[c + i]) -
                                              mean * g);
            }
            apply(frame, op, values.from(c), total.from(c), total.from(c), step, {gain, shift});
        }
    }

    PointwisePlan conv1_;
    int hidden_, groups_ = 0, inputs_ = 0, outputs_ = 0;
    Type precision_ = Type::float32;
    int words_ = 0;  ///< of a pixel of a group
    std::vector<GroupedConvolution> convolutions_;
};

/// x is written where the next module reads it; the upward modules read [x, skip].
class IncepUPlan : public TranslatorPlan {
  public:
    IncepUPlan(const SimVPOptions& options, const IncepU& translator, const Planning& planning)
        : channels_(static_cast<int>(options.hid_T)) {
        for (const auto& module : translator.enc) down_.emplace_back(module, planning);
        for (const auto& module : translator.dec) up_.emplace_back(module, planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        const std::size_t depth = down_.size();
        // joined[i]: the input of up_[i]; its second half holds the skip.
        const auto joined = [&](std::size_t i) {
            return frame.workspace.pixels(slot::incepu_joined + i, frame.rows(), 2 * channels_);
        };
        const auto skip = [&](std::size_t i) {  // where down_[i]'s output goes
            return i + 1 < depth ? joined(depth - 1 - i).from(channels_) : joined(0);
        };
        for (std::size_t i = 0; i < depth; ++i) down_[i].run(frame, i == 0 ? x : skip(i - 1), skip(i));
        for (std::size_t i = 0; i < depth; ++i)
            up_[i].run(frame, joined(i), i + 1 < depth ? joined(i + 1) : x);
    }

  private:
    int channels_;
    std::vector<InceptionPlan> down_, up_;
};

}  // namespace

std::unique_ptr<TranslatorPlan> plan_incepu(const SimVPOptions& options, const Translator& translator,
                                            const Planning& planning) {
    return std::make_unique<IncepUPlan>(options, dynamic_cast<const IncepU&>(translator), planning);
}

}  // namespace stl::inference
