// What a model costs: parameters, multiply-adds and memory, layer by layer.
//
// Multiply-adds are counted for one sequence and one pass, by the rules of fvcore (which the published tables
// used):
//   conv, linear      weight elements x output positions, without bias
//   matmul            products of activations in attention
//   group_norm, layer_norm, batch_norm   5 x elements; batch_norm in evaluation 2 x
//   adaptive_avg_pool2d                  1 x elements
// and nothing for element-wise operations, activations, softmax, PixelShuffle and average pooling. Where the
// reference writes a layer so that fvcore does not see it (ConvMixer's depthwise convolution, HorNet's first
// norm), it is left out here too, so that the columns compare. fvcore was asked with the model in training
// mode; so is `macs` here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "stl/models/simvp.h"

namespace stl {

enum class Counting { training, evaluation };

/// A module, or an operation without weights ("(matmul)").
struct LayerCost {
    std::string name;       ///< within its parent; empty for the model
    std::string operation;  ///< "conv", ...; empty where only the children count
    std::int64_t parameters = 0;
    std::int64_t macs = 0;
    std::int64_t activations = 0;  ///< elements that its layers put out for one sequence
    std::vector<LayerCost> children = {};
};

/// The weights need not be drawn: only shapes are looked at.
LayerCost model_cost(const SimVPImpl& model, Counting counting = Counting::training);

/// Multiply-adds by operation.
std::map<std::string, std::int64_t> macs_by_operation(const LayerCost& cost);

/// Rows of a table: the model itself (""), then every module down to `depth` ("hid.enc.0" is at depth 3), in
/// order.
struct LayerRow {
    std::string path;
    const LayerCost* cost;
};
std::vector<LayerRow> layer_rows(const LayerCost& cost, int depth);

}  // namespace stl
