#include "stl/distributed/sync_batch_norm.h"

#include "stl/distributed/group.h"
#include "stl/ops/cpu_operations.h"
#include "stl/runtime/autograd_function.h"

namespace stl {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [C] to the shape of [B,C,H,W].
Tensor by_channel(const Tensor& values, const Tensor& x) {
    return values.to(x.scalar_type()).view({1, -1, 1, 1});
}

/// Means over all ranks' B, H and W of double [C] each: from sums over this rank's, and their number.
struct Statistics {
    Tensor mean, variance;  ///< double [C]; the variance is biased
    double count = 0;       ///< of values per channel
};

/// By each rank's own mean and squared deviations from it, which lose no digits.
Statistics statistics(const Group& group, const Tensor& x) {
    const auto wide = x.to(torch::kFloat64);
    const auto own_mean = wide.mean({0, 2, 3});
    const auto own_count = static_cast<double>(x.numel() / x.size(1));
    const auto own_squares = (wide - own_mean.view({1, -1, 1, 1})).square().sum({0, 2, 3});
    auto sums = torch::cat({own_mean * own_count, torch::full({1}, own_count, torch::kFloat64)});
    group.sum(sums);
    const auto count = sums[-1].item<double>();
    const auto mean = sums.narrow(0, 0, x.size(1)) / count;
    auto squares = own_squares + own_count * (own_mean - mean).square();
    group.sum(squares);
    return {mean, squares / count, count};
}

/// x [B,C,H,W], gamma and beta [C]; mean and deviation: double [C], of `count` values per channel over all ranks.
struct Normalize : torch::autograd::Function<Normalize> {
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                          const Tensor& mean, const Tensor& deviation, double count, const Group* group) {
        const auto normal = (x - by_channel(mean, x)) / by_channel(deviation, x);
        context->save_for_backward({normal, gamma, deviation});
        context->saved_data["count"] = count;
        context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
        return normal * by_channel(gamma, x) + by_channel(beta, x);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto saved = context->get_saved_variables();
        const auto &normal = saved[0], &gamma = saved[1], &deviation = saved[2];
        const auto* group = reinterpret_cast<const Group*>(context->saved_data["group"].toInt());
        const auto& g = gradients[0];
        const auto of_beta = g.to(torch::kFloat64).sum({0, 2, 3});
        const auto of_gamma = (g.to(torch::kFloat64) * normal).sum({0, 2, 3});
        auto sums = torch::cat({of_beta, of_gamma});
        group->sum(sums);
        const auto means = sums / context->saved_data["count"].toDouble();
        const auto channels = gamma.numel();
        const auto of_x =
            by_channel(gamma / deviation, g) * (g - by_channel(means.narrow(0, 0, channels), g) -
                                                normal * by_channel(means.narrow(0, channels, channels), g));
        return {of_x, of_gamma.to(gamma.scalar_type()), of_beta.to(gamma.scalar_type()), {}, {}, {}, {}};
    }
};

Tensor sync_batch_norm(const Group& group, const Tensor& x, const ops::BatchNorm& norm) {
    Statistics all;
    {
        const torch::NoGradGuard no_grad;
        all = statistics(group, x.detach());
        const auto type = norm.running_mean.scalar_type();
        norm.running_mean.lerp_(all.mean.to(type), norm.momentum);
        norm.running_var.lerp_((all.variance * (all.count / (all.count - 1))).to(type), norm.momentum);
    }
    return Normalize::apply(x, norm.gamma, norm.beta, all.mean, (all.variance + norm.eps).sqrt(), all.count,
                            &group);
}

/// Base's operations; its own fused forms of batch norm give way to their definitions.
template <class Base>
class Synchronized : public Base {
  public:
    explicit Synchronized(const Group& group) : group_(group) {}

    Tensor batch_norm(const Tensor& x, const ops::BatchNorm& norm) const override {
        return norm.training ? sync_batch_norm(group_, x, norm) : Base::batch_norm(x, norm);
    }
    Tensor gelu_batch_norm(const Tensor& x, const ops::BatchNorm& norm) const override {
        return batch_norm(this->gelu(x), norm);
    }
    Tensor depthwise_gelu_batch_norm(const Tensor& x, const ops::Convolution& depthwise,
                                     const ops::BatchNorm& norm) const override {
        return batch_norm(this->depthwise_gelu(x, depthwise), norm);
    }

  private:
    const Group& group_;
};

}  // namespace

std::shared_ptr<const ops::Operations> with_sync_batch_norm(const Group& group, bool fast) {
    if (fast) return std::make_shared<const Synchronized<ops::CpuOperations>>(group);
    return std::make_shared<const Synchronized<ops::Operations>>(group);
}

}  // namespace stl
