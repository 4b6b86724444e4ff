#include "stl/export/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>

#include <cmath>

#include "stl/core/error.h"
#include "stl/export/batch.h"

namespace stl {
namespace {

namespace jit = torch::jit;

// Not 1, which broadcasts.
constexpr std::int64_t traced_batch = 2;
constexpr std::int64_t tried_batch = 1;

/// "stl::Conv2dImpl" -> "__torch__.stl.Conv2d"
c10::QualifiedName class_name(const torch::nn::Module& module) {
    std::string text = module.name();
    if (text.ends_with("Impl")) text.resize(text.size() - 4);
    std::string name = "__torch__.";
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) || c == '_')
            name += c;
        else if (c == ':' && name.back() != '.')
            name += '.';
    }
    return c10::QualifiedName(name);
}

/// With the network's own tensors, by which the tracer knows them.
jit::Module module_of(const torch::nn::Module& network, const std::shared_ptr<jit::CompilationUnit>& unit) {
    jit::Module module(class_name(network), unit, /*shouldMangle=*/true);
    for (const auto& parameter : network.named_parameters(/*recurse=*/false))
        module.register_parameter(parameter.key(), parameter.value(), /*is_buffer=*/false);
    for (const auto& buffer : network.named_buffers(/*recurse=*/false))
        module.register_buffer(buffer.key(), buffer.value());
    for (const auto& child : network.named_children())
        module.register_module(child.key(), module_of(*child.value(), unit));
    return module;
}

torch::Tensor example(std::int64_t batch, const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> sizes{batch};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    // Numbers of its own, so that nobody's generator moves on.
    return torch::linspace(0, 100, c10::multiply_integers(sizes)).sin().add(1).div(2).view(sizes);
}

std::shared_ptr<jit::Graph> graph_at(std::int64_t batch, jit::Module& module, const Pass& pass,
                                     const std::vector<std::int64_t>& shape) {
    const auto run = [&](jit::Stack inputs) -> jit::Stack {
        const jit::tracer::NoWarn no_warn;
        return {pass(inputs.at(0).toTensor())};
    };
    const auto no_name = [](const torch::Tensor&) { return std::string(); };
    return jit::tracer::trace({example(batch, shape)}, run, no_name, /*strict=*/true,
                              /*force_outplace=*/true, &module, {"frames"})
        .first->graph;
}

torch::Tensor result_of(jit::Module& module, const torch::Tensor& x) {
    try {
        return module.forward({x}).toTensor();
    } catch (const std::exception&) {  // of the interpreter, in many lines
        fail("the network cannot be exported for every batch size: its trace fails at a batch of {}",
             x.size(0));
    }
}

/// Error: it does not give what `pass` gives.
void try_out(jit::Module& module, const Pass& pass, const std::vector<std::int64_t>& shape) {
    constexpr double tolerance = 1e-5;  // of the largest value
    const auto x = example(tried_batch, shape);
    const auto expected = pass(x);
    if (!expected.isfinite().all().item<bool>())
        fail(
            "the network predicts numbers that are not finite: its training diverged, or its weights are "
            "damaged");
    const auto found = result_of(module, x);
    const auto deviation =
        found.sizes() == expected.sizes()
            ? ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item<double>()
            : HUGE_VAL;
    if (!(deviation <= tolerance)) {
        fail(
            "the network cannot be exported for every batch size: its trace deviates by {:.1e} of the "
            "largest value at a "
            "batch of {}, expected at most {:.0e}",
            deviation, x.size(0), tolerance);
    }
}

bool is_halved(const torch::Tensor& weight) {
    return weight.scalar_type() == torch::kFloat32 && weight.dim() >= 2;
}

void round_to_half(torch::nn::Module& network) {
    for (auto& weight : network.parameters()) {
        if (is_halved(weight)) weight.set_data(weight.to(torch::kBFloat16).to(torch::kFloat32));
    }
}

/// Weights that round_to_half() has rounded, in half the memory; the network keeps its own.
void halve(jit::Module module) {
    for (const auto& weight : module.named_parameters(/*recurse=*/false)) {
        if (is_halved(weight.value)) module.setattr(weight.name, weight.value.to(torch::kBFloat16));
    }
    for (const auto& child : module.named_children()) halve(child.value);
}

jit::Node* first_user(const jit::Value& value) {
    auto* first = value.uses().front().user;
    for (const auto& use : value.uses()) {
        if (use.user->isBefore(first)) first = use.user;
    }
    return first;
}

/// Halved weights become float32 where they are first read.
void widen(jit::Graph& graph, const jit::Module& module) {
    const std::vector<jit::Node*> nodes(graph.nodes().begin(), graph.nodes().end());
    for (auto* node : nodes) {
        if (node->outputs().size() != 1 || !node->hasUses()) continue;
        auto* weight = node->output();
        const auto attribute = attribute_of(*weight, module);
        if (!attribute || !attribute->value.isTensor()) continue;
        const auto tensor = attribute->value.toTensor();
        if (tensor.scalar_type() != torch::kBFloat16) continue;
        const jit::WithInsertPoint here(first_user(*weight));
        auto* wide = graph.insert(c10::aten::to, {weight, torch::kFloat32});
        wide->setType(c10::TensorType::createContiguous(torch::kFloat32, torch::kCPU, tensor.sizes()));
        weight->replaceAllUsesAfterNodeWith(wide->node(), wide);
    }
}

}  // namespace

jit::Module trace(torch::nn::Module& network, const Pass& pass, const TraceOptions& options) {
    const torch::NoGradGuard no_grad;
    if (options.half) round_to_half(network);
    auto module = module_of(network, std::make_shared<jit::CompilationUnit>());
    const auto graph = graph_at(traced_batch, module, pass, options.input_shape);
    free_batch(*graph, *graph_at(traced_batch + 1, module, pass, options.input_shape), graph->inputs().at(1));
    if (options.half) {
        halve(module);
        widen(*graph, module);
    }
    const c10::QualifiedName name(*module.type()->name(), "forward");
    module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, graph));
    try_out(module, pass, options.input_shape);
    return module;
}

std::optional<Attribute> attribute_of(const jit::Value& value, const jit::Module& module) {
    const auto* node = value.node();
    if (node->kind() == c10::prim::Param && value.offset() == 0) return Attribute{"", module._ivalue()};
    if (node->kind() != c10::prim::GetAttr) return std::nullopt;
    const auto owner = attribute_of(*node->input(), module);
    const auto name = node->s(c10::attr::name);
    return Attribute{owner->name.empty() ? name : owner->name + "." + name,
                     owner->value.toObject()->getAttr(name)};
}

}  // namespace stl
