#include "stl/train/anomaly.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/models/layers/layer.h"

namespace stl {
namespace {

bool is_finite(const torch::Tensor& tensor) {
    const torch::NoGradGuard no_grad;
    return !tensor.defined() || !tensor.is_floating_point() || torch::isfinite(tensor).all().item<bool>();
}

}  // namespace

/// What is known of the step that is under way.
class AnomalyWatch::State {
  public:
    void begin(std::int64_t step, std::string ending) {
        step_ = step;
        ending_ = std::move(ending);
        seen_.clear();
        last_.clear();
        of_layer_.clear();
    }

    void takes(const torch::Tensor& x, const std::string& operation) {
        if (!x.defined()) return;
        if (!is_finite(x)) {
            stop("value", last_.empty() ? fmt::format("in the input of {}", operation)
                                        : fmt::format("between {} and {}", last_, operation));
        }
        if (x.requires_grad()) seen(x).used_by.push_back(operation);
    }

    void gives(const torch::Tensor& y, const std::string& layer, const std::string& operation,
               std::initializer_list<torch::Tensor> weights) {
        if (!is_finite(y)) {
            const bool weighted = !std::ranges::all_of(weights, is_finite);
            stop("value", fmt::format("in the result of {}{}", operation,
                                      weighted ? ", whose weights are not finite either" : ""));
        }
        last_ = of_layer_[layer] = operation;
        if (y.requires_grad()) seen(y).made_by = operation;
    }

    void check_gradient(const torch::Tensor& gradient, const std::string& parameter) const {
        if (is_finite(gradient)) return;
        // The layer of a parameter is the one with the longest name that begins the parameter's.
        std::string operation;
        for (const auto& [layer, latest] : of_layer_) {
            if (parameter.starts_with(layer + ".")) operation = latest;
        }
        stop("gradient", fmt::format("that of {}{}", parameter,
                                     operation.empty() ? "" : fmt::format(" ({})", operation)));
    }

  private:
    struct Seen {
        torch::Tensor tensor;  ///< kept, so that no other takes its address
        std::string made_by{};
        std::vector<std::string> used_by{};
    };

    Seen& seen(const torch::Tensor& tensor) {
        auto& place = seen_[tensor.unsafeGetTensorImpl()];
        if (place) return *place;
        place = std::make_shared<Seen>(tensor);
        const std::weak_ptr<Seen> weak = place;
        tensor.register_hook([this, weak](const torch::Tensor& gradient) {
            if (const auto found = weak.lock(); found && !is_finite(gradient)) stop_at(*found);
        });
        return *place;
    }

    [[noreturn]] void stop_at(const Seen& seen) const {
        if (seen.used_by.empty()) stop("gradient", fmt::format("that of the result of {}", seen.made_by));
        stop("gradient", fmt::format("that of the input of {}", listed(seen.used_by, "and")));
    }

    [[noreturn]] void stop(const char* what, const std::string& where) const {
        fail("step {}: the first {} that is not finite is {}; {}", step_, what, where, ending_);
    }

    std::int64_t step_ = 0;
    std::string ending_, last_;
    std::map<std::string, std::string> of_layer_;
    std::unordered_map<const c10::TensorImpl*, std::shared_ptr<Seen>> seen_;
};

class AnomalyWatch::Operations : public ops::Operations {
  public:
    using Tensor = torch::Tensor;

    Operations(std::string layer, std::shared_ptr<const ops::Operations> inner, std::shared_ptr<State> state)
        : layer_(std::move(layer)), inner_(std::move(inner)), state_(std::move(state)) {}

