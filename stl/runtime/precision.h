// How a network is computed: in which precision and by which path; what can be asked for, and what a device makes of it.
#pragma once

#include <string>

#include "stl/core/names.h"
#include "stl/runtime/torch.h"

namespace stl {

/// What factors of products are rounded to; sums are float32, and so are stored weights.
enum class Precision {
    fp32,
    tf32,  ///< float32 with ten bits behind the point, in a GPU's products and convolutions
    bf16,  ///< automatic mixed precision in bfloat16; a CPU's fast inference rounds nothing but factors
    fp16,  ///< likewise in float16, of inference on a GPU
};
template <>
inline constexpr std::array<std::string_view, 4> member_names<Precision>{"fp32", "tf32", "bf16", "fp16"};
/// Those that networks are trained in.
inline constexpr auto training_precisions = std::span(member_names<Precision>).first<3>();

enum class Path {
    plain,  ///< LibTorch's operators, layer by layer
    fast,   ///< what is quickest on the device
};
template <>
inline constexpr std::array<std::string_view, 2> member_names<Path>{"plain", "fast"};

enum class Work { inference, training };

struct ResolvedPrecision {
    Precision precision;
    std::string
        reason;  ///< why it is not the one that was asked for, for the start of a sentence; empty: it is
};

/// What such a device computes in where `asked` is asked for. Nothing else decides it.
/// Error: fp16 of training, or on a CPU.
ResolvedPrecision resolve_precision(Precision asked, Work work, torch::DeviceType device, Path path);

/// Whether LibTorch has instructions for products in bfloat16 on this CPU. Without them it goes one number at a time,
/// hundreds of times slower than in float32. What `ATEN_CPU_CAPABILITY` holds to AVX2 counts as such.
bool libtorch_multiplies_bfloat16();

/// The type of factors; float32 for TF32.
torch::Dtype product_type(Precision precision);

}  // namespace stl
