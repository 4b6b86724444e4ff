#include "stl/inference/inference.h"

#include <fmt/format.h>

#include "stl/cpu/parallel.h"
#include "stl/gpu/plugin.h"
#include "stl/inference/cpu/planned_inference.h"
#include "stl/inference/cpu/product_trial.h"
#include "stl/inference/graph/graph_inference.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

class PlainInference : public Inference {
  public:
    PlainInference(SimVP model, torch::Device device, Precision precision)
        : Inference(device, precision), model_(std::move(model)) {
        model_->to(device);
    }

    torch::Tensor forward(const torch::Tensor& x) override {
        const torch::NoGradGuard no_grad;
        const Tf32 tf32(precision() == Precision::tf32);
        const Autocast autocast(device().type(), product_type(precision()));
        return model_->forward(x).to(torch::kFloat32);
    }

  private:
    SimVP model_;
};

}  // namespace

torch::Tensor Inference::predict(const torch::Tensor& x, std::int64_t frames) {
    const torch::NoGradGuard no_grad;
    const auto pass = [this](const torch::Tensor& input) {
        const auto y = forward(input);
        return overwrites() ? y.clone() : y;
    };
    return rolled_out(pass, x, frames);
}

Precision quicker_precision(const SimVPOptions& model, Precision asked, Tuner& tuner) {
    const auto resolved = resolve_precision(asked, Work::inference, torch::kCPU, Path::fast).precision;
    // What most of the time of a pass is spent in: the wider map of a block's perceptron.
    const auto rows = model.translator_height() * model.translator_width(), inputs = model.hid_T;
    const auto outputs = static_cast<std::int64_t>(static_cast<double>(inputs) * model.mlp_ratio);
    constexpr std::int64_t least_macs = std::int64_t{1} << 24;  // smaller products are not worth a comparison
    if (resolved != Precision::bf16 || rows * inputs * outputs < least_macs) return asked;
    inference::ProductTrial rounded(cpu::Type::bfloat16, rows, inputs, outputs),
        exact(cpu::Type::float32, rows, inputs, outputs);
    const Candidate candidates[] = {{name_of(Precision::bf16), [&] { rounded.run(); }},
                                    {name_of(Precision::fp32), [&] { exact.run(); }}};
    const auto work = fmt::format("precision of products {}x{} -> {}, {} threads", rows, inputs, outputs,
                                  cpu::thread_count());
    return tuner.choose(work, candidates) == 0 ? Precision::bf16 : Precision::fp32;
}

std::unique_ptr<Inference> make_inference(SimVP model, torch::Device device, Path path, Precision asked,
                                          Reporter& reporter, const gpu::KernelTable* kernels, Tuner* tuner) {
    if (kernels == nullptr) kernels = gpu::kernels_for(device);
    const auto kind = kernels != nullptr ? torch::kCUDA : device.type();
    const auto [precision, reason] = resolve_precision(asked, Work::inference, kind, path);
    if (!reason.empty()) reporter.warn(reason + "; computed in " + name_of(precision));
    if (path == Path::plain) return std::make_unique<PlainInference>(std::move(model), device, precision);
    if (kind == torch::kCPU) {
        auto planned = std::make_unique<PlannedInference>(*model, precision, cpu::kernels(), tuner);
        if (tuner != nullptr) tuner->save();
        return planned;
    }
    if (kernels == nullptr)
        reporter.warn("passes on " + device.str() + " run kernel by kernel: " + gpu::why_no_kernels());
    const auto graphs = kernels != nullptr ? GraphInference::MakeGraph(kernels->make_graph) : nullptr;
    return std::make_unique<GraphInference>(*model, device, kernels, precision, graphs, reporter);
}

}  // namespace stl
