// silu(group_norm(x)), and of pixel_shuffle(x, 2), channels last. All arithmetic in float32.
//
// x: [N,H,W,C]; y: [N,H,W,C], shuffled [N,2H,2W,C/4] with y[2h+i, 2w+j, c] from x[h, w, 4c + 2i + j].
// gamma, beta: float32, one a channel of y. A group is a run of x's channels, shuffled or not.
//
// Forward: norm_part sums each part of a picture; norm_merge makes mean and 1/deviation of them; norm_apply.
// Backward: norm_gradient_sums, whose sums over parts and pictures are the gradients of gamma and beta; with
// what they are in each group, norm_gradient. Source: Wu & He, "Group Normalization" (ECCV 2018).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct GroupNormSiluTask {
    Type type = Type::float32;
    bool shuffle = false;
    int batch = 0, height = 0, width = 0, channels = 0, groups = 1;  ///< of x
    int parts = 1;                                                   ///< of a picture's pixels
    float eps = 0;
    const void* x = nullptr;
    const float* gamma = nullptr;
    const float* beta = nullptr;
    void* y = nullptr;
    float* sums = nullptr;  ///< [N,parts,G,2]: of differences from the group's first element, and of squares
    float* mean = nullptr;  ///< [N,G]
    float* rstd = nullptr;  ///< [N,G]
    // Backward.
    const void* grad = nullptr;       ///< of y
    float* gradient_sums = nullptr;   ///< [N,parts,C',2]: of dz * normalised x, and of dz
    const float* means_of = nullptr;  ///< [N,G,2]: their group means, weighted by gamma
    void* x_grad = nullptr;

    STL_BOTH Index pixels() const { return static_cast<Index>(height) * width; }
    STL_BOTH int group_channels() const { return channels / groups; }
    /// Channels of y.
    STL_BOTH int channels_out() const { return shuffle ? channels / 4 : channels; }
};

struct NormSums {
    float sum = 0, squares = 0;  ///< of differences from the group's first element
};

/// What the sums are taken relative to, so that squares don't cancel.
template <class T>
STL_BOTH float norm_origin(const GroupNormSiluTask& t, int n, int group) {
    const auto* x = static_cast<const T*>(t.x);
    return to_float(x[n * t.pixels() * t.channels + static_cast<Index>(group) * t.group_channels()]);
}

/// Worker `lane` of `lanes` over one part of one picture's group.
template <class T, int V>
STL_BOTH NormSums norm_part(const GroupNormSiluTask& t, int n, int group, int part, int lane, int lanes) {
    const auto range = part_of(t.pixels(), t.parts, part);
    const int packs = t.group_channels() / V;
    const float origin = norm_origin<T>(t, n, group);
    const auto* x = static_cast<const T*>(t.x) + n * t.pixels() * t.channels +
                    static_cast<Index>(group) * t.group_channels();
    NormSums out;
    // Several reads at once: there may be no more than two blocks on a multiprocessor.
    STL_UNROLL_BY_4 for (Index i = range.first * packs + lane; i < range.last * packs; i += lanes) {
        float values[V];
        load<T, V>(x + i / packs * t.channels + i % packs * V, values);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float d = values[v] - origin;
            out.sum += d;
            out.squares += d * d;
        }
    }
    return out;
}

STL_BOTH float* norm_sums(const GroupNormSiluTask& t, int n, int group, int part) {
    return t.sums + ((static_cast<Index>(n) * t.parts + part) * t.groups + group) * 2;
}

struct NormStats {
    float mean, rstd;
};

template <class T>
STL_BOTH NormStats norm_merge(const GroupNormSiluTask& t, int n, int group) {
    float sum = 0, squares = 0;
    for (int part = 0; part < t.parts; ++part) {
        const float* of_part = norm_sums(t, n, group, part);
        sum += of_part[0];
        squares += of_part[1];
    }
    const float count = static_cast<float>(t.pixels() * t.group_channels()), shift = sum / count;
    const float deviations = squares - sum * shift, variance = deviations > 0 ? deviations / count : 0;
    return {norm_origin<T>(t, n, group) + shift, 1.0F / sqrtf(variance + t.eps)};
}

/// Units of work of one picture for norm_apply and norm_gradient: V channels of y at one of x's pixels.
template <int V>
STL_BOTH Index norm_units(const GroupNormSiluTask& t) {
    return t.pixels() * (t.channels_out() / V);
}

/// Where a unit's values lie: Q runs of V in x, one after the other, and Q places in y.
template <int V>
struct NormUnit {
    Index in;
    int channel;  ///< the first, of y
    Index out[4];
};

template <int V>
STL_BOTH NormUnit<V> norm_unit(const GroupNormSiluTask& t, int n, Index unit) {
    const int packs = t.channels_out() / V;
    const Index pixel = unit / packs;
    NormUnit<V> u;
    u.channel = static_cast<int>(unit % packs) * V;
    const int run = t.shuffle ? 4 : 1;
    u.in = (n * t.pixels() + pixel) * t.channels + static_cast<Index>(u.channel) * run;
    if (!t.shuffle) {
        u.out[0] = u.in;
        return u;
    }
    const Index row = pixel / t.width * 2, column = pixel % t.width * 2;
    for (int q = 0; q < 4; ++q) {
        const Index place =
            (static_cast<Index>(n) * t.height * 2 + row + q / 2) * t.width * 2 + column + q % 2;
        u.out[q] = place * t.channels_out() + u.channel;
    }
    return u;
}

