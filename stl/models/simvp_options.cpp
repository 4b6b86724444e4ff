#include <algorithm>

#include "stl/core/error.h"
#include "stl/models/registry.h"
#include "stl/models/simvp.h"

namespace stl {
namespace {

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
    read_options(fields, o);
    fields.finish();
    o.check(where);
    return o;
}

Json SimVPOptions::to_json() const {
    Json json{{"translator", translator},
              {"in_shape", {frames, channels, height, width}},
              {"output_frames", output_frames}};
    json.update(write_options(*this));
    return json;
}

void SimVPOptions::check(const std::string& where) const {
    const auto& member = find_translator(translator, key_path(where, "translator"));
    const auto in_shape = between(1, largest_size);
    for (const auto& [key, value] : {std::pair{"in_shape[0]", frames},
                                     {"in_shape[1]", channels},
                                     {"in_shape[2]", height},
                                     {"in_shape[3]", width}})
        in_shape.check(value, key_path(where, key));
    between(0, largest_size).check(output_frames, key_path(where, "output_frames"));
    check_options(*this, where);
    if (hid_S % 2 != 0) fail("{}: {} is odd (GroupNorm has 2 groups)", key_path(where, "hid_S"), hid_S);
    if (N_S % 2 != 0)
        fail("{}: {} is odd (layers come in pairs of stride 1 and 2)", key_path(where, "N_S"), N_S);
    if (spatio_kernel_enc % 2 == 0) {
        fail("{}: {} is even, expected an odd size", key_path(where, "spatio_kernel_enc"), spatio_kernel_enc);
    }
    if (spatio_kernel_dec % 2 == 0) {
        fail("{}: {} is even, expected an odd size", key_path(where, "spatio_kernel_dec"), spatio_kernel_dec);
    }
    const bool has_hidden = std::ranges::find(member.keys, "mlp_ratio") != member.keys.end();
    const auto narrowest = static_cast<double>(std::min(translator_channels(), hid_T));
    if (has_hidden && narrowest * mlp_ratio < 1.0) {
        fail("{}: {} times {} channels is less than one hidden channel", key_path(where, "mlp_ratio"),
             mlp_ratio, narrowest);
    }
    member.check(*this, where);
}

}  // namespace stl