    Tensor conv2d(const Tensor& x, const ops::Convolution& c) const override {
        return watched("conv2d", {x}, {c.weight, c.bias}, [&] { return inner_->conv2d(x, c); });
    }
    Tensor conv_norm_silu(const Tensor& x, const ops::Convolution& c, const ops::GroupNorm& norm,
                          bool shuffle) const override {
        return watched("conv_norm_silu", {x}, {c.weight, c.bias, norm.gamma, norm.beta},
                       [&] { return inner_->conv_norm_silu(x, c, norm, shuffle); });
    }
    Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const override {
        return watched("linear", {x}, {weight, bias}, [&] { return inner_->linear(x, weight, bias); });
    }
    Tensor gelu(const Tensor& x) const override {
        return watched("gelu", {x}, {}, [&] { return inner_->gelu(x); });
    }
    Tensor depthwise_gelu(const Tensor& x, const ops::Convolution& c) const override {
        return watched("depthwise_gelu", {x}, {c.weight, c.bias},
                       [&] { return inner_->depthwise_gelu(x, c); });
    }
    Tensor batch_norm(const Tensor& x, const ops::BatchNorm& norm) const override {
        return watched("batch_norm", {x}, {norm.gamma, norm.beta},
                       [&] { return inner_->batch_norm(x, norm); });
    }
    Tensor gelu_batch_norm(const Tensor& x, const ops::BatchNorm& norm) const override {
        return watched("gelu_batch_norm", {x}, {norm.gamma, norm.beta},
                       [&] { return inner_->gelu_batch_norm(x, norm); });
    }
    Tensor depthwise_gelu_batch_norm(const Tensor& x, const ops::Convolution& c,
                                     const ops::BatchNorm& norm) const override {
        return watched("depthwise_gelu_batch_norm", {x}, {c.weight, c.bias, norm.gamma, norm.beta},
                       [&] { return inner_->depthwise_gelu_batch_norm(x, c, norm); });
    }
    Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                    const Tensor& keep) const override {
        return watched("residual", {x, branch}, {scale},
                       [&] { return inner_->residual(x, branch, scale, keep); });
    }
    Tensor scaled_sum(const Tensor& x, const Tensor& scale, const Tensor& branch) const override {
        return watched("scaled_sum", {x, branch}, {scale},
                       [&] { return inner_->scaled_sum(x, scale, branch); });
    }
    Tensor decompose_silu(const Tensor& x, const Tensor& sigma) const override {
        return watched("decompose_silu", {x}, {sigma}, [&] { return inner_->decompose_silu(x, sigma); });
    }
    Tensor silu_gate(const Tensor& a, const Tensor& b) const override {
        return watched("silu_gate", {a, b}, {}, [&] { return inner_->silu_gate(a, b); });
    }
    Tensor channel_aggregation(const Tensor& x, const ops::Convolution& depthwise,
                               const ops::Convolution& decompose, const Tensor& sigma) const override {
        return watched("channel_aggregation", {x},
                       {depthwise.weight, depthwise.bias, decompose.weight, decompose.bias, sigma},
                       [&] { return inner_->channel_aggregation(x, depthwise, decompose, sigma); });
    }
    Tensor pool_difference(const Tensor& x) const override {
        return watched("pool_difference", {x}, {}, [&] { return inner_->pool_difference(x); });
    }
    Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) const override {
        return watched("attention", {q, k, v}, {}, [&] { return inner_->attention(q, k, v); });
    }
    Tensor to_tokens(const Tensor& x) const override { return inner_->to_tokens(x); }
    Tensor to_products(const Tensor& x) const override { return inner_->to_products(x); }
    Tensor from_products(const Tensor& y, const Tensor& x) const override {
        return inner_->from_products(y, x);
    }

  private:
    template <class Call>
    Tensor watched(const char* name, std::initializer_list<Tensor> inputs,
                   std::initializer_list<Tensor> weights, Call call) const {
        const auto operation = fmt::format("{} in {}", name, layer_);
        for (const auto& x : inputs) state_->takes(x, operation);
        auto y = call();
        state_->gives(y, layer_, operation, weights);
        return y;
    }

    std::string layer_;
    std::shared_ptr<const ops::Operations> inner_;
    std::shared_ptr<State> state_;
};

AnomalyWatch::AnomalyWatch(SimVP& model, const std::shared_ptr<const ops::Operations>& operations)
    : state_(std::make_shared<State>()) {
    for (const auto& item : model->named_modules()) {
        if (auto* layer = dynamic_cast<Layer*>(item.value().get()))
            layer->set_operations(std::make_shared<Operations>(item.key(), operations, state_));
    }
    for (const auto& item : model->named_parameters()) {
        item.value().register_hook([state = state_.get(), name = item.key()](const torch::Tensor& gradient) {
            state->check_gradient(gradient, name);
        });
    }
}

AnomalyWatch::~AnomalyWatch() = default;

void AnomalyWatch::begin(std::int64_t step, std::string ending) {
    state_->begin(step, std::move(ending));
}

}  // namespace stl
