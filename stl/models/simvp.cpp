#include "stl/models/simvp.h"

#include <algorithm>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/models/layers/init.h"
#include "stl/models/registry.h"
#include "stl/models/translators/block.h"

namespace stl {
namespace {

/// Channels last, and not by chance of a size of 1.
bool is_channels_last(const torch::Tensor& x) {
    return x.suggest_memory_format() == torch::MemoryFormat::ChannelsLast;
}

/// [B*T,C,H,W] -> [B,T*C,H,W] by one copy: on a GPU in the same memory format, on a CPU channels first, which
/// the translators' fused layers work on.
torch::Tensor join_frames(const torch::Tensor& x, std::int64_t frames) {
    const auto batch = x.size(0) / frames, channels = frames * x.size(1);
    // reshape() alone may return a view, with strides of sizes of 1 that ATen's BatchNorm takes for both
    // formats at once.
    if (x.is_cpu() || !is_channels_last(x))
        return x.contiguous().view({batch, channels, x.size(2), x.size(3)});
    return x.unflatten(0, {batch, frames})
        .permute({0, 3, 4, 1, 2})
        .reshape({batch, x.size(2), x.size(3), channels})
        .permute({0, 3, 1, 2});
}

/// The reverse.
torch::Tensor part_frames(const torch::Tensor& z, std::int64_t frames) {
    const auto batch = z.size(0) * frames, channels = z.size(1) / frames;
    if (frames == 1) return z;
    if (!is_channels_last(z)) return z.reshape({batch, channels, z.size(2), z.size(3)});
    return z.unflatten(1, {frames, channels})
        .permute({0, 1, 3, 4, 2})
        .reshape({batch, z.size(2), z.size(3), channels})
        .permute({0, 3, 1, 2});
}

}  // namespace

SimVPImpl::SimVPImpl(const SimVPOptions& options, Weights weights) : options_(options) {
    options_.check("model");
    enc = register_module("enc",
                          Encoder(options.channels, options.hid_S, options.N_S, options.spatio_kernel_enc));
    dec = register_module("dec",
                          Decoder(options.hid_S, options.channels, options.N_S, options.spatio_kernel_dec));
    hid = register_module("hid", find_translator(options.translator, "model").make(options));
    if (weights == Weights::drawn) {
        require_memory(sizeof(float) * static_cast<std::uint64_t>(parameter_count()),
                       fmt::format("the weights of '{}'", options.translator));
        draw_weights();
    }
}

void SimVPImpl::draw_weights() {
    draw_convolutions(*enc, Init::small_normal);
    draw_convolutions(*dec->dec, Init::small_normal);
    draw_convolutions(*dec->readout, Init::torch_default);
    hid->draw_weights();
}

std::int64_t SimVPImpl::parameter_count() const {
    std::int64_t count = 0;
    for (const auto& parameter : parameters()) count += parameter.numel();
    return count;
}

void SimVPImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
    const auto move = [&](torch::Tensor tensor) {
        tensor.set_data(tensor.is_floating_point() ? tensor.to(device, dtype, non_blocking)
                                                   : tensor.to(device, non_blocking));
    };
    std::ranges::for_each(parameters(), move);
    std::ranges::for_each(buffers(), move);
}

void SimVPImpl::to(torch::Dtype dtype, bool non_blocking) {
    to(parameters().front().device(), dtype, non_blocking);
}

void SimVPImpl::to(torch::Device device, bool non_blocking) {
    to(device, parameters().front().scalar_type(), non_blocking);
}

torch::Tensor SimVPImpl::pad(const torch::Tensor& frames) const {
    const auto right = options_.translator_width() * options_.stride() - options_.width;
    const auto below = options_.translator_height() * options_.stride() - options_.height;
    return right == 0 && below == 0 ? frames : torch::replication_pad2d(frames, {0, right, 0, below});
}

torch::Tensor SimVPImpl::forward(const torch::Tensor& x) {
    const auto& o = options_;
    if (x.dim() != 5 || x.sizes().slice(1) != c10::IntArrayRef({o.frames, o.channels, o.height, o.width})) {
        fail("the model takes [B, {}, {}, {}, {}] (frames, channels, height, width), not {}", o.frames,
             o.channels, o.height, o.width, to_string(x.sizes().vec()));
    }
    const auto batch = x.size(0);
    const auto frames = pad(x.reshape({batch * o.frames, o.channels, o.height, o.width}));
    const auto [latent, skip] = enc->forward(frames);
    const auto mixed = hid->forward(join_frames(latent, o.frames));
    auto y = dec->forward(part_frames(mixed, o.frames), skip);
    if (y.size(2) != o.height) y = y.narrow(2, 0, o.height);
    if (y.size(3) != o.width) y = y.narrow(3, 0, o.width);
    return y.reshape(x.sizes());
}

torch::Tensor rolled_out(const std::function<torch::Tensor(const torch::Tensor&)>& pass,
                         const torch::Tensor& x, std::int64_t frames) {
    auto last = pass(x);
    if (frames <= last.size(1)) return last.narrow(1, 0, frames);
    std::vector<torch::Tensor> passes{last};
    std::int64_t made = last.size(1);
    while (made < frames) {
        last = pass(last);
        passes.push_back(last.narrow(1, 0, std::min(last.size(1), frames - made)));
        made += passes.back().size(1);
    }
    return torch::cat(passes, 1);
}

torch::Tensor SimVPImpl::predict(const torch::Tensor& x, std::int64_t frames) {
    return rolled_out([this](const torch::Tensor& input) { return forward(input); }, x, frames);
}

torch::Tensor SimVPImpl::predict(const torch::Tensor& x) {
    return predict(x, options_.predicted_frames());
}

std::int64_t SimVPImpl::child_positions(const std::string& child, std::int64_t positions) const {
    // `positions`: pixels of all input frames, padded.
    return child == "hid" ? positions / options_.frames / (options_.stride() * options_.stride()) : positions;
}

}  // namespace stl
