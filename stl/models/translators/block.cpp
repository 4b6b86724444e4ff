#include "stl/models/translators/block.h"

#include "stl/models/layers/drop.h"
#include "stl/models/layers/init.h"

namespace stl {

torch::Tensor Block::residual(const torch::Tensor& x, const torch::Tensor& branch) const {
    return x + drop_path(branch, options.drop_path, is_training());
}

torch::Tensor Block::residual(const torch::Tensor& x, const torch::Tensor& branch,
                              const torch::Tensor& scale) const {
    const bool drops = options.drop_path > 0.0 && is_training();
    const auto keep = drops ? draw_kept(branch, options.drop_path, torch::kFloat32) : torch::Tensor();
    return ops().residual(x, branch, scale, keep);
}

StackedBlockImpl::StackedBlockImpl(std::shared_ptr<Block> inner, std::int64_t out_channels)
    : block(std::move(inner)) {
    register_module("block", block);
    if (block->options.channels != out_channels) {
        reduction = register_module("reduction", pointwise(block->options.channels, out_channels));
    }
}

torch::Tensor StackedBlockImpl::forward(const torch::Tensor& x) {
    if (!recompute) return run(x);
    return recomputed(*this, x, [this](const torch::Tensor& input) { return run(input); });
}

torch::Tensor StackedBlockImpl::run(const torch::Tensor& x) {
    const auto y = block->forward(x);
    return reduction ? reduction->forward(y) : y;
}

std::vector<BlockOptions> block_options(const SimVPOptions& options) {
    const auto rates =
        torch::linspace(options.drop_path_first, options.drop_path, options.N_T, torch::kFloat32);
    std::vector<BlockOptions> blocks;
    for (std::int64_t i = 0; i < options.N_T; ++i) {
        const bool last = i + 1 == options.N_T;
        BlockOptions block;
        block.channels = i == 0 ? options.translator_channels() : options.hid_T;
        block.height = options.translator_height();
        block.width = options.translator_width();
        block.mlp_ratio = options.mlp_ratio;
        block.drop = options.drop;
        block.drop_path = last ? options.drop_path : static_cast<double>(rates[i].item<float>());
        block.index = i;
        block.keeps_channels = block.channels == (last ? options.translator_channels() : options.hid_T);
        blocks.push_back(block);
    }
    return blocks;
}

BlockStack::BlockStack(const SimVPOptions& options, MakeBlock make_block) {
    // The reference's names: enc.0.block, enc.0.reduction, ...
    auto enc = std::make_shared<torch::nn::Module>("enc");
    for (const auto& block : block_options(options)) {
        const bool last = block.index + 1 == options.N_T;
        StackedBlock stacked(make_block(block), last ? options.translator_channels() : options.hid_T);
        blocks.push_back(enc->register_module(std::to_string(block.index), stacked));
    }
    register_module("enc", enc);
}

torch::Tensor BlockStack::forward(const torch::Tensor& z) {
    auto x = z;
    for (auto& block : blocks) x = block->forward(x);
    return x;
}

void BlockStack::draw_weights() {
    for (auto& stacked : blocks) {
        stacked->block->draw_weights();
        if (stacked->reduction) draw_convolutions(*stacked->reduction, Init::torch_default);
    }
}

void BlockStack::fold() {
    for (auto& stacked : blocks) stacked->block->fold(stacked->reduction);
}

}  // namespace stl
