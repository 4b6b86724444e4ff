// Depthwise convolution, channels last: one K x K filter a channel, dilated, stride 1, zero padding so that
// the size stays.
//
// x, y: [N,H,W,C]; filters: [K*K,C] float32, bias: [C] float32. The gradient by x is the same convolution of
// y's gradient with the filters turned around; the gradients of the filters are sums over pixels, made in
// parts.
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct DepthwiseTask {
    Type type = Type::float32;
    int batch = 0, height = 0, width = 0, channels = 0;
    int kernel = 3, dilation = 1;
    bool turned = false;  ///< filters turned around
    const void* x = nullptr;
    Index x_pitch = 0;  ///< elements from a pixel to the next: C, or more in a slice of channels
    const float* filters = nullptr;
    const float* bias = nullptr;  ///< may be null
    void* y = nullptr;
    // Gradients of filters and bias.
    const void* grad = nullptr;  ///< of y
    Index grad_pitch = 0;
    float* sums = nullptr;  ///< [parts,K*K+1,C], the bias' last
    int parts = 1;          ///< of the batch's rows

    STL_BOTH Index rows() const { return static_cast<Index>(batch) * height; }
};

/// Outputs of one thread: as many as this along a row, `dilation` apart, so that they share what they read.
inline constexpr int depthwise_strip = 4;

struct DepthwisePlace {
    Index row;      ///< of all pictures' rows
    int y, column;  ///< of the first output
    int channel;
};

STL_BOTH int depthwise_strips(const DepthwiseTask& t) {
    const int apart = (t.width + t.dilation - 1) / t.dilation;
    return t.dilation * ((apart + depthwise_strip - 1) / depthwise_strip);
}
template <int V>
STL_BOTH Index depthwise_units(const DepthwiseTask& t) {
    return t.rows() * depthwise_strips(t) * (t.channels / V);
}
template <int V>
STL_BOTH DepthwisePlace depthwise_place(const DepthwiseTask& t, Index unit) {
    const int packs = t.channels / V, strips = depthwise_strips(t);
    const int strip = static_cast<int>(unit / packs % strips);
    const Index row = unit / packs / strips;
    return {row, static_cast<int>(row % t.height),
            strip % t.dilation + strip / t.dilation * depthwise_strip * t.dilation,
            static_cast<int>(unit % packs) * V};
}

/// A row of pixels from a channel on.
template <class T>
struct DepthwiseRow {
    const T* first;
    int pitch, width;
};
template <class T>
STL_BOTH DepthwiseRow<T> depthwise_row(const DepthwiseTask& t, const void* from, Index pitch, Index row,
                                       int channel) {
    return {static_cast<const T*>(from) + row * t.width * pitch + channel, static_cast<int>(pitch), t.width};
}

/// V channels at `column` of a row, or zeros outside.
template <int V, class T>
STL_BOTH void depthwise_read(const DepthwiseRow<T>& row, int column, float (&to)[V]) {
    if (column < 0 || column >= row.width) {
        STL_UNROLL for (int v = 0; v < V; ++v) to[v] = 0;
        return;
    }
    load<T, V>(row.first + static_cast<Index>(column) * row.pitch, to);
}

