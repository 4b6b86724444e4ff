#include "stl/run/experiment.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/core/utf8.h"
#include "stl/models/registry.h"
#include "stl/run/settings.h"

namespace stl {
namespace {

constexpr int deepest_base = 16;
/// The largest of ours has some 2 kB.
constexpr std::uint64_t most_experiment_bytes = std::uint64_t{1} << 20;

/// Of what the key's own rules and the structs' own defaults leave open.
TrainOptions read_train(Fields fields) {
    TrainOptions o;
    read_options(fields, o);
    fields.finish();
    o.schedule.lr = o.optimizer.lr;
    o.schedule.epochs = o.epochs;
    return o;
}

/// `over`'s values replace `under`'s, object by object.
void merge(Json& under, const Json& over) {
    for (const auto& [key, value] : over.items()) {
        if (value.is_object() && under.contains(key) && under[key].is_object()) {
            merge(under[key], value);
        } else {
            under[key] = value;
        }
    }
}

/// Every key of `json`, and of the objects in it, is `file`'s.
void note_file(Origins& origins, const std::string& file, const Json& json, const std::string& under = "") {
    for (const auto& [key, value] : json.items()) {
        origins[under + key] = file + ": " + under + key;
        if (value.is_object()) note_file(origins, file, value, under + key + ".");
    }
}

void note_setting(Origins& origins, const std::string& text, const std::string& key, const Json& value) {
    origins[key] = text;
    if (!value.is_object()) return;
    for (const auto& [name, inner] : value.items()) note_setting(origins, text, key + "." + name, inner);
}

Json read_with_base(const fs::path& path, int depth, Origins& origins) {
    if (depth > deepest_base)
        fail("{}: \"base\" files nested more than {} deep (a cycle?)", path.string(), deepest_base);
    // A file from elsewhere may name any file here as its base, and /dev/zero has no end.
    if (depth > 0) require_regular_file(path);
    if (const auto kind = kind_of_file(path); kind != FileKind::unknown && kind != FileKind::json)
        fail("{}: not an experiment file{}", path.string(), kind_hint(path));
    Json own = read_json(path, most_experiment_bytes);
    if (!own.is_object())
        fail("{}: not an experiment (expected an object with dataset, model and train)", path.string());
    const auto base = own.find("base");
    if (base == own.end()) {
        note_file(origins, path.string(), own);
        return own;
    }
    if (!base->is_string()) fail("{}: base: {} is not a file name", path.string(), base->dump());
    const auto base_path = path.parent_path() / base->get<std::string>();
    if (!fs::exists(base_path)) fail("{}: base: {} does not exist", path.string(), base_path.string());
    Json whole = read_with_base(base_path, depth + 1, origins);
    own.erase("base");
    note_file(origins, path.string(), own);
    merge(whole, own);
    return whole;
}

void apply(Json& json, const Setting& setting, Origins& origins) {
    Json* place = &json;
    std::size_t begin = 0;
    for (;;) {
        const auto dot = setting.key.find('.', begin);
        const auto key = setting.key.substr(begin, dot - begin);
        if (!place->is_object()) {
            fail("--set {}: {} is not an object", setting.key, setting.key.substr(0, begin - 1));
        }
        if (dot == std::string::npos) {
            if (setting.value.is_null() && place->erase(key) > 0) return;  // null removes the key
            (*place)[key] = setting.value;
            if (!setting.text.empty()) note_setting(origins, setting.text, setting.key, setting.value);
            return;
        }
        place = &(*place)[key];
        if (place->is_null()) {
            *place = Json::object();
            if (!setting.text.empty()) origins[setting.key.substr(0, dot)] = setting.text;
        }
        begin = dot + 1;
    }
}

/// What a model states must agree with its data set.
void require_same(const Json& stated, const std::string& where, const Json& of_data) {
    if (stated.is_null() || stated == of_data) return;
    fail("{}: {}, but the data set's is {}", where, stated.dump(), of_data.dump());
}

/// Reads the model's keys; until the data set's frame size is known, it is that of a small frame.
void read_model(Experiment& e, Json model, const std::string& where) {
    if (!model.is_object()) fail("{}: not an object {{...}}", where);
    e.stated_shape = model.value("in_shape", Json(nullptr));
    model["in_shape"] = {e.dataset.input_frames, 1, 64, 64};
    require_same(model.value("output_frames", Json(nullptr)), key_path(where, "output_frames"),
                 e.dataset.output_frames);
    model["output_frames"] = e.dataset.output_frames;
    e.model = SimVPOptions::from_json(model, where);
}

/// For a message of one line.
std::string shortened(const std::string& text) {
    constexpr std::size_t longest = 200;
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

}  // namespace

Setting parse_setting(const std::string& text) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw UsageError(fmt::format("--set {}: expected KEY=VALUE, e.g. train.lr=0.01", text));
    }
    Setting setting{text.substr(0, equals), {}, "--set " + shortened(text)};
    if (!is_utf8(text)) {
        throw UsageError(
            fmt::format("--set {}: not UTF-8, the only text that experiments and checkpoints can hold; of a "
                        "file with such a "
                        "name give a link with another",
                        shortened(setting.key)));
    }
    if (setting.key.front() == '.' || setting.key.back() == '.' ||
        setting.key.find("..") != std::string::npos) {
        throw UsageError(
            fmt::format("--set {}: '{}' is not a key, expected e.g. train.lr", text, setting.key));
    }
    const auto value = text.substr(equals + 1);
    constexpr std::ptrdiff_t deepest = 20;
    if (std::ranges::count(setting.key, '.') > deepest) {
        throw UsageError(fmt::format("--set {}: nested deeper than {}", shortened(setting.key), deepest));
    }
    setting.value = Json::accept(value) ? parse_json(value, setting.text) : Json(value);
    return setting;
}

