// Between LibTorch's tensors and the descriptions of stl/pickle.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/core/array.h"
#include "stl/pickle/safetensors.h"
#include "stl/pickle/torch_file.h"
#include "stl/runtime/torch.h"

namespace stl {

torch::ScalarType scalar_type(DType type);
/// Error (with `where`) for complex and quantized elements, which checkpoints here never hold.
DType stored_type(torch::ScalarType type, const std::string& where);

/// A tensor in the file's map, which it keeps open. Never write to it.
torch::Tensor view_tensor(const std::shared_ptr<pickle::TorchFile>& file, const pickle::Tensor& tensor);
/// The same; copied only where it is not aligned.
torch::Tensor view_tensor(const std::shared_ptr<pickle::SafeTensors>& file, const pickle::SafeTensor& tensor);

/// On the CPU, row-major, dense: ready to be written byte by byte.
torch::Tensor stored_form(const torch::Tensor& tensor);
std::span<const std::byte> bytes_of(const torch::Tensor& stored);

}  // namespace stl
