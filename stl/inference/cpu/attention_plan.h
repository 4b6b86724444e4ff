// Multi-head attention over groups of pixels: softmax(q k^T / sqrt(C/heads) [+ bias]) v, then a linear map.
//
// A group is the whole frame (ViT, UniFormer) or a window of it (Swin). Each head's channels are padded to
// whole vectors; the scale is folded into q's weights.
#pragma once

#include <vector>

#include "stl/inference/cpu/layers.h"

namespace stl::inference {

class AttentionPlan {
  public:
    AttentionPlan() = default;
    /// qkv: C -> 3C in the order q, k, v, each split into heads. proj may include a layer scale. groups: the pixels of
    /// each group; all groups have the same size. bias: [heads, n, n] for groups of n pixels, or undefined.
    /// planning.precision: of qkv and proj and, if the kernels have tiles, of the factors of q k^T and of the product with v; otherwise,
    /// these are float32.
    AttentionPlan(const Map& qkv, const Map& proj, std::vector<std::vector<int>> groups,
                  const torch::Tensor& bias, const Planning& planning);

    /// x += attention(in); `in` is already normalised.
    void run(const Frame& frame, Pixels in, Pixels x) const;

  private:
    /// Memory layout for the products of one group and head; in bfloat16 on tiles, values are stored as pairs.
    struct Factors {
        Type stored;
        int block;          ///< queries at a time
        int row;            ///< row length of keys and scores
        int depth, pixels;  ///< a head's channels and a group's pixels, in words
        std::size_t floats = 0;
    };
    Factors factors(const Frame& frame) const;
    /// The factors of one group and head, in the calling thread's scratch memory.
    struct Gathered {
        Pixels queries = {};
        float *keys = nullptr,
              *values = nullptr;  ///< laid out as right-hand factors: [depth][row] and [pixels][head_columns]
        float* rest = nullptr;    ///< the unused rest of the scratch memory
    };
    Gathered gather(const Frame& frame, const Factors& f, Pixels qkv, const std::vector<int>& group,
                    int head) const;
    void attend(const Frame& frame, Pixels qkv, Pixels out, const std::vector<int>& group, int head) const;

    int head_channels_ = 0, head_columns_ = 0, size_ = 0;
    PointwisePlan qkv_, proj_;
    std::vector<std::vector<int>> groups_;
    cpu::Buffer bias_;  ///< [heads][n][padded n]
    bool has_bias_ = false;
};

/// One group: all pixels of a frame.
std::vector<std::vector<int>> whole_frame(int pixels);

}  // namespace stl::inference
