#include <algorithm>
#include <initializer_list>

#include "stl/core/error.h"
#include "stl/models/registry.h"
#include "stl/models/simvp.h"

namespace stl {
namespace {

// Far above any model that could be trained; keeps every product of sizes within 63 bits.
constexpr std::int64_t largest_size = 1 << 16;
constexpr std::int64_t most_layers = 1024;

struct Range {
    const char* key;
    std::int64_t value, least, most;
};

void check_ranges(const SimVPOptions& o, const std::string& where) {
    for (const auto& [key, value, least, most] : std::initializer_list<Range>{
             {"in_shape[0]", o.frames, 1, largest_size},
             {"in_shape[1]", o.channels, 1, largest_size},
             {"in_shape[2]", o.height, 1, largest_size},
             {"in_shape[3]", o.width, 1, largest_size},
             {"output_frames", o.output_frames, 0, largest_size},
             {"hid_S", o.hid_S, 2, largest_size},
             {"hid_T", o.hid_T, 1, largest_size},
             {"N_S", o.N_S, 2, 32},
             {"N_T", o.N_T, 2, most_layers},
             {"spatio_kernel_enc", o.spatio_kernel_enc, 1, largest_spatio_kernel},
             {"spatio_kernel_dec", o.spatio_kernel_dec, 1, largest_spatio_kernel},
         }) {
        if (value < least || value > most) {
            fail("{}: {} is out of range, expected {} to {}", key_path(where, key), value, least, most);
        }
    }
}

/// Also refuses what is not a number.
void check_fraction(const std::string& where, const char* key, double value) {
    if (!(value >= 0.0 && value < 1.0)) {
        fail("{}: {} is out of range, expected at least 0 and less than 1", key_path(where, key), value);
    }
}

/// Reads `key` or the peer's name for it.
template <class T>
std::optional<T> find_either(Fields& fields, const std::string& key, const std::string& peers) {
    const auto own = fields.find<T>(key);
    const auto other = fields.find<T>(peers);
    if (own && other) fail("{}: a synonym of '{}'; give only one", fields.where(peers), key);
    return own ? own : other;
}

}  // namespace

SimVPOptions SimVPOptions::from_json(const Json& json, const std::string& where) {
    Fields fields(json, where);
    SimVPOptions o;
    o.translator = find_either<std::string>(fields, "translator", "model_type").value_or(o.translator);
    o.translator = find_translator(o.translator, fields.where("translator")).name;
    const auto shape = fields.require<std::vector<std::int64_t>>("in_shape");
    if (shape.size() != 4) {
        fail("{}: {} numbers, expected [frames, channels, height, width]", fields.where("in_shape"),
             shape.size());
    }
    o.frames = shape[0];
    o.channels = shape[1];
    o.height = shape[2];
    o.width = shape[3];
    o.output_frames =
        find_either<std::int64_t>(fields, "output_frames", "aft_seq_length").value_or(o.output_frames);
    o.hid_S = fields.get("hid_S", o.hid_S);
    o.hid_T = fields.get("hid_T", o.hid_T);
    o.N_S = fields.get("N_S", o.N_S);
    o.N_T = fields.get("N_T", o.N_T);
    o.mlp_ratio = fields.get("mlp_ratio", o.mlp_ratio);
    o.drop = fields.get("drop", o.drop);
    o.drop_path = fields.get("drop_path", o.drop_path);
    o.drop_path_first = fields.get("drop_path_first", o.drop_path_first);
    o.spatio_kernel_enc = fields.get("spatio_kernel_enc", o.spatio_kernel_enc);
    o.spatio_kernel_dec = fields.get("spatio_kernel_dec", o.spatio_kernel_dec);
    fields.finish();
    o.check(where);
    return o;
}

Json SimVPOptions::to_json() const {
    return {{"translator", translator},
            {"in_shape", {frames, channels, height, width}},
            {"output_frames", output_frames},
            {"hid_S", hid_S},
            {"hid_T", hid_T},
            {"N_S", N_S},
            {"N_T", N_T},
            {"mlp_ratio", mlp_ratio},
            {"drop", drop},
            {"drop_path", drop_path},
            {"drop_path_first", drop_path_first},
            {"spatio_kernel_enc", spatio_kernel_enc},
            {"spatio_kernel_dec", spatio_kernel_dec}};
}

void SimVPOptions::check(const std::string& where) const {
    const auto& member = find_translator(translator, key_path(where, "translator"));
    check_ranges(*this, where);
    if (hid_S % 2 != 0) fail("{}: {} is odd (GroupNorm has 2 groups)", key_path(where, "hid_S"), hid_S);
    if (N_S % 2 != 0)
        fail("{}: {} is odd (layers come in pairs of stride 1 and 2)", key_path(where, "N_S"), N_S);
    if (spatio_kernel_enc % 2 == 0) {
        fail("{}: {} is even, expected an odd size", key_path(where, "spatio_kernel_enc"), spatio_kernel_enc);
    }
    if (spatio_kernel_dec % 2 == 0) {
        fail("{}: {} is even, expected an odd size", key_path(where, "spatio_kernel_dec"), spatio_kernel_dec);
    }
    if (!(mlp_ratio > 0.0 && mlp_ratio <= 64.0)) {
        fail("{}: {} is out of range, expected more than 0 and at most 64", key_path(where, "mlp_ratio"),
             mlp_ratio);
    }
    const bool has_hidden = std::ranges::find(member.keys, "mlp_ratio") != member.keys.end();
    const auto narrowest = static_cast<double>(std::min(translator_channels(), hid_T));
    if (has_hidden && narrowest * mlp_ratio < 1.0) {
        fail("{}: {} of {} channels is less than one hidden channel", key_path(where, "mlp_ratio"), mlp_ratio,
             narrowest);
    }
    check_fraction(where, "drop", drop);
    check_fraction(where, "drop_path", drop_path);
    check_fraction(where, "drop_path_first", drop_path_first);
    member.check(*this, where);
}

}  // namespace stl
