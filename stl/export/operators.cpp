#include "stl/export/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

namespace stl {
namespace {

using Sizes = std::vector<std::int64_t>;
using Operator = std::function<Names(const Call&)>;

/// An operator of one result.
template <class Write>
Operator one(Write write) {
    return [write](const Call& call) { return Names{write(call)}; };
}

/// Of one tensor, without further arguments.
Operator elementwise(const char* operation) {
    return one([operation](const Call& c) { return c.add(operation, {c.tensor(0)}); });
}

/// What changes nothing that ONNX knows of.
Names same(const Call& c) {
    return {c.tensor(0)};
}

// Shapes.

Name reshape(const Call& c, const Name& x, const Sizes& sizes) {
    if (std::ranges::count(sizes, -1) > 1) c.refuse("two sizes of its result depend on the batch");
    return c.add("Reshape", {x, c.graph.constant(sizes)});
}

/// Whatever it was told, its result has these sizes.
Name to_result_sizes(const Call& c) {
    return reshape(c, c.tensor(0), c.result_sizes());
}

Name permute(const Call& c) {
    auto axes = c.integers(1);
    for (auto& axis : axes) axis += axis < 0 ? static_cast<std::int64_t>(axes.size()) : 0;
    return c.add("Transpose", {c.tensor(0)}, {{"perm", axes}});
}

Name transposed(const Call& c, const Name& x, std::size_t rank, std::size_t axis, std::size_t other) {
    Sizes order(rank);
    std::iota(order.begin(), order.end(), 0);
    std::swap(order.at(axis), order.at(other));
    return c.add("Transpose", {x}, {{"perm", order}});
}

Name transpose(const Call& c) {
    return transposed(c, c.tensor(0), c.sizes(0).size(), static_cast<std::size_t>(c.axis(1)),
                      static_cast<std::size_t>(c.axis(2)));
}

Name slice(const Call& c, const Name& x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
    const auto list = [&](std::int64_t value) { return c.graph.constant(Sizes{value}); };
    return c.add("Slice", {x, list(begin), list(end), list(axis)});
}

Name narrow(const Call& c) {
    const auto axis = c.axis(1), size = c.size(0, axis), length = c.integer(3);
    const auto start = c.integer(2) < 0 ? c.integer(2) + size : c.integer(2);
    return length == size ? c.tensor(0) : slice(c, c.tensor(0), axis, start, start + length);
}

Name roll(const Call& c) {
    const auto shifts = c.integers(1), axes = c.integers(2);
    if (axes.size() != shifts.size()) c.refuse("rolls the flattened tensor");
    auto x = c.tensor(0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto size = c.size(0, axes[i]), shift = (shifts[i] % size + size) % size;
        x = c.add("Concat", {slice(c, x, axes[i], size - shift, size), slice(c, x, axes[i], 0, size - shift)},
                  {{"axis", axes[i]}});
    }
    return x;
}

Names split(const Call& c, std::int64_t axis, const Sizes& parts) {
    return c.graph.add("Split", {c.tensor(0), c.graph.constant(parts)}, {{"axis", axis}}, parts.size());
}

/// Parts of `part`, the last one smaller where it does not come out even.
Names split_evenly(const Call& c, std::int64_t axis, std::int64_t part) {
    Sizes parts;
    for (auto left = c.size(0, axis); left > 0; left -= part) parts.push_back(std::min(part, left));
    return split(c, axis, parts);
}

Names chunk(const Call& c) {
    const auto chunks = c.integer(1);
    return split_evenly(c, c.axis(2), (c.size(0, c.axis(2)) + chunks - 1) / chunks);
}

Name take(const Call& c, std::int64_t axis, std::int64_t index) {
    return c.add("Gather", {c.tensor(0), c.graph.constant(torch::tensor(index))}, {{"axis", axis}});
}

Names unbind(const Call& c) {
    Names parts;
    for (std::int64_t i = 0; i < c.size(0, c.axis(1)); ++i) parts.push_back(take(c, c.axis(1), i));
    return parts;
}

// Arithmetic.

/// x + alpha * y, and the like.
Operator scaled(const char* operation) {
    return one([operation](const Call& c) {
        auto other = c.tensor(1);
        if (c.number(2) != 1) other = c.add("Mul", {other, c.graph.constant(c.number(2))});
        return c.add(operation, {c.tensor(0), other});
    });
}

Name div(const Call& c) {
    if (c.has(2)) c.refuse("rounds");
    return c.add("Div", {c.tensor(0), c.tensor(1)});
}

/// t + value * a * b
Name addcmul(const Call& c) {
    auto product = c.add("Mul", {c.tensor(1), c.tensor(2)});
    if (c.number(3) != 1) product = c.add("Mul", {product, c.graph.constant(c.number(3))});
    return c.add("Add", {c.tensor(0), product});
}

Name mean(const Call& c) {
    const onnx::Attributes keep{{"keepdims", std::int64_t{c.flag(2)}}};
    if (c.graph.opset() >= 18)
        return c.add("ReduceMean", {c.tensor(0), c.graph.constant(c.integers(1))}, keep);
    return c.add("ReduceMean", {c.tensor(0)}, {{"axes", c.integers(1)}, keep.front()});
}

Name cast(const Call& c) {
    if (c.type(0) == c.result_type()) return c.tensor(0);
    return c.add("Cast", {c.tensor(0)}, {{"to", static_cast<std::int64_t>(onnx_type(c.result_type()))}});
}

// Activations.

/// x/2 * (1 + erf(x / sqrt(2))), in the form in which engines find it again.
Name gelu(const Call& c) {
    if (c.text(1) != "none") c.refuse("another approximation than none: " + c.text(1));
    const auto x = c.tensor(0);
    const auto erf = c.add("Erf", {c.add("Div", {x, c.graph.constant(std::numbers::sqrt2)})});
    const auto doubled = c.add("Mul", {x, c.add("Add", {erf, c.graph.constant(1.0)})});
    return c.add("Mul", {doubled, c.graph.constant(0.5)});
}

Name silu(const Call& c) {
    const auto x = c.tensor(0);
    return c.add("Mul", {x, c.add("Sigmoid", {x})});
}

Name leaky_relu(const Call& c) {
    return c.add("LeakyRelu", {c.tensor(0)}, {{"alpha", static_cast<float>(c.number(1))}});
}

Name softmax(const Call& c) {
    return c.add("Softmax", {c.tensor(0)}, {{"axis", c.axis(1)}});
}

Names dropout(const Call& c) {
    if (c.flag(2)) c.refuse("drops: the network is in training mode");
    return same(c);
}

// Norms.

onnx::Attributes epsilon(double value) {
    return {{"epsilon", static_cast<float>(value)}};
}

/// [C] -> [C,1,...], against [B,C,...].
Name by_channel(const Call& c, std::size_t argument) {
    Sizes sizes(c.sizes(0).size() - 1, 1);
    sizes.front() = c.sizes(argument).at(0);
    return reshape(c, c.tensor(argument), sizes);
}

/// ONNX has it from opset 18 on, with a weight for each group up to 20; this is the same in all.
Name group_norm(const Call& c) {
    const auto groups = c.integer(1);
    // 0: stays.
    const auto x = c.add("Reshape", {c.tensor(0), c.graph.constant(Sizes{0, groups, -1})});
    const auto ones = c.graph.constant(fmt::format("ones_{}", groups), torch::ones({groups}));
    const auto zeros = c.graph.constant(fmt::format("zeros_{}", groups), torch::zeros({groups}));
    const auto normalised = c.add("InstanceNormalization", {x, ones, zeros}, epsilon(c.number(4)));
    auto y = reshape(c, normalised, c.result_sizes());
    if (c.has(2)) y = c.add("Mul", {y, by_channel(c, 2)});
    if (c.has(3)) y = c.add("Add", {y, by_channel(c, 3)});
    return y;
}

Name layer_norm(const Call& c) {
    if (!c.has(2) || !c.has(3)) c.refuse("without weight or bias");
    auto attributes = epsilon(c.number(4));
    attributes.emplace_back("axis", -static_cast<std::int64_t>(c.integers(1).size()));
    return c.add("LayerNormalization", {c.tensor(0), c.tensor(2), c.tensor(3)}, attributes);
}

Name batch_norm(const Call& c) {
    if (c.flag(5)) c.refuse("takes the batch's own statistics: the network is in training mode");
    return c.add("BatchNormalization", {c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3), c.tensor(4)},
                 epsilon(c.number(7)));
}

// Products.

Name linear(const Call& c) {
    const auto y = c.add("MatMul", {c.tensor(0), transposed(c, c.tensor(1), 2, 0, 1)});
    return c.has(2) ? c.add("Add", {y, c.tensor(2)}) : y;
}

Name matmul(const Call& c) {
    return c.add("MatMul", {c.tensor(0), c.tensor(1)});
}

Name attention(const Call& c) {
    if (c.has(3) || c.number(4) != 0 || c.flag(5)) c.refuse("with a mask or dropout");
    const auto rank = c.sizes(0).size();
    const auto channels = static_cast<double>(c.size(0, static_cast<std::int64_t>(rank) - 1));
    const auto scale = c.has(6) ? c.number(6) : 1 / std::sqrt(channels);
    const auto q = c.add("Mul", {c.tensor(0), c.graph.constant(scale)});
    const auto scores = c.add("MatMul", {q, transposed(c, c.tensor(1), rank, rank - 2, rank - 1)});
    return c.add("MatMul", {c.add("Softmax", {scores}, {{"axis", std::int64_t{-1}}}), c.tensor(2)});
}

/// One number for all axes, or one for each.
Sizes each_axis(const Sizes& given, std::size_t axes) {
    return given.size() == 1 ? Sizes(axes, given.front()) : given;
}

/// Before each axis, then behind each.
Sizes both_ends(const Sizes& padding) {
    auto ends = padding;
    ends.insert(ends.end(), padding.begin(), padding.end());
    return ends;
}

Name convolution(const Call& c) {
    if (c.flag(6)) c.refuse("is transposed");
    const auto weight = c.sizes(1);
    const Sizes kernel(weight.begin() + 2, weight.end());
    const auto axes = kernel.size();
    Names inputs{c.tensor(0), c.tensor(1)};
    if (c.has(2)) inputs.push_back(c.tensor(2));
    return c.add("Conv", inputs,
                 {{"kernel_shape", kernel},
                  {"strides", each_axis(c.integers(3), axes)},
                  {"pads", both_ends(each_axis(c.integers(4), axes))},
                  {"dilations", each_axis(c.integers(5), axes)},
                  {"group", c.integer(8)}});
}

// Pictures.

Name pixel_shuffle(const Call& c) {
    return c.add("DepthToSpace", {c.tensor(0)}, {{"blocksize", c.integer(1)}, {"mode", std::string("CRD")}});
}

Name avg_pool2d(const Call& c) {
    if (c.has(6)) c.refuse("divides by another number than it sums");
    const auto kernel = each_axis(c.integers(1), 2), strides = c.integers(2);
    return c.add("AveragePool", {c.tensor(0)},
                 {{"kernel_shape", kernel},
                  {"strides", strides.empty() ? kernel : each_axis(strides, 2)},
                  {"pads", both_ends(each_axis(c.integers(3), 2))},
                  {"ceil_mode", std::int64_t{c.flag(4)}},
                  {"count_include_pad", std::int64_t{c.flag(5)}}});
}

Name replication_pad2d(const Call& c) {
    const auto p = c.integers(1);  // left, right, above, below
    return c.add("Pad",
                 {c.tensor(0), c.graph.constant(Sizes{0, 0, p.at(2), p.at(0), 0, 0, p.at(3), p.at(1)})},
                 {{"mode", std::string("edge")}});
}

const std::map<std::string_view, Operator> operators{
    // shapes
    {"aten::view", one(to_result_sizes)},
    {"aten::reshape", one(to_result_sizes)},
    {"aten::flatten", one(to_result_sizes)},
    {"aten::unflatten", one(to_result_sizes)},
    {"aten::unsqueeze", one(to_result_sizes)},
    {"aten::squeeze", one(to_result_sizes)},
    {"aten::permute", one(permute)},
    {"aten::transpose", one(transpose)},
    {"aten::contiguous", same},
    {"aten::clone", same},
    {"aten::detach", same},
    // parts
    {"aten::narrow", one(narrow)},
    {"aten::select", one([](const Call& c) { return take(c, c.axis(1), c.integer(2)); })},
    {"aten::index_select", one([](const Call& c) {
         return c.add("Gather", {c.tensor(0), c.tensor(2)}, {{"axis", c.axis(1)}});
     })},
    {"aten::chunk", chunk},
    {"aten::split", [](const Call& c) { return split_evenly(c, c.axis(2), c.integer(1)); }},
    {"aten::split_with_sizes", [](const Call& c) { return split(c, c.axis(2), c.integers(1)); }},
    {"aten::unbind", unbind},
    {"aten::cat", one([](const Call& c) {
         return c.add("Concat", c.tensors(0), {{"axis", c.integer(1)}});
     })},
    {"aten::roll", one(roll)},
    // arithmetic
    {"aten::add", scaled("Add")},
    {"aten::sub", scaled("Sub")},
    {"aten::mul", one([](const Call& c) {
         return c.add("Mul", {c.tensor(0), c.tensor(1)});
     })},
    {"aten::div", one(div)},
    {"aten::addcmul", one(addcmul)},
    {"aten::mean", one(mean)},
    {"aten::to", one(cast)},
    {"aten::neg", elementwise("Neg")},
    {"aten::abs", elementwise("Abs")},
    {"aten::exp", elementwise("Exp")},
    {"aten::sqrt", elementwise("Sqrt")},
    // activations
    {"aten::relu", elementwise("Relu")},
    {"aten::sigmoid", elementwise("Sigmoid")},
    {"aten::tanh", elementwise("Tanh")},
    {"aten::gelu", one(gelu)},
    {"aten::silu", one(silu)},
    {"aten::leaky_relu", one(leaky_relu)},
    {"aten::softmax", one(softmax)},
    {"aten::dropout", dropout},
    // norms
    {"aten::batch_norm", one(batch_norm)},
    {"aten::group_norm", one(group_norm)},
    {"aten::layer_norm", one(layer_norm)},
    // products
    {"aten::_convolution", one(convolution)},
    {"aten::linear", one(linear)},
    {"aten::matmul", one(matmul)},
    {"aten::scaled_dot_product_attention", one(attention)},
    // pictures
    {"aten::pixel_shuffle", one(pixel_shuffle)},
    {"aten::avg_pool2d", one(avg_pool2d)},
    {"aten::replication_pad2d", one(replication_pad2d)},
};

}  // namespace

const Operator* find_operator(std::string_view name) {
    const auto found = operators.find(name);
    return found == operators.end() ? nullptr : &found->second;
}

}  // namespace stl
