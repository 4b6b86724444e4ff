#include <algorithm>
#include <unordered_map>

#include <fmt/ranges.h>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"

namespace stl {
namespace {

/// Own parameters, own buffers, then the children's: the order of Python's state_dict().
void collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& out) {
    for (const auto& item : module.named_parameters(/*recurse=*/false))
        out.emplace_back(prefix + item.key(), item.value());
    for (const auto& item : module.named_buffers(/*recurse=*/false))
        out.emplace_back(prefix + item.key(), item.value());
    for (const auto& child : module.named_children())
        collect(*child.value(), prefix + child.key() + ".", out);
}

/// Derived from the configuration alone, or never used: versions of the reference differ in storing them.
bool may_be_absent(const std::string& name) {
    constexpr const char* ends[]{".attn_mask", ".relative_position_index", ".num_batches_tracked"};
    return std::ranges::any_of(ends, [&](const char* end) { return name.ends_with(end); });
}

/// Swin's mask follows from the frame size, and its values from its shape: a file's of another size says nothing.
bool is_derived(const std::string& name) {
    return name.ends_with(".attn_mask");
}

/// "3 missing (a, b, c)", shortened when long.
std::string counted(const char* what, const std::vector<std::string>& names) {
    constexpr std::size_t shown = 5;
    const auto first = std::span(names).first(std::min(shown, names.size()));
    return fmt::format("{} {} ({}{})", names.size(), what, fmt::join(first, ", "),
                       names.size() > shown ? ", ..." : "");
}

}  // namespace

NamedTensors state_of(const SimVPImpl& model) {
    NamedTensors state;
    collect(model, "", state);
    return state;
}

void load_weights(SimVPImpl& model, const NamedTensors& state, const std::string& where) {
    const torch::NoGradGuard no_grad;
    std::unordered_map<std::string_view, const torch::Tensor*> given;
    for (const auto& [name, tensor] : state) given.emplace(name, &tensor);

    std::vector<std::string> missing;
    std::vector<std::string> unexpected;
    std::vector<std::string> misshapen;
    std::vector<std::pair<torch::Tensor, const torch::Tensor*>> copies;
    for (auto& [name, tensor] : state_of(model)) {
        const auto found = given.find(name);
        if (found == given.end()) {
            if (!may_be_absent(name)) missing.push_back(name);
            continue;
        }
        const auto& source = *found->second;
        given.erase(found);
        if (source.sizes() == tensor.sizes()) {
            copies.emplace_back(tensor, &source);
        } else if (!is_derived(name)) {
            misshapen.push_back(fmt::format("{} {} instead of {}", name, to_string(source.sizes().vec()),
                                            to_string(tensor.sizes().vec())));
        }
    }
    for (const auto& [name, tensor] : state) {
        if (given.contains(name) && !may_be_absent(name)) unexpected.push_back(name);
    }

    std::vector<std::string> parts;
    if (!missing.empty()) parts.push_back(counted("missing", missing));
    if (!unexpected.empty()) parts.push_back(counted("unexpected", unexpected));
    if (!misshapen.empty()) parts.push_back(counted("of another shape", misshapen));
    if (!parts.empty()) {
        fail("{}: the weights do not fit the model {}: {}", where, model.options().translator,
             fmt::join(parts, "; "));
    }
    for (auto& [target, source] : copies) target.copy_(*source);
}

}  // namespace stl
