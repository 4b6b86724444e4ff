#include <algorithm>

#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// How many of `index` and its neighbours lie within `length`.
int neighbours(int index, int length) {
    return std::min(index + 1, length - 1) - std::max(index - 1, 0) + 1;
}

/// A plane with a border of zeros, and in each line the numbers of neighbours that a mean there has.
class Padded {
  public:
    Padded(const Planes& planes, float* memory)
        : height_(planes.height), width_(planes.width), row_(width_ + 2), values_(memory) {}
    static std::size_t floats(const Planes& planes) {
        return (static_cast<std::size_t>(planes.height) + 3) * (static_cast<std::size_t>(planes.width) + 2);
    }

    /// in, out: whole planes. `back`: going from the outputs' gradients to the inputs'.
    void run(const float* in, bool back, float* out) {
        std::fill_n(values_, row_, 0.0F);
        std::fill_n(line(height_ + 1), row_, 0.0F);
        float* counts = line(height_ + 2);
        for (int y = 0; y < height_; ++y) {
            float* to = line(y + 1);
            to[0] = to[width_ + 1] = 0;
            const float* from = in + Index{y} * width_;
            if (back) count(y, counts);
            for (int x = 0; x < width_; ++x) to[x + 1] = back ? from[x] / counts[x] : from[x];
        }
        for (int y = 0; y < height_; ++y) {
            const float* from = in + Index{y} * width_;
            float* to = out + Index{y} * width_;
            const float *a = line(y), *b = line(y + 1), *c = line(y + 2);
            if (!back) count(y, counts);
            for (int x = 0; x < width_; ++x) {
                const float sum =
                    a[x] + a[x + 1] + a[x + 2] + b[x] + b[x + 1] + b[x + 2] + c[x] + c[x + 1] + c[x + 2];
                to[x] = (back ? sum : sum / counts[x]) - from[x];
            }
        }
    }

  private:
    float* line(int y) { return values_ + Index{y} * row_; }

    void count(int y, float* counts) const {
        const int lines = neighbours(y, height_);
        for (int x = 0; x < width_; ++x) counts[x] = static_cast<float>(lines * neighbours(x, width_));
    }

    int height_, width_;
    Index row_;
    float* values_;
};

Tensor pooled(const Tensor& in, bool back) {
    auto out = torch::empty(in.sizes());
    const Planes p(in), q(out);
    Scratch scratch(Padded::floats(p));
    const auto* from = in.const_data_ptr<float>();
    auto* to = out.mutable_data_ptr<float>();
    cpu::parallel(p.batch * p.channels, [&](int plane) {
        const int n = plane / p.channels, channel = plane % p.channels;
        Padded(p, scratch.of_this_thread()).run(from + p.at(n, channel), back, to + q.at(n, channel));
    });
    return out;
}

struct PoolDifferenceFunction : torch::autograd::Function<PoolDifferenceFunction> {
    static Tensor forward(AutogradContext* /*context*/, const Tensor& x) {
        return pooled(as_planes(x), /*back=*/false);
    }
    static Gradients backward(AutogradContext* /*context*/, const Gradients& grads) {
        return {pooled(as_planes(grads[0]), /*back=*/true)};
    }
};

}  // namespace

Tensor CpuOperations::pool_difference(const Tensor& x) const {
    return takes(x) ? PoolDifferenceFunction::apply(widened(x)) : Operations::pool_difference(x);
}

}  // namespace stl::ops
