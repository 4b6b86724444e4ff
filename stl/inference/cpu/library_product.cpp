#include "stl/inference/cpu/library_product.h"

namespace stl::inference {
namespace {

/// `order` as indices into a dimension of `size` values with a zero behind them, up to `count`.
torch::Tensor indices(const cpu::Order& order, std::int64_t size, int count) {
    auto all = torch::full({count}, size, torch::kInt64);
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (order[i] >= 0) all[static_cast<std::int64_t>(i)] = order[i];
    }
    return all;
}

torch::Tensor matrix(Pixels pixels, int rows, std::int64_t columns) {
    if (pixels.stored == Type::bfloat16)
        return torch::from_blob(pixels.data, {rows, columns}, {2 * pixels.row, 1}, torch::kBFloat16);
    return torch::from_blob(pixels.data, {rows, columns}, {pixels.row, 1}, torch::kFloat32);
}

}  // namespace

LibraryProduct::LibraryProduct(const torch::Tensor& weight, const torch::Tensor& bias,
                               const cpu::Order& outputs, const cpu::Order& inputs, Type precision) {
    const auto rows = indices(outputs, weight.size(0), cpu::padded(static_cast<int>(outputs.size())));
    const auto columns = indices(inputs, weight.size(1), static_cast<int>(inputs.size()));
    const auto with_zeros = torch::constant_pad_nd(weight.detach().to(torch::kFloat32), {0, 1, 0, 1});
    const auto type = precision == Type::bfloat16 ? torch::kBFloat16 : torch::kFloat32;
    turned_weight_ = with_zeros.index_select(0, rows).index_select(1, columns).to(type).t();
    bias_ = torch::constant_pad_nd(bias.detach().flatten().to(torch::kFloat32), {0, 1}).index_select(0, rows);
}

void LibraryProduct::run(Pixels in, int rows, Pixels out) const {
    const torch::NoGradGuard no_grad;
    const auto left = matrix(in, rows, turned_weight_.size(0));
    auto sums = matrix(out, rows, turned_weight_.size(1));
    if (left.scalar_type() == torch::kFloat32) {
        torch::addmm_out(sums, bias_, left, turned_weight_);
    } else {
        sums.copy_(torch::mm(left, turned_weight_)).add_(bias_);
    }
}

}  // namespace stl::inference
