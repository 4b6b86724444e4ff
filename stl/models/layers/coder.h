// SimVP's encoder and decoder, frame by frame.
//
// Encoder: [N,C,H,W] -> latent [N,hid_S,H',W'] and skip [N,hid_S,H,W], the first layer's output.
// Decoder: latent and skip -> [N,C,H,W]; the skip is added before the last layer, a 1x1 convolution reads
// out. Source: Gao et al., "SimVP: Simpler yet Better Video Prediction" (CVPR 2022).
#pragma once

#include <cstdint>

#include "stl/models/layers/conv_sc.h"
#include "stl/runtime/torch.h"

namespace stl {

class EncoderImpl : public torch::nn::Module {
  public:
    EncoderImpl(std::int64_t channels, std::int64_t hidden, std::int64_t layers, std::int64_t kernel);

    struct Output {
        torch::Tensor latent, skip;
    };
    Output forward(const torch::Tensor& frames);

    ConvStack enc{nullptr};
};
TORCH_MODULE(Encoder);

class DecoderImpl : public torch::nn::Module {
  public:
    DecoderImpl(std::int64_t hidden, std::int64_t channels, std::int64_t layers, std::int64_t kernel);
    torch::Tensor forward(const torch::Tensor& latent, const torch::Tensor& skip);

    ConvStack dec{nullptr};
    Conv2d readout{nullptr};
};
TORCH_MODULE(Decoder);

}  // namespace stl
