// IncepU: a U-shaped stack of inception modules, the first SimVP's translator.
//
// z: [B,T*hid_S,H',W'] -> the same. N_T modules down and N_T up at one resolution; each one up also gets the
// output of its counterpart down. A module is a 1x1 convolution to hid_T/2 channels and the sum of four
// branches, grouped convolutions of 3x3, 5x5, 7x7 and 11x11, GroupNorm and LeakyReLU(0.2) each. There are 8
// groups, or 1 where hid_T/2 is not divisible by 8. mlp_ratio, drop and drop_path are not used. Source: Gao
// et al., "SimVP: Simpler yet Better Video Prediction" (CVPR 2022).
#pragma once

#include <vector>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

/// [B,in,H,W] -> [B,out,H,W]
class GroupConv2dImpl : public torch::nn::Module {
  public:
    GroupConv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel);
    torch::Tensor forward(const torch::Tensor& x);

    Conv2d conv{nullptr};
    GroupNorm norm{nullptr};
};
TORCH_MODULE(GroupConv2d);

class InceptionImpl : public torch::nn::Module, public HasRecomputation {
  public:
    InceptionImpl(std::int64_t in, std::int64_t hidden, std::int64_t out);
    torch::Tensor forward(const torch::Tensor& x);

    Conv2d conv1{nullptr};
    std::vector<GroupConv2d> layers;

  private:
    torch::Tensor run(const torch::Tensor& x);
};
TORCH_MODULE(Inception);

class IncepU : public Translator {
  public:
    explicit IncepU(const SimVPOptions& options);
    torch::Tensor forward(const torch::Tensor& z) override;
    void draw_weights() override;

    std::vector<Inception> enc, dec;
};

std::shared_ptr<Translator> make_incepu(const SimVPOptions& options);
void check_incepu(const SimVPOptions& options, const std::string& where);

}  // namespace stl
