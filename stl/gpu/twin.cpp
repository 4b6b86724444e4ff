#include "stl/gpu/twin.h"

#include <array>
#include <vector>

#include "stl/gpu/dispatch.h"

namespace stl::gpu {
namespace {

/// Workers whose sums a GPU adds up in shared memory; more than one, so that their share of the work is
/// tested.
constexpr int lanes = 3;

template <int Q>
using Places = Constant<Q>;

/// f(T{}, Constant<V>, Places<Q>)
template <class F>
void with_norm(const NormTask& t, F f) {
    with_type<16>(t.type, t.channels_out() / t.groups, [&](auto type, auto width) {
        t.shuffle ? f(type, width, Places<4>{}) : f(type, width, Places<1>{});
    });
}

void norm_silu(const NormTask& t, Stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        std::vector<NormStats> stats(static_cast<std::size_t>(t.groups));
        for (int n = 0; n < t.batch; ++n) {
            for (int g = 0; g < t.groups; ++g) {
                for (int part = 0; part < t.parts; ++part) {
                    NormSums all;
                    for (int lane = 0; lane < lanes; ++lane) {
                        const auto sums = norm_part<T, V>(t, n, g, part, lane, lanes);
                        all.sum += sums.sum;
                        all.squares += sums.squares;
                    }
                    norm_write_part(t, n, g, part, norm_origin<T>(t, n, g), all);
                }
                auto& s = stats[static_cast<std::size_t>(g)] = norm_merge(t, n, g);
                t.mean[n * t.groups + g] = s.mean;
                t.rstd[n * t.groups + g] = s.rstd;
            }
            for (Index unit = 0; unit < norm_units<V>(t); ++unit)
                norm_apply<T, V, Q>(t, stats.data(), n, unit);
        }
    });
}

void norm_silu_gradient_sums(const NormTask& t, Stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        const int channels = t.channels_out();
        for (int n = 0; n < t.batch; ++n) {
            for (int part = 0; part < t.parts; ++part) {
                float* out = t.gradient_sums + (static_cast<Index>(n) * t.parts + part) * channels * 2;
                for (int c = 0; c < channels; c += V) {
                    std::array<float, 2 * V> all{};
                    for (int lane = 0; lane < lanes; ++lane) {
                        float sums[2][V];
                        norm_gradient_sums<T, V, Q>(t, n, part, c, lane, lanes, sums);
                        for (int v = 0; v < V; ++v) {
                            for (int i = 0; i < 2; ++i)
                                all[static_cast<std::size_t>(2 * v + i)] += sums[i][v];
                        }
                    }
                    for (std::size_t i = 0; i < all.size(); ++i)
                        out[static_cast<std::size_t>(2 * c) + i] = all[i];
                }
            }
        }
    });
}

void norm_silu_gradient(const NormTask& t, Stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        for (int n = 0; n < t.batch; ++n) {
            for (Index unit = 0; unit < norm_units<V>(t); ++unit) norm_gradient<T, V, Q>(t, n, unit);
        }
    });
}

void depthwise(const DepthwiseTask& t, Stream) {
    with_type_by_four(t.type, t.channels, [&](auto type, auto width) {
        with_kernel(t.kernel, [&](auto size) {
            constexpr int V = decltype(width)::value;
            for (Index unit = 0; unit < depthwise_units<V>(t); ++unit)
                depthwise_forward<decltype(type), V, decltype(size)::value>(t, unit);
        });
    });
}

void depthwise_filter_gradient(const DepthwiseTask& t, Stream) {
    with_type_by_four(t.type, t.channels, [&](auto type, auto width) {
        with_kernel(t.kernel, [&](auto size) {
            constexpr int V = decltype(width)::value, K = decltype(size)::value;
            for (int part = 0; part < t.parts; ++part) {
                for (int channel = 0; channel < t.channels; channel += V) {
                    for (int ky = 0; ky < K; ++ky)
                        depthwise_filter_sums<decltype(type), V, K>(t, channel, ky, part);
                }
            }
        });
    });
}

