// A module whose forward pass is written in operations, and the choice of them for a whole model.
#pragma once

#include <memory>

#include "stl/ops/operations.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Calls the plain operations until its model is given others.
class Layer : public torch::nn::Module {
  public:
    void set_operations(std::shared_ptr<const ops::Operations> operations) { ops_ = std::move(operations); }

  protected:
    const ops::Operations& ops() const { return *ops_; }

  private:
    std::shared_ptr<const ops::Operations> ops_ = ops::plain_operations();
};

/// Gives every layer of `model` its operations.
void set_operations(torch::nn::Module& model, const std::shared_ptr<const ops::Operations>& operations);
/// Weights of convolutions channels last, which is how a GPU's convolutions and our kernels read them. To be
/// done before an optimizer is made; checkpoints do not change.
void set_channels_last(torch::nn::Module& model);
/// Both, as `device` trains fastest: ops::fast_operations(), and channels last on a GPU.
void use_fast_operations(torch::nn::Module& model, torch::Device device);

}  // namespace stl