/// Reads a unit of x as [Q][V], Q the place within the shuffle's 2x2 square.
template <class T, int V, int Q>
STL_BOTH void norm_read(const T* x, float (&to)[Q][V]) {
    float run[Q][V];
    STL_UNROLL for (int q = 0; q < Q; ++q) load<T, V>(x + q * V, run[q]);
    STL_UNROLL for (int i = 0; i < Q * V; ++i) to[i % Q][i / Q] = run[i / V][i % V];
}
template <class T, int V, int Q>
STL_BOTH void norm_write(const float (&from)[Q][V], T* x) {
    float run[Q][V];
    STL_UNROLL for (int i = 0; i < Q * V; ++i) run[i / V][i % V] = from[i % Q][i / Q];
    STL_UNROLL for (int q = 0; q < Q; ++q) store<T, V>(run[q], x + q * V);
}

/// Of what norm_read() got for the unit. `stats`: of the picture's groups. Q: 4 with the shuffle, else 1.
template <class T, int V, int Q>
STL_BOTH void norm_apply(const GroupNormSiluTask& t, const NormStats* stats, const NormUnit<V>& u,
                         float (&values)[Q][V]) {
    float gamma[V], beta[V];
    load_floats<V>(t.gamma + u.channel, gamma);
    load_floats<V>(t.beta + u.channel, beta);
    const auto s = stats[u.channel * Q / t.group_channels()];
    STL_UNROLL for (int q = 0; q < Q; ++q) {
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float normal = (values[q][v] - s.mean) * s.rstd;
            values[q][v] = silu(normal * gamma[v] + beta[v]);
        }
        store<T, V>(values[q], static_cast<T*>(t.y) + u.out[q]);
    }
}

struct NormSlope {
    float normal;  ///< normalised x
    float dz;      ///< gradient before SiLU
};
STL_BOTH NormSlope norm_slope(float x, float grad, NormStats s, float gamma, float beta) {
    const float normal = (x - s.mean) * s.rstd;
    return {normal, grad * silu_slope(normal * gamma + beta)};
}

STL_BOTH NormStats norm_stats(const GroupNormSiluTask& t, int n, int group) {
    const Index at = static_cast<Index>(n) * t.groups + group;
    return {t.mean[at], t.rstd[at]};
}

/// Worker `lane` of `lanes` over the pixels of one part: sums for V channels from `channel` on.
template <class T, int V, int Q>
STL_BOTH void norm_gradient_sums(const GroupNormSiluTask& t, int n, int part, int channel, int lane,
                                 int lanes, float (&sums)[2][V]) {
    STL_UNROLL for (int v = 0; v < V; ++v) sums[0][v] = sums[1][v] = 0;
    const auto range = part_of(t.pixels(), t.parts, part);
    const auto s = norm_stats(t, n, channel * Q / t.group_channels());
    const int packs = t.channels_out() / V;
    float gamma[V], beta[V];
    load_floats<V>(t.gamma + channel, gamma);
    load_floats<V>(t.beta + channel, beta);
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        const auto u = norm_unit<V>(t, n, pixel * packs + channel / V);
        float values[Q][V];
        norm_read<T, V, Q>(static_cast<const T*>(t.x) + u.in, values);
        STL_UNROLL for (int q = 0; q < Q; ++q) {
            float grad[V];
            load<T, V>(static_cast<const T*>(t.grad) + u.out[q], grad);
            STL_UNROLL for (int v = 0; v < V; ++v) {
                const auto slope = norm_slope(values[q][v], grad[v], s, gamma[v], beta[v]);
                sums[0][v] += slope.dz * slope.normal;
                sums[1][v] += slope.dz;
            }
        }
    }
}

template <class T, int V, int Q>
STL_BOTH void norm_gradient(const GroupNormSiluTask& t, int n, Index unit) {
    const auto u = norm_unit<V>(t, n, unit);
    const int group = u.channel * Q / t.group_channels();
    const auto s = norm_stats(t, n, group);
    const float* means = t.means_of + (static_cast<Index>(n) * t.groups + group) * 2;
    float values[Q][V], gamma[V], beta[V];
    norm_read<T, V, Q>(static_cast<const T*>(t.x) + u.in, values);
    load_floats<V>(t.gamma + u.channel, gamma);
    load_floats<V>(t.beta + u.channel, beta);
    STL_UNROLL for (int q = 0; q < Q; ++q) {
        float grad[V];
        load<T, V>(static_cast<const T*>(t.grad) + u.out[q], grad);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const auto slope = norm_slope(values[q][v], grad[v], s, gamma[v], beta[v]);
            values[q][v] = s.rstd * (gamma[v] * slope.dz - means[1] - slope.normal * means[0]);
        }
    }
    norm_write<T, V, Q>(values, static_cast<T*>(t.x_grad) + u.in);
}

}  // namespace stl::gpu
