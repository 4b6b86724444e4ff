// The precision and the path in which a network is computed: what can be requested, and what a device then uses.
#pragma once

#include <string>

#include "stl/core/names.h"
#include "stl/runtime/torch.h"

namespace stl {

/// The precision of the factors of products. Sums and stored weights are float32.
enum class Precision {
    fp32,
    tf32,  ///< on a GPU: products and convolutions with 10 bits of mantissa, else float32
    bf16,  ///< automatic mixed precision in bfloat16; fast inference on a CPU rounds only the factors
    fp16,  ///< automatic mixed precision in float16; inference on a GPU only
};
template <>
inline constexpr std::array<std::string_view, 4> member_names<Precision>{"fp32", "tf32", "bf16", "fp16"};
/// The precisions for training.
inline constexpr auto training_precisions = std::span(member_names<Precision>).first<3>();

enum class Path {
    plain,  ///< LibTorch's operators, layer by layer
    fast,   ///< the fastest implementation for the device
};
template <>
inline constexpr std::array<std::string_view, 2> member_names<Path>{"plain", "fast"};

enum class Work { inference, training };

struct ResolvedPrecision {
    Precision precision;
    std::string reason;  ///< why it is not the requested one, to begin a sentence with; empty if it is
};

/// The precision in which a device of this type computes when `asked` is requested. The only place that decides this.
/// Error: fp16 for training, or on a CPU.
ResolvedPrecision resolve_precision(Precision asked, Work work, torch::DeviceType device, Path path);

/// Whether LibTorch uses bfloat16 instructions on this CPU. Without them it multiplies one number at a time, hundreds of
/// times slower than in float32. False if `ATEN_CPU_CAPABILITY` limits LibTorch to AVX2.
bool libtorch_multiplies_bfloat16();

/// The type of factors; float32 for TF32.
torch::Dtype product_type(Precision precision);

}  // namespace stl
