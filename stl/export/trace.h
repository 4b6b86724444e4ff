// A network as TorchScript: what it does with an input is recorded by LibTorch's tracer.
//
// In C++ a tensor's sizes are plain numbers, so a trace has the batch size built in. The network is therefore traced at
// two batch sizes; numbers that differ become expressions of the batch, and the result is tried at a third.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl {

using Pass = std::function<torch::Tensor(const torch::Tensor&)>;

struct TraceOptions {
    std::vector<std::int64_t> input_shape;  ///< without the batch
    bool half = false;  ///< weights of two axes or more are stored as bf16, and computed with as float32
};

/// A module whose method forward(frames) does what `pass` does with `network`, for every batch size. It holds the
/// network's parameters and buffers by their names. In its graph the sizes of tensors are known, but for those that
/// depend on the batch.
///
/// network: in evaluation mode, on the CPU, without gradients; with `half` its weights are rounded first. Error: it does
/// other operations at another batch size, or the trace gives other values.
torch::jit::Module trace(torch::nn::Module& network, const Pass& pass, const TraceOptions& options);

/// A parameter, buffer or submodule that a graph reads.
struct Attribute {
    std::string name;  ///< "enc.enc.0.conv.norm.weight"; empty: `module` itself
    c10::IValue value;
};
/// Nullopt: `value` is computed.
std::optional<Attribute> attribute_of(const torch::jit::Value& value, const torch::jit::Module& module);

}  // namespace stl