namespace {

/// "--set lr=0.1" of an experiment, whose keys stand in its objects.
void refuse_short_keys(const Json& json, const std::vector<Setting>& settings) {
    if (!json.is_object() || !json.contains("dataset")) return;
    for (const auto& setting : settings) {
        if (setting.key.find('.') != std::string::npos || setting.text.empty()) continue;
        constexpr std::array own{"base", "dataset", "description", "model", "train"};
        if (std::ranges::find(own, setting.key) != own.end()) continue;
        if (const auto key = setting_key(setting.key); !key.empty())
            fail("{}: unknown key '{}' (did you mean '{}'?)", setting.text, setting.key, key);
    }
}

void apply_all(Json& json, const std::vector<Setting>& settings, Origins& origins) {
    for (const auto& setting : settings) apply(json, setting, origins);
    refuse_short_keys(json, settings);
    // The file's steps would win.
    const auto is_set = [&](const char* key) { return std::ranges::count(settings, key, &Setting::key) > 0; };
    if (is_set("train.epochs") && !is_set("train.steps") && json.contains("train") &&
        json["train"].is_object())
        json["train"].erase("steps");
}

}  // namespace

Json read_experiment_json(const fs::path& path, const std::vector<Setting>& settings, Origins* origins) {
    Origins unasked;
    auto& noted = origins != nullptr ? *origins : unasked;
    Json json = read_with_base(path, 0, noted);
    apply_all(json, settings, noted);
    return json;
}

Experiment experiment_of(Json json, const std::string& where, const std::vector<Setting>& settings) {
    Origins origins;
    apply_all(json, settings, origins);
    return parse_experiment(json, where, std::move(origins));
}

Experiment parse_experiment(const Json& json, const std::string& where, Origins origins) {
    Experiment experiment;
    experiment.file = where;
    experiment.origins = std::move(origins);
    try {
        Fields fields(json, where);
        experiment.dataset =
            DatasetOptions::from_json(fields.require<Json>("dataset"), fields.where("dataset"));
        auto model = fields.require<Json>("model");
        experiment.train = read_train(fields.child("train"));
        read_model(experiment, std::move(model), fields.where("model"));
        fields.get<std::string>("description", "");
        fields.finish();
    } catch (const Error& error) {
        throw Error(experiment.at_origin(error.what()));
    }
    return experiment;
}

Experiment load_experiment(const fs::path& path, const std::vector<Setting>& settings) {
    Origins origins;
    const auto json = read_experiment_json(path, settings, &origins);
    return parse_experiment(json, path.string(), std::move(origins));
}

SimVPOptions Experiment::model_for(const SequenceShape& shape) const {
    try {
        const auto where = key_path(file, "model");
        require_same(stated_shape, key_path(where, "in_shape"),
                     {dataset.input_frames, shape.channels, shape.height, shape.width});
        auto complete = model;
        complete.frames = dataset.input_frames;
        complete.channels = shape.channels;
        complete.height = shape.height;
        complete.width = shape.width;
        complete.output_frames = dataset.output_frames;
        complete.check(where);
        return complete;
    } catch (const Error& error) {
        throw Error(at_origin(error.what()));
    }
}

std::string Experiment::at_origin(const std::string& message) const {
    const auto before = file + ": ";
    if (!message.starts_with(before)) return message;
    const auto end = message.find_first_of(":[ ", before.size());
    const auto origin = origins.find(message.substr(before.size(), end - before.size()));
    if (origin == origins.end()) return message;
    return origin->second + (end == std::string::npos ? "" : message.substr(end));
}

std::string Experiment::default_run_name() const {
    return dataset.name + "-" + model.translator;
}

}  // namespace stl
