#include "stl/checkpoint/tensors.h"

#include <array>
#include <utility>

#include "stl/core/error.h"

namespace stl {
namespace {

constexpr std::array<std::pair<DType, torch::ScalarType>, 10> types{{{DType::u8, torch::kUInt8},
                                                                     {DType::i8, torch::kInt8},
                                                                     {DType::i16, torch::kInt16},
                                                                     {DType::i32, torch::kInt32},
                                                                     {DType::i64, torch::kInt64},
                                                                     {DType::f16, torch::kFloat16},
                                                                     {DType::bf16, torch::kBFloat16},
                                                                     {DType::f32, torch::kFloat32},
                                                                     {DType::f64, torch::kFloat64},
                                                                     {DType::boolean, torch::kBool}}};

/// `owner` stays alive as long as the tensor.
torch::Tensor view(std::shared_ptr<const void> owner, const std::byte* data, DType type, const Shape& shape,
                   const Shape& strides) {
    const auto options = torch::TensorOptions(scalar_type(type));
    if (data == nullptr) return torch::empty(shape, options);
    const bool aligned = reinterpret_cast<std::uintptr_t>(data) % dtype_size(type) == 0;
    const auto tensor = torch::from_blob(
        const_cast<std::byte*>(data), shape, strides, [owner = std::move(owner)](void*) {}, options);
    return aligned ? tensor : tensor.clone();
}

}  // namespace

torch::ScalarType scalar_type(DType type) {
    for (const auto& [ours, torchs] : types) {
        if (ours == type) return torchs;
    }
    fail("element type {} has no counterpart in LibTorch", dtype_name(type));
}

DType stored_type(torch::ScalarType type, const std::string& where) {
    for (const auto& [ours, torchs] : types) {
        if (torchs == type) return ours;
    }
    fail("{}: elements of type {} can't be stored", where, torch::toString(type));
}

torch::Tensor view_tensor(const std::shared_ptr<pickle::TorchFile>& file, const pickle::Tensor& tensor) {
    const auto bytes = file->storage(tensor);
    const auto offset = static_cast<std::size_t>(tensor.offset) * dtype_size(tensor.dtype);
    const bool empty = element_count(tensor.shape, file->path().string()) == 0;
    return view(file, empty ? nullptr : bytes.data() + offset, tensor.dtype, tensor.shape, tensor.strides);
}

torch::Tensor view_tensor(const std::shared_ptr<pickle::SafeTensors>& file,
                          const pickle::SafeTensor& tensor) {
    Shape strides(tensor.shape.size(), 1);
    for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.shape[i];
    return view(file, tensor.bytes.empty() ? nullptr : tensor.bytes.data(), tensor.dtype, tensor.shape,
                strides);
}

torch::Tensor stored_form(const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU).contiguous();
}

std::span<const std::byte> bytes_of(const torch::Tensor& stored) {
    return {static_cast<const std::byte*>(stored.const_data_ptr()), stored.nbytes()};
}

}  // namespace stl
