// A trace as an ONNX model: each operator of LibTorch becomes nodes by the table in operators.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stl/export/trace.h"
#include "stl/onnx/model.h"

namespace stl {

/// Opsets that the table writes for.
inline constexpr int oldest_opset = 17;
inline constexpr int newest_opset = 21;

/// Of a module that trace() made, without metadata. Input: `frames` [batch,T,C,H,W]; output: `prediction`; float32 both.
/// Error: an operator that the table lacks, or does not support with these arguments; the message says where.
onnx::Model to_onnx(const torch::jit::Module& traced, int opset);

/// Error: ONNX has no such type, or the table none for it.
onnx::Type onnx_type(torch::Dtype type);

using Name = std::string;
using Names = std::vector<Name>;

/// Builds an ONNX model node by node.
class OnnxGraph {
  public:
    explicit OnnxGraph(int opset) { model_.opset = opset; }

    int opset() const { return model_.opset; }
    /// The part of the network that nodes belong to from here on: "hid.enc.0.block.norm1". It names them.
    void enter(const std::string& part) { part_ = part; }
    const std::string& part() const { return part_; }

    /// The names of a new node's `count` outputs.
    Names add(const char* operation, Names inputs, onnx::Attributes attributes, std::size_t count);
    Name add(const char* operation, Names inputs, onnx::Attributes attributes = {});

    /// Constants. One name stands for one tensor, and equal numbers for one constant. The model keeps the tensor.
    Name constant(const Name& name, const torch::Tensor& tensor);
    Name constant(const torch::Tensor& tensor);
    Name constant(const std::vector<std::int64_t>& values);
    Name constant(double value);

    void add_input(onnx::Port port) { model_.inputs.push_back(std::move(port)); }
    /// `name` is called as the port from here on.
    void add_output(const Name& name, const onnx::Port& port);
    onnx::Model finish() { return std::move(model_); }

  private:
    onnx::Model model_;
    std::string part_ = "frames";
    std::map<Name, torch::Tensor> constants_;
    std::int64_t unnamed_ = 0;
};

}  // namespace stl
