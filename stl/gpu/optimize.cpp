#include "stl/gpu/optimize.h"

#include "stl/core/error.h"
#include "stl/gpu/adam.h"

namespace stl::gpu {
namespace {

/// Sides of one have any stride, as the gradients of 1x1 filters do.
bool same_order(const torch::Tensor& a, const torch::Tensor& b) {
    if (a.sizes() != b.sizes()) return false;
    for (std::int64_t d = 0; d < b.dim(); ++d) {
        if (b.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
    }
    return true;
}

/// Each gradient in its parameter's memory order. Autograd mostly makes them so.
std::vector<torch::Tensor> in_order(const AdamTensors& t) {
    std::vector<torch::Tensor> gradients;
    for (std::size_t i = 0; i < t.parameters.size(); ++i) {
        const auto& p = t.parameters[i];
        const auto& g = t.gradients[i];
        const bool same = same_order(g, p) && g.scalar_type() == torch::kFloat32;
        gradients.push_back(same ? g : torch::empty_like(p).copy_(g));
    }
    return gradients;
}

float* data_of(const torch::Tensor& x, const torch::Tensor& parameter) {
    if (x.scalar_type() != torch::kFloat32 || !same_order(x, parameter) ||
        !x.is_non_overlapping_and_dense()) {
        fail("the optimizer's tensors are {}, expected Float in the memory order of their parameters",
             c10::toString(x.scalar_type()));
    }
    return x.mutable_data_ptr<float>();
}

}  // namespace

void adam(const AdamTensors& t, const AdamNumbers& numbers, const torch::Tensor& settings,
          const KernelTable& kernels) {
    const auto gradients = in_order(t);
    std::vector<AdamTensor> tensors;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        const auto& p = t.parameters[i];
        tensors.push_back({.parameter = data_of(p, p),
                           .grad = data_of(gradients[i], p),
                           .exp_avg = data_of(t.exp_avgs[i], p),
                           .exp_avg_sq = data_of(t.exp_avg_sqs[i], p),
                           .average = t.averages.empty() ? nullptr : data_of(t.averages[i], p),
                           .step = t.steps[i].const_data_ptr<float>(),
                           .size = p.numel()});
    }
    if (tensors.empty()) return;
    AdamTask task;
    task.tensors = tensors.data();
    task.count = static_cast<int>(tensors.size());
    task.settings = settings.const_data_ptr<float>();
    task.beta2 = numbers.beta2;
    task.eps = numbers.eps;
    task.weight_decay = numbers.weight_decay;
    task.decoupled = numbers.decoupled;
    task.average_decay = numbers.average_decay;
    kernels.adam(task, kernels.current_stream());
}

}  // namespace stl::gpu
