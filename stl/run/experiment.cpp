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

void at_least(std::int64_t value, std::int64_t least, const std::string& where) {
    if (value < least) fail("{}: {} is too small, expected at least {}", where, value, least);
}

void positive(double value, const std::string& where) {
    if (!(value > 0) || !std::isfinite(value)) fail("{}: {} is not a positive number", where, value);
}

void not_negative(double value, const std::string& where) {
    if (!(value >= 0) || !std::isfinite(value)) fail("{}: {} is negative or no number", where, value);
}

void read_optimizer(Fields& fields, OptimizerOptions& o) {
    o.name = fields.get<std::string>("optimizer", o.name);
    find_optimizer(o.name, fields.where("optimizer"));
    o.lr = fields.get<double>("lr", o.lr);
    positive(o.lr, fields.where("lr"));
    const auto betas = fields.get<std::vector<double>>("betas", {o.beta1, o.beta2});
    if (betas.size() != 2) fail("{}: {} numbers, expected two", fields.where("betas"), betas.size());
    for (const double beta : betas) {
        if (!(beta >= 0 && beta < 1)) fail("{}: {} is not in [0, 1)", fields.where("betas"), beta);
    }
    o.beta1 = betas[0];
    o.beta2 = betas[1];
    o.eps = fields.get<double>("eps", o.eps);
    not_negative(o.eps, fields.where("eps"));
    o.weight_decay = fields.get<double>("weight_decay", o.weight_decay);
    not_negative(o.weight_decay, fields.where("weight_decay"));
}

void read_schedule(Fields& fields, ScheduleOptions& o) {
    o.name = fields.get<std::string>("schedule", o.name);
    find_schedule(o.name, fields.where("schedule"));
    o.final_div_factor = fields.get<double>("final_div_factor", o.final_div_factor);
    positive(o.final_div_factor, fields.where("final_div_factor"));
    o.min_lr = fields.get<double>("min_lr", o.min_lr);
    not_negative(o.min_lr, fields.where("min_lr"));
    o.warmup_lr = fields.get<double>("warmup_lr", o.warmup_lr);
    not_negative(o.warmup_lr, fields.where("warmup_lr"));
    o.warmup_epoch = fields.get<std::int64_t>("warmup_epoch", o.warmup_epoch);
    at_least(o.warmup_epoch, 0, fields.where("warmup_epoch"));
    o.decay_epoch = fields.get<std::int64_t>("decay_epoch", o.decay_epoch);
    at_least(o.decay_epoch, 1, fields.where("decay_epoch"));
    o.decay_rate = fields.get<double>("decay_rate", o.decay_rate);
    positive(o.decay_rate, fields.where("decay_rate"));
}

