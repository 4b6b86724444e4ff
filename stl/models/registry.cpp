#include "stl/models/registry.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/models/layers/attention.h"
#include "stl/models/translators/block.h"
#include "stl/models/translators/convmixer.h"
#include "stl/models/translators/convnext.h"
#include "stl/models/translators/gsta.h"
#include "stl/models/translators/hornet.h"
#include "stl/models/translators/identity.h"
#include "stl/models/translators/incepu.h"
#include "stl/models/translators/mlpmixer.h"
#include "stl/models/translators/moganet.h"
#include "stl/models/translators/poolformer.h"
#include "stl/models/translators/swin.h"
#include "stl/models/translators/tau.h"
#include "stl/models/translators/uniformer.h"
#include "stl/models/translators/van.h"
#include "stl/models/translators/vit.h"

namespace stl {
namespace {

using Options = SimVPOptions;
using Where = std::string;

void anything(const Options& /*options*/, const Where& /*where*/) {}

void eighths(const Options& o, const Where& where) {
    require_divisible(o, where, 8, "orders of 1/8, 3/8 and 4/8");
}

void halves(const Options& o, const Where& where) {
    require_divisible(o, where, 8, "three halvings");
}

void heads(const Options& o, const Where& where) {
    require_divisible(o, where, attention_heads, "heads");
}

/// The excitation squeezes to channels/4 or fewer.
void four_channels(const Options& o, const Where& where) {
    if (o.hid_T < 4)
        fail("{}: {}, expected at least 4 (they are squeezed to a quarter)", key_path(where, "hid_T"),
             o.hid_T);
    if (o.translator_channels() < 4) {
        fail(
            "{}: {} frames of {} channels give the translator {} channels, expected at least 4 (they are "
            "squeezed to a quarter)",
            key_path(where, "hid_S"), o.frames, o.hid_S, o.translator_channels());
    }
}

const std::vector<std::string> all_keys{"hid_T", "N_T", "mlp_ratio", "drop", "drop_path", "drop_path_first"};
const std::vector<std::string> without_drop{"hid_T", "N_T", "mlp_ratio", "drop_path", "drop_path_first"};

const std::vector<std::string> large_kernel_weights{"block.layer_scale_1",
                                                    "block.attn.spatial_gating_unit.conv1.weight"};
const std::vector<std::string> tau_weights{"block.layer_scale_1",
                                           "block.attn.spatial_gating_unit.conv1.weight",
                                           "block.attn.spatial_gating_unit.fc.0.weight"};

// clang-format off
// name, aliases, help, paper, keys, check, make, reference_weights, ratio_layer
const std::vector<TranslatorInfo> members{
    {"incepu", {"inceptionu", "simvp", "simvpv1"}, "U-shaped stack of grouped inception convolutions", "SimVP, arXiv 2206.05099",
     {"hid_T", "N_T"}, check_incepu, make_incepu, {"layers.0.conv.weight"}},
    {"gsta", {"simvpv2"}, "gated spatio-temporal attention with large kernels", "SimVPv2, arXiv 2211.12509",
     all_keys, anything, stack_of<GstaBlock>, large_kernel_weights, "mlp.fc1"},
    {"vit", {}, "self-attention over all positions", "ViT, arXiv 2010.11929",
     all_keys, heads, stack_of<VitBlock>, {"block.attn.qkv.weight"}, "mlp.fc1"},
    {"swin", {}, "self-attention within shifted windows", "Swin Transformer, arXiv 2103.14030",
     all_keys, check_swin, stack_of<SwinBlock>, {"block.attn.qkv.weight", "block.attn.relative_position_bias_table"}, "mlp.fc1"},
    {"uniformer", {}, "convolutions in the outer blocks, self-attention in the inner ones", "UniFormer, arXiv 2201.04676",
     all_keys, check_uniformer, make_uniformer, {"block.pos_embed.weight", "block.norm1.weight"}, "mlp.fc1"},
    {"mlpmixer", {"mlp", "mlp-mixer"}, "MLPs over positions and over channels", "MLP-Mixer, arXiv 2105.01601",
     all_keys, anything, stack_of<MlpMixerBlock>, {"block.mlp_tokens.fc1.weight"}, "mlp_channels.fc1"},
    {"convmixer", {}, "depthwise 11x11 and 1x1 convolutions", "ConvMixer, arXiv 2201.09792",
     {"hid_T", "N_T"}, anything, stack_of<ConvMixerBlock>, {"block.conv_dw.weight", "block.conv_pw.weight"}},
    {"poolformer", {}, "3x3 average pooling over positions", "PoolFormer, arXiv 2111.11418",
     all_keys, anything, stack_of<PoolFormerBlock>, {"block.layer_scale_1"}, "mlp.fc1"},
    {"convnext", {}, "depthwise 7x7 convolution and an MLP", "ConvNeXt, arXiv 2201.03545",
     without_drop, anything, stack_of<ConvNextBlock>, {"block.conv_dw.weight"}, "mlp.fc1"},
    {"van", {}, "large-kernel attention", "Visual Attention Network, arXiv 2202.09741",
     all_keys, anything, stack_of<VanBlock>, large_kernel_weights, "mlp.fc1"},
    {"hornet", {}, "recursive gated convolution", "HorNet, arXiv 2207.14284",
     without_drop, halves, stack_of<HorNetBlock>, {"block.gnconv.proj_in.weight"}, "pwconv1"},
    {"moganet", {"moga"}, "multi-order gated aggregation", "MogaNet, arXiv 2211.03295",
     all_keys, eighths, stack_of<MogaBlock>, {"block.layer_scale_1", "block.attn.sigma"}, "mlp.fc1"},
    {"tau", {}, "temporal attention unit", "TAU, arXiv 2206.12126",
     all_keys, four_channels, stack_of<TauBlock>, tau_weights, "mlp.fc1"},
    {"identity", {}, "does nothing", "", {}, anything, make_identity, {}, "", /*for_tests=*/true},
};
// clang-format on

}  // namespace

const std::vector<TranslatorInfo>& translators() {
    return members;
}

std::vector<std::string> shown_translators() {
    std::vector<std::string> names;
    for (const auto& member : members) {
        if (!member.for_tests) names.push_back(member.name);
    }
    return names;
}

const TranslatorInfo& find_translator(std::string_view name, std::string_view where) {
    const auto wanted = lower_case(name);
    const auto found = std::ranges::find_if(members, [&](const TranslatorInfo& member) {
        return member.name == wanted || std::ranges::find(member.aliases, wanted) != member.aliases.end();
    });
    if (found != members.end()) return *found;
    std::vector<std::string> names;
    for (const auto& member : members) {
        if (!member.for_tests) names.push_back(member.name);
    }
    fail_unknown(where, "translator", name, names);
}

void require_divisible(const SimVPOptions& options, const std::string& where, std::int64_t divisor,
                       const std::string& what) {
    if (options.hid_T % divisor != 0) {
        fail("{}: {} is not divisible by {} ({})", key_path(where, "hid_T"), options.hid_T, divisor, what);
    }
    if (options.translator_channels() % divisor != 0) {
        fail("{}: {} frames of {} are {} channels, not divisible by {} ({})", key_path(where, "hid_S"),
             options.frames, options.hid_S, options.translator_channels(), divisor, what);
    }
}

}  // namespace stl
