#include "stl/checkpoint/infer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>

#include "stl/core/error.h"
#include "stl/core/utf8.h"
#include "stl/models/registry.h"

namespace stl {
namespace {

constexpr const char* first_weight = "enc.enc.0.conv.conv.weight";

class Inference {
  public:
    Inference(const NamedTensors& state, const std::string& where) : where_(where) {
        for (const auto& [name, tensor] : state) shapes_.emplace(name, tensor.sizes().vec());
    }

    Json model() const {
        const auto first = weight(first_weight, 4);
        const auto layers = count("enc.enc.");
        const auto last = weight(fmt::format("dec.dec.{}.conv.conv.weight", layers - 1), 4);
        const auto& found = translator();
        const auto blocks = count("hid.enc.");
        const auto [outer, inner] = channels(found.name);
        if (first[0] == 0 || outer % first[0] != 0) {
            fail("{}: the translator's {} channels are not a multiple of the encoder's {}", where_, outer,
                 first[0]);
        }
        Json out{{"translator", found.name},
                 {"in_shape", {outer / first[0], first[1]}},
                 {"hid_S", first[0]},
                 {"hid_T", inner},
                 {"N_S", layers},
                 {"N_T", blocks},
                 {"spatio_kernel_enc", first[2]},
                 {"spatio_kernel_dec", last[2]}};
        if (const auto ratio = mlp_ratio(found.ratio_layer, blocks, outer, inner)) out["mlp_ratio"] = *ratio;
        return out;
    }

  private:
    const Shape* find(const std::string& name) const {
        const auto found = shapes_.find(name);
        return found == shapes_.end() ? nullptr : &found->second;
    }

    Shape weight(const std::string& name, std::size_t rank) const {
        const auto* shape = find(name);
        if (shape == nullptr)
            fail("{}: not the weights of a SimVP: '{}' is missing{}", where_, name, hint_of(name));
        if (shape->size() != rank) fail("{}: '{}' has shape {}", where_, name, to_string(*shape));
        return *shape;
    }

    /// Where the same name stands under a prefix, what takes the weights there.
    std::string hint_of(const std::string& name) const {
        for (const auto& [stored, shape] : shapes_) {
            if (!stored.ends_with("." + name)) continue;
            const auto prefix = stored.substr(0, stored.size() - name.size() - 1);
            return fmt::format(" ('{}' is there; to take the weights under '{}', give FILE:{})",
                               printable(stored), printable(prefix), printable(prefix));
        }
        return "";
    }

    /// How many different numbers follow the prefix: "enc.enc.0.", "enc.enc.1.", ...
    std::int64_t count(std::string_view prefix) const {
        std::set<std::int64_t> numbers;
        for (const auto& [name, shape] : shapes_) {
            std::int64_t number = 0;
            if (!name.starts_with(prefix)) continue;
            std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
            numbers.insert(number);
        }
        return static_cast<std::int64_t>(numbers.size());
    }

    bool has(const TranslatorInfo& translator) const {
        const auto& weights = translator.reference_weights;
        return !weights.empty() && std::ranges::all_of(weights, [&](const std::string& name) {
            return find("hid.enc.0." + name) != nullptr;
        });
    }

    const TranslatorInfo& translator() const {
        const TranslatorInfo* found = nullptr;
        for (const auto& member : translators()) {
            if (!has(member)) continue;
            if (found == nullptr || member.reference_weights.size() > found->reference_weights.size())
                found = &member;
        }
        if (found == nullptr) {
            fail(
                "{}: the translator cannot be inferred from the weights' names; give the configuration with "
                "--model",
                where_);
        }
        // VAN's gate has one output a channel, gSTA's two; all their names are the same.
        if (found->name == "gsta") {
            const auto gate = weight("hid.enc.0.block.attn.spatial_gating_unit.conv1.weight", 4);
            if (gate[0] == gate[1]) return find_translator("van", where_);
        }
        return *found;
    }

    /// Channels outside (frames * hid_S) and inside (hid_T) of the translator.
    std::pair<std::int64_t, std::int64_t> channels(const std::string& translator) const {
        if (translator == "incepu") {
            return {weight("hid.enc.0.conv1.weight", 4)[1], weight("hid.enc.0.layers.0.conv.weight", 4)[0]};
        }
        // Only there if the two differ.
        if (find("hid.enc.0.reduction.weight")) {
            const auto reduction = weight("hid.enc.0.reduction.weight", 4);
            return {reduction[1], reduction[0]};
        }
        for (const char* norm : {"norm1", "norm_1", "norm"}) {
            const auto name = fmt::format("hid.enc.0.block.{}.weight", norm);
            if (find(name)) {
                const auto size = weight(name, 1)[0];
                return {size, size};
            }
        }
        fail("{}: the translator's channels cannot be inferred from the weights", where_);
    }

    std::optional<double> mlp_ratio(const std::string& layer, std::int64_t blocks, std::int64_t outer,
                                    std::int64_t inner) const;

    const std::string& where_;
    std::unordered_map<std::string, Shape> shapes_;
};

/// The simplest ratio that makes the layers what they are: hidden = int(channels * ratio) in every block.
std::optional<double> Inference::mlp_ratio(const std::string& layer, std::int64_t blocks, std::int64_t outer,
                                           std::int64_t inner) const {
    if (layer.empty()) return std::nullopt;
    std::vector<std::pair<std::int64_t, std::int64_t>> sizes;  // channels, hidden
    for (std::int64_t block = 0; block < blocks; ++block) {
        const auto* shape = find(fmt::format("hid.enc.{}.block.{}.weight", block, layer));
        if (shape != nullptr && !shape->empty()) sizes.emplace_back(block == 0 ? outer : inner, (*shape)[0]);
    }
    double low = 0;
    double high = std::numeric_limits<double>::max();
    for (const auto& [channels, hidden] : sizes) {
        if (channels < 1) return std::nullopt;
        low = std::max(low, static_cast<double>(hidden) / static_cast<double>(channels));
        high = std::min(high, static_cast<double>(hidden + 1) / static_cast<double>(channels));
    }
    if (sizes.empty()) return std::nullopt;
    const auto fits = [&](double ratio) {
        return std::ranges::all_of(sizes, [&](const auto& size) {
            return static_cast<std::int64_t>(static_cast<double>(size.first) * ratio) == size.second;
        });
    };
    for (const double parts : {1, 2, 4, 10, 20, 100, 1000}) {
        const double ratio = std::ceil(low * parts - 1e-9) / parts;
        if (ratio < high && fits(ratio)) return ratio;
    }
    return low;
}

}  // namespace

bool has_encoder(const NamedTensors& state) {
    return std::ranges::any_of(
        state, [](const auto& item) { return item.first == first_weight && item.second.dim() == 4; });
}

Json infer_model(const NamedTensors& state, const std::string& where) {
    return Inference(state, where).model();
}

}  // namespace stl
