// The table of operators: what each of LibTorch's is in ONNX.
//
// To add one: a line in the list of operators.cpp, by the name in the error. It gets the call as it was traced
// and returns the names of its results; tools/peer/check compares the numbers.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stl/export/onnx_graph.h"

namespace stl {

/// The names of what operators have computed; of a list, all its tensors'.
using Results = std::unordered_map<const torch::jit::Value*, Names>;

/// An operator's call in a trace. Arguments are counted from 0, as in LibTorch's schema.
class Call {
  public:
    Call(OnnxGraph& graph, const torch::jit::Module& module, const Results& results,
         const torch::jit::Node& node)
        : graph(graph), module_(module), results_(results), node_(node) {}

    /// Whether there is such an argument, and it is not None.
    bool has(std::size_t argument) const;
    /// A tensor, or a number as one.
    Name tensor(std::size_t argument) const;
    Names tensors(std::size_t argument) const;
    std::int64_t integer(std::size_t argument) const;
    double number(std::size_t argument) const;
    bool flag(std::size_t argument) const;
    std::string text(std::size_t argument) const;
    /// A list, or a whole number as a list of one.
    std::vector<std::int64_t> integers(std::size_t argument) const;
    /// The number of an axis of the first argument, from 0.
    std::int64_t axis(std::size_t argument) const;

    /// Of a tensor; -1: depends on the batch.
    std::vector<std::int64_t> sizes(std::size_t argument) const;
    std::int64_t size(std::size_t argument, std::int64_t axis) const;
    std::vector<std::int64_t> result_sizes() const;
    torch::Dtype type(std::size_t argument) const;
    torch::Dtype result_type() const;

    Name add(const char* operation, Names inputs, onnx::Attributes attributes = {}) const {
        return graph.add(operation, std::move(inputs), std::move(attributes));
    }
    /// "aten::gelu at hid.enc.0.block.mlp: ..."
    [[noreturn]] void refuse(const std::string& why) const;

    OnnxGraph& graph;

  private:
    const torch::jit::Value& argument(std::size_t index) const;
    [[noreturn]] void refuse_batch(std::size_t argument) const;
    c10::IValue constant(std::size_t index) const;
    Name tensor(const torch::jit::Value& value) const;

    const torch::jit::Module& module_;
    const Results& results_;
    const torch::jit::Node& node_;
};

/// Null: not in the table. name: "aten::gelu".
const std::function<Names(const Call&)>* find_operator(std::string_view name);

}  // namespace stl
