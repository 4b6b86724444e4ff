#include "stl/models/layers/recompute.h"

#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <utility>
#include <vector>

#include "stl/runtime/autocast.h"
#include "stl/runtime/autograd_function.h"

namespace stl {
namespace {

using torch::Tensor;
using Tensors = torch::autograd::variable_list;

/// Draws as from `state` while it lives; then the generator goes on where it was.
class DrawsFrom {
  public:
    DrawsFrom(torch::Device device, const Tensor& state)
        : generator_(at::globalContext().defaultGenerator(device)), before_(generator_.get_state()) {
        generator_.set_state(state);
    }
    ~DrawsFrom() { generator_.set_state(before_); }
    DrawsFrom(const DrawsFrom&) = delete;
    DrawsFrom& operator=(const DrawsFrom&) = delete;

  private:
    at::Generator generator_;
    Tensor before_;
};

/// Puts a layer's buffers back as they were: running statistics see a batch once.
class KeepsBuffers {
  public:
    explicit KeepsBuffers(const torch::nn::Module& layer) {
        for (const auto& buffer : layer.buffers()) buffers_.emplace_back(buffer, buffer.detach().clone());
    }
    ~KeepsBuffers() {
        const torch::NoGradGuard no_grad;
        // Past autograd's count of changes: the values are those that it saw.
        for (auto& [buffer, before] : buffers_) buffer.variable_data().copy_(before);
    }
    KeepsBuffers(const KeepsBuffers&) = delete;
    KeepsBuffers& operator=(const KeepsBuffers&) = delete;

  private:
    std::vector<std::pair<Tensor, Tensor>> buffers_;
};

/// What a layer needs to run again.
struct Segment : torch::CustomClassHolder {
    std::shared_ptr<torch::nn::Module> layer;
    LayerFunction f;
    Tensor random_state;
    bool autocast = false;
};

struct RecomputedFunction : torch::autograd::Function<RecomputedFunction> {
    using Context = torch::autograd::AutogradContext;

    static Tensor forward(Context* context, const Tensor& x, at::TensorList /*parameters*/,
                          const c10::intrusive_ptr<Segment>& segment) {
        context->save_for_backward({x});
        context->saved_data["segment"] = c10::IValue::make_capsule(segment);
        return segment->f(x);
    }

    static Tensors backward(Context* context, const Tensors& grads) {
        const auto segment =
            c10::static_intrusive_pointer_cast<Segment>(context->saved_data["segment"].toCapsule());
        const bool wants_x = context->needs_input_grad(0);
        const auto x = context->get_saved_variables()[0].detach().requires_grad_(wants_x);
        Tensors inputs = segment->layer->parameters();
        if (wants_x) inputs.push_back(x);
        auto found = torch::autograd::grad({again(*segment, x)}, inputs, grads, /*retain_graph=*/false,
                                           /*create_graph=*/false, /*allow_unused=*/true);
        Tensors result{wants_x ? found.back() : Tensor()};
        result.insert(result.end(), found.begin(), found.end() - (wants_x ? 1 : 0));
        result.emplace_back();  // the segment's
        return result;
    }

  private:
    static Tensor again(const Segment& segment, const Tensor& x) {
        const torch::AutoGradMode with_gradients(true);
        const DrawsFrom draws(x.device(), segment.random_state);
        const KeepsBuffers buffers(*segment.layer);
        const Autocast autocast(x.device().type(), segment.autocast);
        return segment.f(x);
    }
};

}  // namespace

void set_recompute(torch::nn::Module& model, bool recompute) {
    for (const auto& module : model.modules()) {
        if (auto* layer = dynamic_cast<HasRecomputation*>(module.get())) layer->recompute = recompute;
    }
}

Tensor recomputed(torch::nn::Module& layer, const Tensor& x, const LayerFunction& f) {
    if (!torch::GradMode::is_enabled()) return f(x);
    auto segment = c10::make_intrusive<Segment>();
    segment->layer = layer.shared_from_this();
    segment->f = f;
    segment->random_state = at::globalContext().defaultGenerator(x.device()).get_state();
    segment->autocast = Autocast::is_on(x.device().type());
    const auto parameters = layer.parameters();
    return RecomputedFunction::apply(x, at::TensorList(parameters), segment);
}

}  // namespace stl