TrainOptions read_train(Fields fields) {
    TrainOptions o;
    o.epochs = fields.get<std::int64_t>("epochs", o.epochs);
    at_least(o.epochs, 1, fields.where("epochs"));
    o.steps = fields.find<std::int64_t>("steps");
    if (o.steps) at_least(*o.steps, 1, fields.where("steps"));
    o.batch_size = fields.get<std::int64_t>("batch_size", o.batch_size);
    at_least(o.batch_size, 1, fields.where("batch_size"));
    read_optimizer(fields, o.optimizer);
    read_schedule(fields, o.schedule);
    o.schedule.lr = o.optimizer.lr;
    o.schedule.epochs = o.epochs;
    o.precision = member_named<Precision>(fields.get<std::string>("precision", name_of(o.precision)),
                                          fields.where("precision") + ":", training_precisions);
    const auto seed = fields.get<std::int64_t>("seed", static_cast<std::int64_t>(o.seed));
    at_least(seed, 0, fields.where("seed"));
    o.seed = static_cast<std::uint64_t>(seed);
    o.init = fields.get<std::string>("init", o.init);
    o.shuffle = fields.get<bool>("shuffle", o.shuffle);
    o.alpha = fields.get<double>("alpha", o.alpha);
    not_negative(o.alpha, fields.where("alpha"));
    o.clip_norm = fields.get<double>("clip_norm", o.clip_norm);
    not_negative(o.clip_norm, fields.where("clip_norm"));
    o.save_every = fields.get<std::int64_t>("save_every", o.save_every);
    at_least(o.save_every, 0, fields.where("save_every"));
    o.save_minutes = fields.get<double>("save_minutes", o.save_minutes);
    not_negative(o.save_minutes, fields.where("save_minutes"));
    o.keep = fields.get<std::int64_t>("keep", o.keep);
    at_least(o.keep, 1, fields.where("keep"));
    o.log_every = fields.get<std::int64_t>("log_every", o.log_every);
    at_least(o.log_every, 1, fields.where("log_every"));
    const auto threads = fields.get<std::int64_t>("threads", 0);
    at_least(threads, 0, fields.where("threads"));
    if (threads > 4096) fail("{}: {} threads, expected at most 4096", fields.where("threads"), threads);
    o.threads = static_cast<int>(threads);
    o.checkpoint_activations = fields.get<bool>("checkpoint_activations", o.checkpoint_activations);
    fields.finish();
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
        fail("{}: more than {} files deep in \"base\" (a circle?)", path.string(), deepest_base);
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
            if (setting.value.is_null() && place->erase(key) > 0) return;  // what stood there is not wanted
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

SimVPOptions complete_model(const Experiment& e, const SequenceShape& shape) {
    const auto where = key_path(e.file, "model");
    Json complete = e.model;
    if (!complete.is_object()) fail("{}: not an object {{...}}", where);
    complete["in_shape"] = {e.dataset.input_frames, shape.channels, shape.height, shape.width};
    complete["output_frames"] = e.dataset.output_frames;
    return SimVPOptions::from_json(complete, where);
}

/// What a model states beside its data set must be the data set's.
void require_same(const Experiment& e, const std::string& key, const Json& of_data) {
    const auto stated = e.model.find(key);
    if (stated == e.model.end() || stated->is_null() || *stated == of_data) return;
    fail("{}: {}, but the data set's is {}", key_path(e.file, "model." + key), stated->dump(),
         of_data.dump());
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
    // JSON and checkpoints hold nothing else.
    if (!is_utf8(text)) throw UsageError(fmt::format("--set {}: not UTF-8", shortened(setting.key)));
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

}  // namespace

Json read_experiment_json(const fs::path& path, const std::vector<Setting>& settings, Origins* origins) {
    Origins unasked;
    auto& noted = origins != nullptr ? *origins : unasked;
    Json json = read_with_base(path, 0, noted);
    for (const auto& setting : settings) apply(json, setting, noted);
    refuse_short_keys(json, settings);
    // The file's steps would win.
    const auto is_set = [&](const char* key) { return std::ranges::count(settings, key, &Setting::key) > 0; };
    if (is_set("train.epochs") && !is_set("train.steps") && json.contains("train") &&
        json["train"].is_object())
        json["train"].erase("steps");
    return json;
}

Experiment parse_experiment(const Json& json, const std::string& where, Origins origins) {
    Experiment experiment;
    experiment.file = where;
    experiment.origins = std::move(origins);
    try {
        Fields fields(json, where);
        experiment.dataset =
            DatasetOptions::from_json(fields.require<Json>("dataset"), fields.where("dataset"));
        experiment.model = fields.require<Json>("model");
        experiment.train = read_train(fields.child("train"));
        fields.get<std::string>("description", "");
        fields.finish();
        // Every key but the frame size can be checked before any data is opened.
        complete_model(experiment, {experiment.dataset.total_frames(), 1, 64, 64});
        require_same(experiment, "output_frames", experiment.dataset.output_frames);
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
        require_same(*this, "in_shape", {dataset.input_frames, shape.channels, shape.height, shape.width});
        return complete_model(*this, shape);
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
    const auto name =
        Fields(model, file + ": model").get<std::string>("translator", SimVPOptions{}.translator);
    return dataset.name + "-" + find_translator(name, file + ": model.translator").name;
}

Json Experiment::train_json() const {
    Json json = Json::object();
    json["epochs"] = train.epochs;
    if (train.steps) json["steps"] = *train.steps;
    json["batch_size"] = train.batch_size;
    json["optimizer"] = train.optimizer.name;
    json["lr"] = train.optimizer.lr;
    json["betas"] = {train.optimizer.beta1, train.optimizer.beta2};
    json["eps"] = train.optimizer.eps;
    json["weight_decay"] = train.optimizer.weight_decay;
    json["schedule"] = train.schedule.name;
    json["final_div_factor"] = train.schedule.final_div_factor;
    json["min_lr"] = train.schedule.min_lr;
    json["warmup_lr"] = train.schedule.warmup_lr;
    json["warmup_epoch"] = train.schedule.warmup_epoch;
    json["decay_epoch"] = train.schedule.decay_epoch;
    json["decay_rate"] = train.schedule.decay_rate;
    json["precision"] = name_of(train.precision);
    json["seed"] = train.seed;
    if (!train.init.empty()) json["init"] = train.init;
    json["shuffle"] = train.shuffle;
    json["alpha"] = train.alpha;
    json["clip_norm"] = train.clip_norm;
    json["save_every"] = train.save_every;
    json["save_minutes"] = train.save_minutes;
    json["keep"] = train.keep;
    json["log_every"] = train.log_every;
    json["threads"] = train.threads;
    json["checkpoint_activations"] = train.checkpoint_activations;
    return json;
}

}  // namespace stl
