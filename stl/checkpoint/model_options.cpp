#include <algorithm>
#include <array>

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/infer.h"
#include "stl/core/error.h"
#include "stl/core/names.h"

namespace stl {
namespace {

/// Keys of the peer's config.json that say nothing of the network, or the same a second time.
constexpr std::array peers_other_keys{"act_inplace", "batch", "drop_path_rates_as_built", "num_params",
                                      "train"};

/// The number of input frames stands in in_shape.
void drop_input_frames(Json& keys, const std::string& where) {
    const auto frames = keys.find("pre_seq_length");
    if (frames == keys.end()) return;
    const auto shape = keys.find("in_shape");
    if (shape != keys.end() && shape->is_array() && !shape->empty() && shape->front() != *frames) {
        fail("{}: pre_seq_length {} contradicts in_shape {}", where, frames->dump(), shape->dump());
    }
    keys.erase("pre_seq_length");
}

/// An experiment's model, as RUN/experiment.json has it; its number of frames may stand at the data set.
void take_model_of_experiment(Json& json) {
    if (!json.contains("dataset") || !json.contains("model") || !json["model"].is_object()) return;
    auto model = json["model"];
    if (const auto& dataset = json["dataset"];
        dataset.is_object() && dataset.contains("output_frames") && !model.contains("output_frames"))
        model["output_frames"] = dataset["output_frames"];
    json = std::move(model);
}

/// Of the peer's methods, TAU names a translator.
void take_method(Json& keys) {
    const auto method = keys.find("method");
    if (method == keys.end()) return;
    const bool is_tau = method->is_string() && lower_case(method->get<std::string>()) == "tau";
    keys.erase("method");
    if (is_tau && !keys.contains("translator")) keys["translator"] = "tau";
}

bool is_frame_shape(const Json& shape) {
    return shape.is_array() && shape.size() == 4 &&
           std::ranges::all_of(shape, [](const Json& size) { return size.is_number_integer(); });
}

/// What Lightning noted of the constructor's arguments, where it does not follow from the weights.
void add_hyper_parameters(Json& model, const Json& noted) {
    if (!noted.is_object()) return;
    if (const auto shape = noted.find("in_shape"); shape != noted.end() && is_frame_shape(*shape)) {
        model["in_shape"].push_back((*shape)[2]);
        model["in_shape"].push_back((*shape)[3]);
    }
    if (const auto frames = noted.find("aft_seq_length");
        frames != noted.end() && frames->is_number_integer()) {
        model["output_frames"] = *frames;
    }
    for (const char* key : {"mlp_ratio", "drop", "drop_path"}) {
        if (const auto value = noted.find(key); value != noted.end() && value->is_number())
            model[key] = *value;
    }
}

/// A mixer's weights know how many positions there are, not in what shape.
std::string positions_note(const Checkpoint& checkpoint, const Json& model) {
    if (model["translator"] != "mlpmixer") return "";
    for (const auto& [name, tensor] : checkpoint.state) {
        if (name != "hid.enc.0.block.mlp_tokens.fc1.weight" || tensor.dim() != 2) continue;
        const auto pixels = tensor.size(1) << model["N_S"].get<std::int64_t>();
        return fmt::format(" (height times width is {})", pixels);
    }
    return "";
}

}  // namespace

Json model_keys(Json json, const std::string& where) {
    if (json.is_null()) return Json::object();
    if (!json.is_object()) fail("{}: not an object {{...}}", where);
    take_model_of_experiment(json);
    drop_input_frames(json, where);
    for (const char* key : peers_other_keys) json.erase(key);
    // One spelling, so that hints replace what was inferred.
    for (const auto& [peers, ours] :
         {std::pair{"model_type", "translator"}, {"aft_seq_length", "output_frames"}}) {
        if (!json.contains(peers)) continue;
        if (json.contains(ours)) fail("{}: '{}' and '{}' are synonyms; give only one", where, peers, ours);
        json[ours] = json[peers];
        json.erase(peers);
    }
    if (const auto name = json.find("translator"); name != json.end() && name->is_null())
        json.erase("translator");
    take_method(json);
    return json;
}

SimVPOptions model_options(const Checkpoint& checkpoint, const Json& hints, const std::string& where,
                           const std::string& hints_where) {
    const auto given = model_keys(hints, hints_where);
    const bool recorded = checkpoint.stl.is_object() && checkpoint.stl.contains("model");
    // Complete hints need no guess, which may be impossible.
    const bool complete = given.contains("translator") && given.contains("in_shape") &&
                          given.contains("hid_S") && given.contains("hid_T") && given.contains("N_S") &&
                          given.contains("N_T");
    Json model = Json::object();
    if (recorded) {
        model = checkpoint.stl["model"];
        if (!model.is_object()) fail("{}: stl.model: not an object {{...}}", where);
    } else if (!complete) {
        model = infer_model(checkpoint.state, where);
        add_hyper_parameters(model, checkpoint.hyper_parameters);
    }
    model.update(given);
    const auto& shape = model["in_shape"];
    if (shape.is_array() && shape.size() == 2) {
        fail(
            "{}: the frame size can't be told from the weights{}; give it with --model M.json: "
            "{{\"in_shape\": [{}, {}, height, width]}}",
            where, positions_note(checkpoint, model), shape[0].dump(), shape[1].dump());
    }
    return SimVPOptions::from_json(model, given.empty() ? where + ": model" : hints_where);
}

}  // namespace stl
