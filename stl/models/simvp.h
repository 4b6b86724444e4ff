// SimVP: a convolutional encoder per frame, a translator that mixes time and channels at low resolution, a
// convolutional decoder with one skip connection. x: [B,T,C,H,W] float in the model's range.
//
// Source: Gao et al., "SimVP: Simpler yet Better Video Prediction" (CVPR 2022); Tan et al., "OpenSTL" (NeurIPS 2023)
// for the family of translators. Parameter names and shapes are OpenSTL's.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "stl/core/json.h"

namespace stl {

/// The `model` object of an experiment, with `in_shape`. Defaults are the reference's.
struct SimVPOptions {
    std::string translator = "gsta";  ///< canonical name (stl/models/registry.h)
    // in_shape [T,C,H,W]; T is the number of input frames.
    std::int64_t frames = 10;
    std::int64_t channels = 1;
    std::int64_t height = 64;
    std::int64_t width = 64;
    std::int64_t output_frames = 0;       ///< of predict(); 0: as many as the input
    std::int64_t hid_S = 16;              ///< channels of encoder and decoder
    std::int64_t hid_T = 256;             ///< channels of the translator
    std::int64_t N_S = 4;                 ///< layers of encoder and of decoder
    std::int64_t N_T = 4;                 ///< blocks of the translator (incepu: N_T down and N_T up)
    double mlp_ratio = 8.0;
    double drop = 0.0;
    double drop_path = 0.0;               ///< of the last block
    double drop_path_first = 0.01;        ///< of the first block; 0 for both turns stochastic depth off
    std::int64_t spatio_kernel_enc = 3;
    std::int64_t spatio_kernel_dec = 3;

    /// Reads an experiment's `model` keys; `in_shape` and the peer's spellings are accepted. Checks sizes.
    static SimVPOptions from_json(const Json& json, const std::string& where);
    /// Complete, with in_shape.
    Json to_json() const;
    /// Throws what the translator can't have: "<where>.hid_T: 500 is not divisible by 8 (heads)".
    void check(const std::string& where) const;
};

class SimVPImpl : public torch::nn::Module {
  public:
    explicit SimVPImpl(const SimVPOptions& options);

    /// One pass: [B,T,C,H,W] -> [B,T,C,H,W]. Frame sizes that the encoder's stride does not divide are padded
    /// (by replication, right and below) and cropped back. Error if the shape is not the model's.
    torch::Tensor forward(const torch::Tensor& x);
    /// [B,T,C,H,W] -> [B,frames,C,H,W]: cut where fewer than T, rolled out on its own predictions where more.
    torch::Tensor predict(const torch::Tensor& x, std::int64_t frames);
    torch::Tensor predict(const torch::Tensor& x);  ///< options().output_frames

    const SimVPOptions& options() const { return options_; }

  private:
    SimVPOptions options_;
    struct Parts;
    std::shared_ptr<Parts> parts_;
};
TORCH_MODULE(SimVP);

}  // namespace stl
