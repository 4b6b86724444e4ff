// Two traces of one function, at two batch sizes, made one for any.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace stl {

/// Changes `graph`, whose input `frames` has a batch of b, and which is the trace of the same function as `other`, with a
/// batch of b + 1. Whole numbers that differ become expressions slope * batch + offset, and sizes of tensors that differ
/// become unknown. Error: the graphs differ in something else.
void free_batch(torch::jit::Graph& graph, const torch::jit::Graph& other, torch::jit::Value* frames);

/// What is known of a tensor's sizes; -1: depends on the batch.
std::vector<std::int64_t> sizes_of(const torch::jit::Value& value);

}  // namespace stl
