#include "stl/inference/inference.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "stl/gpu/plugin.h"
#include "stl/inference/cpu/planned_inference.h"
#include "stl/inference/graph/graph_inference.h"
#include "stl/models/complexity.h"
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

/// "precision of moganet 10x1x64x64, 46772225 parameters, 2 threads"
std::string precision_work(const SimVPImpl& model) {
    const auto& o = model.options();
    return fmt::format("precision of {} {}x{}x{}x{}, {} parameters, {} threads", o.translator, o.frames,
                       o.channels, o.height, o.width, model.parameter_count(), torch::get_num_threads());
}

}  // namespace

torch::Tensor Inference::predict(const torch::Tensor& x, std::int64_t frames) {
    const torch::NoGradGuard no_grad;
    const auto pass = [this](const torch::Tensor& input) {
        const auto y = forward(input);
        return overwrites() ? y.clone() : y;
    };
    return rolled_out(pass, x, frames);
}

Precision quicker_precision(const SimVPImpl& model, Precision asked, Tuner& tuner) {
    const auto resolved = resolve_precision(asked, Work::inference, torch::kCPU, Path::fast).precision;
    constexpr std::int64_t least_macs = std::int64_t{1} << 30;  // of a pass that is worth a comparison
    if (resolved != Precision::bf16 || model_cost(model, Counting::evaluation).macs < least_macs)
        return asked;
    const auto& o = model.options();
    const auto x = torch::zeros({1, o.frames, o.channels, o.height, o.width});
    const std::array precisions{Precision::bf16, Precision::fp32};
    std::array<std::unique_ptr<PlannedInference>, 2> planned;  // where they are timed
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < precisions.size(); ++i) {
        candidates.push_back({name_of(precisions[i]), [&, i] {
                                  if (!planned[i])
                                      planned[i] = std::make_unique<PlannedInference>(model, precisions[i],
                                                                                      cpu::kernels(), &tuner);
                                  planned[i]->forward(x);
                              }});
    }
    return precisions[tuner.choose(precision_work(model), candidates)];
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
