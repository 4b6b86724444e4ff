// A trained network as a file that other programs run: ONNX (.onnx) or TorchScript (.pt).
//
// Either has one input, `frames` [batch,T,C,H,W] float32 of any batch size, and one output, `prediction`
// [batch,frames,C,H,W], both in the range of the stored data: mean and deviation, padding and cropping, and the roll-out
// to more frames than the model's are inside. Beside it stands what is known of the network (docs/export.md).
#pragma once

#include <cstdint>
#include <optional>

#include "stl/core/json.h"
#include "stl/onnx/model.h"
#include "stl/predict/trained_network.h"

namespace stl {

struct ExportOptions {
    std::int64_t frames = 0;  ///< to predict; 0: the model's
    int opset = 17;           ///< of an ONNX file: oldest_opset to newest_opset
    bool half = false;        ///< weights stored as bf16, computed with as float32
    bool fold = true;         ///< norms with fixed statistics go into the weights beside them
    bool replace = true;      ///< a file that is there; else it is an Error
};

enum class ExportFormat { onnx, torchscript };
/// By the extension. Error: another than .onnx and .pt.
ExportFormat export_format(const fs::path& output);

/// Atomic. Consumes the network. Error: it cannot be traced, or ONNX has no form for an operator.
void export_network(TrainedNetwork trained, const fs::path& output, const ExportOptions& options);

struct ExportedFile {
    ExportFormat format;
    Json record;  ///< as written; null: another program wrote it
    std::optional<onnx::Summary> onnx = std::nullopt;
};
/// Nullopt: neither .onnx nor a TorchScript file of ours. Error: an .onnx that is none, or is damaged.
std::optional<ExportedFile> read_exported(const fs::path& file);

}  // namespace stl
