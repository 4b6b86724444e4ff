// Shared by the operations on a CPU: a tensor's memory as planes, pieces and bytes; scratch memory for each thread.
#pragma once

#include <algorithm>
#include <cstddef>

#include "stl/cpu/buffer.h"
#include "stl/cpu/kernels.h"
#include "stl/cpu/parallel.h"
#include "stl/runtime/autograd_function.h"
#include "stl/runtime/torch.h"

namespace stl::ops {

using torch::Tensor;
using torch::autograd::AutogradContext;
using Gradients = torch::autograd::variable_list;
using cpu::Index;

inline constexpr auto channels_last = torch::MemoryFormat::ChannelsLast;

inline cpu::Type precision_of(const Tensor& x) {
    return x.scalar_type() == torch::kBFloat16 ? cpu::Type::bfloat16 : cpu::Type::float32;
}

inline std::byte* bytes(const Tensor& x) {
    return static_cast<std::byte*>(x.mutable_data_ptr());
}

/// A bfloat16 tensor's values.
inline const std::uint16_t* halves(const Tensor& x) {
    return static_cast<const std::uint16_t*>(x.const_data_ptr());
}

/// The kernels of a forward pass, for the backward one.
inline void save_kernels(AutogradContext& context, const cpu::Kernels& kernels) {
    context.saved_data["kernels"] = reinterpret_cast<std::int64_t>(&kernels);
}
inline const cpu::Kernels& saved_kernels(AutogradContext& context) {
    return *reinterpret_cast<const cpu::Kernels*>(context.saved_data["kernels"].toInt());
}

/// Scratch memory for each thread of a parallel call.
class Scratch {
  public:
    explicit Scratch(std::size_t floats) : floats_((floats + 15) / 16 * 16) {
        buffer_.reserve(floats_ * static_cast<std::size_t>(cpu::thread_count()));
    }
    float* of_this_thread() {
        return buffer_.data() + floats_ * static_cast<std::size_t>(cpu::thread_index());
    }
    /// The memory of all threads, one after the other.
    float* all() { return buffer_.data(); }

  private:
    std::size_t floats_;
    cpu::Buffer buffer_;
};

/// Calls task(first, count) over `total` values, in pieces that do not depend on the number of threads.
template <class Task>
void for_pieces(Index total, const Task& task) {
    constexpr Index piece = 16384;
    cpu::parallel(static_cast<int>((total + piece - 1) / piece), [&](int unit) {
        const Index first = unit * piece;
        task(first, std::min(piece, total - first));
    });
}

/// A tensor whose channels are contiguous planes; the planes of an image follow one another.
struct Planes {
    int batch, channels, height, width;
    Index size;     ///< of one plane
    Index picture;  ///< distance from one image of the batch to the next, in values
    explicit Planes(const Tensor& x)
        : batch(static_cast<int>(x.size(0))),
          channels(static_cast<int>(x.size(1))),
          height(static_cast<int>(x.size(2))),
          width(static_cast<int>(x.size(3))),
          size(static_cast<Index>(height) * width),
          picture(x.stride(0)) {}
    /// Offset of the plane of image `n` and `channel`.
    Index at(int n, int channel) const { return n * picture + channel * size; }
};

/// x itself if its channels are contiguous planes, even if its images are further apart (a slice of another tensor's
/// channels); else a contiguous copy.
inline Tensor as_planes(const Tensor& x) {
    const bool is = x.stride(3) == 1 && x.stride(2) == x.size(3) && x.stride(1) == x.size(2) * x.size(3);
    return is ? x : x.contiguous();
}

}  // namespace stl::ops
