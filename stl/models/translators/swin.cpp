#include "stl/models/translators/swin.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/models/layers/attention.h"
#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"
#include "stl/models/registry.h"

namespace stl {
namespace {

/// x: [B,H,W,C] -> [B*windows,size,size,C], row by row.
torch::Tensor partition(const torch::Tensor& x, std::int64_t size) {
    const auto batch = x.size(0), height = x.size(1), width = x.size(2), channels = x.size(3);
    return x.reshape({batch, height / size, size, width / size, size, channels})
        .permute({0, 1, 3, 2, 4, 5})
        .reshape({-1, size, size, channels});
}

/// The reverse of partition.
torch::Tensor join(const torch::Tensor& windows, std::int64_t height, std::int64_t width) {
    const auto size = windows.size(1), channels = windows.size(3);
    return windows.reshape({-1, height / size, width / size, size, size, channels})
        .permute({0, 1, 3, 2, 4, 5})
        .reshape({-1, height, width, channels});
}

/// For each pair of a window's positions, the row of the bias table: (dy + size-1) * (2*size-1) + (dx +
/// size-1).
torch::Tensor position_index(std::int64_t size) {
    const auto place = torch::arange(size * size);
    const auto y = place.div(size, "floor"), x = place.remainder(size);
    const auto offset = [&](const torch::Tensor& along) {
        return along.unsqueeze(1) - along.unsqueeze(0) + (size - 1);
    };
    return offset(y) * (2 * size - 1) + offset(x);
}

/// 0 where two positions of a shifted window were neighbours before the shift, -100 where the edge lay
/// between them.
torch::Tensor shift_mask(const BlockOptions& options, const SwinWindow& window) {
    const auto bands = [&](std::int64_t length) {  // 0, 1 or 2 for each row (or column)
        auto band = torch::zeros({length});
        band.narrow(0, length - window.size, window.size).fill_(1.0);
        band.narrow(0, length - window.shift, window.shift).fill_(2.0);
        return band;
    };
    const auto region = bands(options.height).unsqueeze(1) * 3.0 + bands(options.width).unsqueeze(0);
    const auto windows =
        partition(region.reshape({1, options.height, options.width, 1}), window.size).flatten(1);
    const auto differ = windows.unsqueeze(1) != windows.unsqueeze(2);
    return torch::zeros(differ.sizes()).masked_fill(differ, -100.0);
}

}  // namespace

SwinWindow swin_window(const BlockOptions& options) {
    const std::int64_t preferred =
        options.height % 7 == 0 ? 7 : std::max<std::int64_t>(4, options.height / 16);
    const SwinWindow window{.size = std::min<std::int64_t>(8, preferred),
                            .shift = options.index % 2 == 0 ? 0 : std::min<std::int64_t>(8, preferred) / 2};
    const auto smaller = std::min(options.height, options.width);
    return smaller <= window.size ? SwinWindow{.size = smaller, .shift = 0} : window;
}

WindowAttentionImpl::WindowAttentionImpl(std::int64_t channels, std::int64_t window_, double drop_)
    : window(window_), drop(drop_) {
    const auto offsets = 2 * window - 1;
    relative_position_bias_table = register_parameter("relative_position_bias_table",
                                                      torch::empty({offsets * offsets, attention_heads}));
    relative_position_index = register_buffer("relative_position_index", position_index(window));
    qkv = register_module("qkv", Linear(channels, 3 * channels));
    proj = register_module("proj", Linear(channels, channels));
}

torch::Tensor WindowAttentionImpl::forward(const torch::Tensor& windows) {
    const auto count = windows.size(0), places = windows.size(1), channels = windows.size(2);
    const auto head_channels = channels / attention_heads;
    const auto parts = qkv->forward(windows)
                           .reshape({count, places, 3, attention_heads, head_channels})
                           .permute({2, 0, 3, 1, 4})  // [3,n,heads,places,C/heads]
                           .unbind(0);
    const auto bias = relative_position_bias_table.index_select(0, relative_position_index.view(-1))
                          .view({places, places, attention_heads})
                          .permute({2, 0, 1});
    const auto scores =
        torch::matmul(parts[0] / std::sqrt(static_cast<double>(head_channels)), parts[1].transpose(-2, -1)) +
        bias;
    const auto mixed = torch::matmul(torch::softmax(scores, -1), parts[2]);
    return torch::dropout(proj->forward(mixed.transpose(1, 2).reshape(windows.sizes())), drop, is_training());
}

std::int64_t WindowAttentionImpl::matmul_macs(std::int64_t positions) const {
    return 2 * positions * window * window * proj->weight.size(0);
}

void WindowAttentionImpl::draw_weights() {
    const torch::NoGradGuard no_grad;
    relative_position_bias_table.normal_(0.0, small_std);
}

SwinBlock::SwinBlock(const BlockOptions& options) : Block(options), window(swin_window(options)) {
    if (window.shift > 0) attn_mask = register_buffer("attn_mask", shift_mask(options, window));
    norm1 = register_module("norm1", LayerNorm(options.channels));
    attn = register_module("attn", WindowAttention(options.channels, window.size, options.drop));
    norm2 = register_module("norm2", LayerNorm(options.channels));
    mlp = register_module("mlp", Mlp(options.channels, options.hidden(), options.drop));
}

torch::Tensor SwinBlock::forward(const torch::Tensor& input) {
    const auto height = input.size(2), width = input.size(3), channels = input.size(1);
    auto x = ops().to_tokens(input);  // [B,N,C]
    auto frame = norm1->forward(x).view({-1, height, width, channels});
    if (window.shift > 0) frame = frame.roll({-window.shift, -window.shift}, {1, 2});
    const auto windows = partition(frame, window.size);
    auto mixed = join(attn->forward(windows.flatten(1, 2)).view(windows.sizes()), height, width);
    if (window.shift > 0) mixed = mixed.roll({window.shift, window.shift}, {1, 2});
    x = residual(x, mixed.view({-1, height * width, channels}));
    x = residual(x, mlp->forward(norm2->forward(x)));
    return from_tokens(x, height, width);
}

void SwinBlock::draw_weights() {
    draw_linears(*this, Init::small_normal);
    attn->draw_weights();
}

void check_swin(const SimVPOptions& options, const std::string& where) {
    require_divisible(options, where, attention_heads, "heads");
    const auto window =
        swin_window({.height = options.translator_height(), .width = options.translator_width()});
    if (options.translator_height() % window.size != 0 || options.translator_width() % window.size != 0) {
        fail("{}: frames of {}x{} reach the translator as {}x{}, not divisible by {} (swin's window)",
             key_path(where, "in_shape"), options.height, options.width, options.translator_height(),
             options.translator_width(), window.size);
    }
}

}  // namespace stl