void residual(const ResidualTask& t, Stream) {
    with_residual(t, [&](auto type, auto branch, auto width) {
        constexpr int V = decltype(width)::value;
        for (Index unit = 0; unit < residual_units<V>(t); ++unit)
            residual_forward<decltype(type), decltype(branch), V>(t, unit);
    });
}

void residual_gradient(const ResidualTask& t, Stream) {
    with_residual(t, [&](auto type, auto branch, auto width) {
        constexpr int V = decltype(width)::value;
        for (int n = 0; n < t.batch; ++n) {
            for (int part = 0; part < t.parts; ++part) {
                float* out = t.sums + (static_cast<Index>(n) * t.parts + part) * t.channels;
                for (int c = 0; c < t.channels; c += V) {
                    for (int v = 0; v < V; ++v) out[c + v] = 0;
                    for (int lane = 0; lane < lanes; ++lane) {
                        float sums[V];
                        residual_backward<decltype(type), decltype(branch), V>(t, n, part, c, lane, lanes,
                                                                               sums);
                        for (int v = 0; v < V; ++v) out[c + v] += sums[v];
                    }
                }
            }
        }
    });
}

void gate(const GateTask& t, Stream) {
    with_type<16>(t.type, t.size, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        for (Index unit = 0; unit < t.size / V; ++unit) gate_forward<decltype(type), V>(t, unit);
    });
}

void gate_gradient(const GateTask& t, Stream) {
    with_type<16>(t.type, t.size, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        for (Index unit = 0; unit < t.size / V; ++unit) gate_backward<decltype(type), V>(t, unit);
    });
}

void adam(const AdamTask& t, Stream) {
    for (int k = 0; k < t.count; ++k) {
        const auto& tensor = t.tensors[k];
        const auto factors = adam_factors(t, *tensor.step);
        for (Index i = 0; i < tensor.size; ++i) adam_element(tensor, factors, i);
    }
}

void moving_glyphs(const GlyphTask& t, Stream) {
    const int pixels = t.canvas * t.canvas;
    std::vector<GlyphCorner> corners(static_cast<std::size_t>(t.digits));
    for (int n = 0; n < t.batch; ++n) {
        const auto number = t.first + static_cast<std::uint64_t>(n);
        for (int frame = 0; frame < t.frames; ++frame) {
            for (int i = 0; i < t.digits; ++i)
                corners[static_cast<std::size_t>(i)] = glyph_corner(t, number, i, frame);
            float* out = t.out + (static_cast<Index>(n) * t.frames + frame) * pixels;
            for (int pixel = 0; pixel < pixels; ++pixel) out[pixel] = glyph_pixel(t, corners.data(), pixel);
        }
    }
}

/// Remembers the work; a replay does it.
class TwinGraph : public Graph {
  public:
    void warm_up(const std::function<void()>& work) override { work(); }
    void capture(const std::function<void()>& work) override { work_ = work; }
    void replay() override { work_(); }

  private:
    std::function<void()> work_;
};

constexpr Kernels table{
    .version = kernels_version,
    .name = "twin on the CPU",
    .current_stream = [] { return Stream{}; },
    .parts = [](Index, Index most) { return static_cast<int>(most < 3 ? most : 3); },
    .make_graph = []() -> std::unique_ptr<Graph> { return std::make_unique<TwinGraph>(); },
    .norm_silu = norm_silu,
    .norm_silu_gradient_sums = norm_silu_gradient_sums,
    .norm_silu_gradient = norm_silu_gradient,
    .depthwise = depthwise,
    .depthwise_filter_gradient = depthwise_filter_gradient,
    .residual = residual,
    .residual_gradient = residual_gradient,
    .gate = gate,
    .gate_gradient = gate_gradient,
    .adam = adam,
    .moving_glyphs = moving_glyphs,
};

}  // namespace

const Kernels& twin_kernels() {
    return table;
}

}  // namespace stl::gpu