template <class T, int V, int K>
STL_BOTH void depthwise_forward(const DepthwiseTask& t, Index unit) {
    constexpr int strip = depthwise_strip;
    const auto place = depthwise_place<V>(t, unit);
    float sums[strip][V], start[V] = {};
    if (t.bias != nullptr) load_floats<V>(t.bias + place.channel, start);
    STL_UNROLL for (int p = 0; p < strip; ++p) {
        STL_UNROLL for (int v = 0; v < V; ++v) sums[p][v] = start[v];
    }
    for (int ky = 0; ky < K; ++ky) {
        const int shift = (ky - K / 2) * t.dilation;
        if (place.y + shift < 0 || place.y + shift >= t.height) continue;
        float filter[K][V];
        STL_UNROLL for (int kx = 0; kx < K; ++kx) {
            const int k = t.turned ? K * K - 1 - (ky * K + kx) : ky * K + kx;
            load<float, V>(t.filters + static_cast<Index>(k) * t.channels + place.channel, filter[kx]);
        }
        const auto row = depthwise_row<T>(t, t.x, t.x_pitch, place.row + shift, place.channel);
        STL_UNROLL for (int q = 0; q < strip + K - 1; ++q) {
            float in[V];
            depthwise_read<V>(row, place.column + (q - K / 2) * t.dilation, in);
            STL_UNROLL for (int p = 0; p < strip; ++p) {
                if (q < p || q - p >= K) continue;
                STL_UNROLL for (int v = 0; v < V; ++v) sums[p][v] += filter[q - p][v] * in[v];
            }
        }
    }
    STL_UNROLL for (int p = 0; p < strip; ++p) {
        const int column = place.column + p * t.dilation;
        if (column >= t.width) break;
        store<T, V>(sums[p],
                    static_cast<T*>(t.y) + (place.row * t.width + column) * t.channels + place.channel);
    }
}

/// Pixels of a row that are read at once, so that their reads do not wait for each other.
inline constexpr int depthwise_ahead = 4;

/// Worker `lane` of `lanes` over one part of the rows: sums for one row of the filters of V channels, the
/// bias' last.
template <class T, int V, int K>
STL_BOTH void depthwise_filter_sums(const DepthwiseTask& t, int channel, int ky, int part, int lane,
                                    int lanes, float (&sums)[K + 1][V]) {
    constexpr int ahead = depthwise_ahead;
    const auto range = part_of(t.rows(), t.parts, part);
    const int shift = (ky - K / 2) * t.dilation;
    STL_UNROLL for (int k = 0; k <= K; ++k) {
        STL_UNROLL for (int v = 0; v < V; ++v) sums[k][v] = 0;
    }
    for (Index row = range.first + lane; row < range.last; row += lanes) {
        const int y = static_cast<int>(row % t.height) + shift;
        if (y < 0 || y >= t.height) continue;
        const auto in = depthwise_row<T>(t, t.x, t.x_pitch, row + shift, channel),
                   out = depthwise_row<T>(t, t.grad, t.grad_pitch, row, channel);
        for (int phase = 0; phase < t.dilation && phase < t.width; ++phase) {
            float window[K - 1 + ahead][V];  // what the filter lies over, and will as it moves on
            STL_UNROLL for (int k = 0; k + 1 < K; ++k)
                depthwise_read<V>(in, phase + (k - K / 2) * t.dilation, window[k]);
            for (int x = phase; x < t.width; x += ahead * t.dilation) {
                float grad[ahead][V];
                STL_UNROLL for (int i = 0; i < ahead; ++i) {
                    depthwise_read<V>(out, x + i * t.dilation, grad[i]);
                    depthwise_read<V>(in, x + (i + K / 2) * t.dilation, window[K - 1 + i]);
                }
                STL_UNROLL for (int i = 0; i < ahead; ++i) {
                    STL_UNROLL for (int v = 0; v < V; ++v) {
                        STL_UNROLL for (int k = 0; k < K; ++k) sums[k][v] += grad[i][v] * window[i + k][v];
                        sums[K][v] += grad[i][v];
                    }
                }
                STL_UNROLL for (int k = 0; k + 1 < K; ++k) {
                    STL_UNROLL for (int v = 0; v < V; ++v) window[k][v] = window[k + ahead][v];
                }
            }
        }
    }
}

/// Writes them, the bias' from the middle row alone.
template <int V, int K>
STL_BOTH void depthwise_write_sums(const DepthwiseTask& t, int channel, int ky, int part,
                                   const float (&sums)[K + 1][V]) {
    float* out = t.sums + static_cast<Index>(part) * (K * K + 1) * t.channels + channel;
    STL_UNROLL for (int k = 0; k < K; ++k)
        store<float, V>(sums[k], out + (static_cast<Index>(ky) * K + k) * t.channels);
    if (ky == K / 2) store<float, V>(sums[K], out + static_cast<Index>(K) * K * t.channels);
}

}  // namespace stl::gpu
