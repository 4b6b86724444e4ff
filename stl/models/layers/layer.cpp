#include "stl/models/layers/layer.h"

namespace stl {

void set_operations(torch::nn::Module& model, const std::shared_ptr<const ops::Operations>& operations) {
    for (const auto& module : model.modules()) {
        if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->set_operations(operations);
    }
}

void set_channels_last(torch::nn::Module& model) {
    for (auto& p : model.parameters()) {
        // contiguous() would leave filters of one input channel as they are, in both orders at once, and ATen
        // would then take their convolution (of gray frames) for NCHW.
        if (p.dim() == 4) p.set_data(p.detach().clone(torch::MemoryFormat::ChannelsLast));
    }
}

void use_fast_operations(torch::nn::Module& model, torch::Device device) {
    if (device.is_cuda()) set_channels_last(model);
    set_operations(model, ops::fast_operations(device));
}

}  // namespace stl
