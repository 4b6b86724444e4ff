#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <ranges>
#include <span>
#include <unordered_set>

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/tensors.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/utf8.h"

namespace stl {
namespace {

using pickle::Dict;
using pickle::List;
using pickle::TorchFile;
using pickle::Value;
using File = std::shared_ptr<TorchFile>;

constexpr const char* our_tensors = "stl_tensors";

bool remove_prefix(std::string_view& name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return true;
}

/// The module that a wrapper keeps: DataParallel's, torch.compile's, activation checkpointing's, FSDP's, Lightning's.
bool is_wrapper(std::string_view part) {
    constexpr std::array<std::string_view, 6> wrappers{
        "module",      "_orig_mod",      "_checkpoint_wrapped_module", "_fsdp_wrapped_module",
        "_fpw_module", "_forward_module"};
    return std::ranges::find(wrappers, part) != wrappers.end();
}

/// The name without wrappers, wherever they stand in it; the last part is the parameter's own.
std::string without_wrappers(std::string_view name) {
    std::string out;
    for (auto dot = name.find('.'); dot != name.npos; dot = name.find('.')) {
        if (!is_wrapper(name.substr(0, dot))) out += name.substr(0, dot + 1);
        name.remove_prefix(dot + 1);
    }
    return out += name;
}

/// Whether a name, without wrappers, stands in the `model` of a LightningModule.
bool is_in_model(std::string_view name) {
    return name.starts_with("model.");
}

std::string_view without_model(std::string_view name) {
    while (remove_prefix(name, "model.")) {
    }
    return name;
}

std::string_view last_part(std::string_view name) {
    return name.substr(name.rfind('.') + 1);
}

/// Buffers that thop and torch's AveragedModel leave in a model.
bool is_counter(std::string_view name) {
    const auto last = last_part(name);
    return last == "total_ops" || last == "total_params" || last == "n_averaged";
}

/// What FSDP makes of a module's parameters: one long vector without their shapes.
bool is_flat(std::string_view name) {
    const auto last = last_part(name);
    return last == "_flat_param" || last == "flat_param" || last.starts_with("flat_param_");
}

/// "'a', 'b'", shortened when long.
template <class Range, class Name>
std::string quoted(const Range& range, Name name) {
    constexpr std::size_t shown = 8;
    std::vector<std::string> names;
    for (const auto& item : range | std::views::take(shown)) names.push_back(fmt::format("'{}'", name(item)));
    return fmt::format("{}{}", fmt::join(names, ", "), std::size(range) > shown ? ", ..." : "");
}

std::string quoted(const std::vector<std::string>& names) {
    return quoted(names, [](const std::string& name) { return printable(name); });
}

/// Weights by the model's own names. Beside Lightning's `model`, other modules (losses, averages) are passed
/// over, and so is a second set of the same names under a prefix. Error if a name stands twice.
class StateReader {
  public:
    /// key: takes the names that start with "<key>." alone; empty: all.
    StateReader(std::string where, std::string key) : where_(std::move(where)), key_(std::move(key)) {}

    void add(std::string_view stored_name, torch::Tensor tensor) {
        if (is_counter(stored_name)) return;
        auto name = without_wrappers(stored_name);
        if (!key_.empty()) {
            if (!name.starts_with(key_ + ".")) return;
            name.erase(0, key_.size() + 1);
        }
        if (is_flat(name)) {
            fail(
                "{}: '{}' is a flat parameter of FSDP, expected a tensor for each parameter; save the "
                "weights with "
                "StateDictType.FULL_STATE_DICT",
                where_, printable(stored_name));
        }
        state_.emplace_back(std::move(name), std::move(tensor));
    }

    NamedTensors take(std::vector<std::string>& notes) {
        const auto in_model = [](const auto& item) { return is_in_model(item.first); };
        std::string other;
        if (std::ranges::any_of(state_, in_model)) {
            const auto rest = std::stable_partition(state_.begin(), state_.end(), in_model);
            other = other_set({state_.begin(), rest}, {rest, state_.end()});
            state_.erase(rest, state_.end());
        } else if (other = second_set(); !other.empty()) {
            std::erase_if(state_, [&](const auto& item) { return item.first.starts_with(other + "."); });
        }
        if (!other.empty())
            notes.push_back(fmt::format("{}: another set of weights is under '{}.'; to take it, give {}:{}",
                                        where_, printable(other), where_, printable(other)));
        if (state_.empty() && !key_.empty()) fail("{}: no weights under '{}'", where_, printable(key_));
        if (state_.empty()) fail("{}: holds no weights (tensors by name were expected)", where_);
        std::unordered_set<std::string> names;
        for (auto& [name, tensor] : state_) {
            name = std::string(without_model(name));
            if (!names.insert(name).second) fail("{}: parameter '{}' stands twice", where_, printable(name));
        }
        return std::move(state_);
    }

  private:
    /// Of the modules beside `model` one that has the model's own names (an average of its weights); else empty.
    static std::string other_set(std::span<const NamedTensors::value_type> model,
                                 std::span<const NamedTensors::value_type> rest) {
        const auto end = "." + std::string(without_model(model.front().first));
        for (const auto& [name, tensor] : rest) {
            if (name.ends_with(end)) return name.substr(0, name.size() - end.size());
        }
        return "";
    }

    /// A prefix under which most names stand a second time: 'ema' of {a.weight, ema.a.weight}; else empty.
    std::string second_set() const {
        std::unordered_set<std::string_view> names;
        for (const auto& [name, tensor] : state_) names.insert(name);
        std::map<std::string_view, std::size_t> repeated;
        for (const std::string_view name : names) {
            for (auto dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
                if (names.contains(name.substr(dot + 1))) ++repeated[name.substr(0, dot)];
            }
        }
        for (const auto& [prefix, count] : repeated) {
            const auto inside =
                static_cast<std::size_t>(std::ranges::count_if(names, [&](std::string_view name) {
                    return name.size() > prefix.size() && name.starts_with(prefix) &&
                           name[prefix.size()] == '.';
                }));
            if (count == inside && 2 * inside >= names.size() - inside) return std::string(prefix);
        }
        return "";
    }

    std::string where_, key_;
    NamedTensors state_;
};

/// Calls function(name, tensor) for every tensor of a dictionary; passes over torch's _extra_state and the
/// like.
template <class Function>
void for_each_tensor(const File& file, const Dict& dict, Function function) {
    for (const pickle::Entry& entry : dict.entries) {
        const auto* name = entry.key.as<std::string_view>();
        const auto* tensor = entry.value.as<pickle::Tensor>();
        if (name != nullptr && tensor != nullptr) function(*name, view_tensor(file, *tensor));
    }
}

/// The only element where Lightning keeps a list (one optimizer, one scheduler). hint: for the Error that
/// there are several.
Value only_element(Value value, const std::string& where, std::string_view hint = "") {
    const auto* list = value.as<List>();
    if (list == nullptr || list->items.empty()) return {};
    if (list->items.size() > 1) fail("{}: {} where one was expected{}", where, list->items.size(), hint);
    return list->items[0];
}

double scalar(const File& file, Value value, const std::string& where) {
    const auto* tensor = value.as<pickle::Tensor>();
    if (tensor == nullptr) return pickle::to_real(value, where);
    const auto view = view_tensor(file, *tensor);
    if (view.numel() != 1)
        fail("{}: shape {} where one number was expected", where, to_string(tensor->shape));
    return view.item().toDouble();
}

torch::Tensor moment(const File& file, Value state, const char* key, const std::string& where) {
    const auto* tensor = state.find(key).as<pickle::Tensor>();
    if (tensor == nullptr) fail("{}: '{}' is missing: not a state of Adam", where, key);
    return view_tensor(file, *tensor);
}

OptimizerState::PerParameter read_moments(const File& file, Value state, const std::string& where) {
    const auto* entries = state.as<Dict>();
    if (entries == nullptr) fail("{}: a dictionary was expected", where);
    for (const pickle::Entry& entry : entries->entries) {
        const auto* key = entry.key.as<std::string_view>();
        if (key == nullptr) fail("{}: a name was expected", where);
        if (*key != "step" && *key != "exp_avg" && *key != "exp_avg_sq" && *key != "momentum_buffer") {
            fail("{}: '{}': a state of neither Adam nor SGD (stl convert --weights-only leaves it out)",
                 where, *key);
        }
    }
    OptimizerState::PerParameter out;
    const auto momentum = state.find("momentum_buffer");
    if (const auto* tensor = momentum.as<pickle::Tensor>()) {
        out.exp_avg = view_tensor(file, *tensor);
    } else if (momentum.is_none() && !state.find("step").is_none()) {
        out.step = scalar(file, state.find("step"), where + ".step");
        out.exp_avg = moment(file, state, "exp_avg", where);
        out.exp_avg_sq = moment(file, state, "exp_avg_sq", where);
    }
    return out;
}

/// torch.optim.Adam.state_dict(): {'state': {index: {...}}, 'param_groups': [{..., 'params': [index, ...]}]}
std::optional<OptimizerState> read_optimizer(const File& file, Value value, const std::string& where) {
    const auto groups = value.find("param_groups");
    if (groups.is_none()) return std::nullopt;
    const auto group =
        only_element(groups, where + ".param_groups", " (stl convert --weights-only leaves them out)");
    const auto* parameters = group.find("params").as<List>();
    if (parameters == nullptr) fail("{}.param_groups[0].params: a list was expected", where);
    OptimizerState out;
    out.group = pickle::to_json(group, where + ".param_groups[0]");
    out.group.erase("params");
    out.parameters.resize(parameters->items.size());

    const auto* states = value.find("state").as<Dict>();
    if (states == nullptr) fail("{}.state: a dictionary was expected", where);
    for (const auto& [key, state] : states->entries) {
        const auto index = pickle::to_integer(key, where + ".state");
        const auto place = std::ranges::find_if(parameters->items, [&](Value item) {
            const auto* number = item.as<std::int64_t>();
            return number != nullptr && *number == index;
        });
        const auto name = fmt::format("{}.state[{}]", where, index);
        if (place == parameters->items.end()) fail("{}: no parameter has this number", name);
        out.parameters[static_cast<std::size_t>(place - parameters->items.begin())] =
            read_moments(file, state, name);
    }
    return out;
}

/// What `epoch` says; 0 where that is not a whole number: others keep texts and the like there.
std::int64_t epoch_of(const File& file, Value value) {
    if (const auto* number = value.as<std::int64_t>()) return *number;
    double number = NAN;
    if (const auto* real = value.as<double>()) number = *real;
    if (const auto* tensor = value.as<pickle::Tensor>()) {
        const auto view = view_tensor(file, *tensor);
        if (view.numel() == 1) number = view.item().toDouble();
    }
    constexpr double end = 0x1p63;
    return std::trunc(number) == number && std::abs(number) < end ? static_cast<std::int64_t>(number) : 0;
}

/// The same for a text.
std::int64_t epoch_of(const std::string& text) {
    std::int64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, number);
    return problem == std::errc() && stop == end ? number : 0;
}

/// Whether it holds tensors, and under names as a module's parameters have: with a dot, unlike a loss or a random
/// state.
bool holds_weights(const Dict& dict) {
    return std::ranges::any_of(dict.entries, [](const pickle::Entry& entry) {
        const auto* name = entry.key.as<std::string_view>();
        return name != nullptr && name->find('.') != name->npos && entry.value.as<pickle::Tensor>();
    });
}

struct Place {
    std::string name;
    const Dict* dict;
};

/// The dictionaries of weights in another, one or two levels down. Each is looked at once, though a small file
/// can have it in many places.
std::vector<Place> weights_inside(const Dict& root) {
    std::vector<Place> found;
    std::vector<Place> level{{"", &root}};
    std::unordered_set<const Dict*> seen{&root};
    for (int depth = 0; depth < 2; ++depth) {
        std::vector<Place> next;
        for (const Place& place : level) {
            for (const pickle::Entry& entry : place.dict->entries) {
                const auto* key = entry.key.as<std::string_view>();
                const auto* dict = entry.value.as<Dict>();
                if (key == nullptr || dict == nullptr || !seen.insert(dict).second) continue;
                auto& list = holds_weights(*dict) ? found : next;
                list.push_back({place.name + (depth > 0 ? "." : "") + printable(*key), dict});
            }
        }
        level = std::move(next);
    }
    return found;
}

/// A module that was pickled whole, rather than its state_dict().
const pickle::Object* whole_module(Value value) {
    const auto* object = value.as<pickle::Object>();
    const bool is_module = object != nullptr && object->state.find("_modules").as<Dict>() != nullptr;
    return is_module || (object != nullptr && !object->state.find("_parameters").is_none()) ? object
                                                                                            : nullptr;
}

void refuse_whole_module(Value value, const std::string& where) {
    if (whole_module(value) == nullptr) return;
    fail("{}: holds a whole model ({}), expected its weights; in Python, save model.state_dict()", where,
         value.describe());
}

/// A dictionary of tensors, and where in its names the weights are (empty: everywhere).
struct StatePlace {
    const Dict* dict;
    std::string prefix;
};

std::string names_of(const std::vector<Place>& places) {
    return quoted(places, [](const Place& place) { return place.name; });
}

bool has_prefix(const Dict& dict, const std::string& prefix) {
    return std::ranges::any_of(dict.entries, [&](const pickle::Entry& entry) {
        const auto* name = entry.key.as<std::string_view>();
        return name != nullptr && entry.value.as<pickle::Tensor>() &&
               without_wrappers(*name).starts_with(prefix + ".");
    });
}

/// The weights that FILE:KEY names: a dictionary, or the names in one that start with KEY.
StatePlace chosen_state(const Dict& whole, const std::string& key, const std::string& where) {
    const auto places = weights_inside(whole);
    for (const Place& place : places) {
        if (place.name == key) return {place.dict, ""};
    }
    if (has_prefix(whole, key)) return {&whole, key};
    for (const Place& place : places) {
        if (has_prefix(*place.dict, key)) return {place.dict, key};
    }
    if (places.empty()) fail("{}: no weights under '{}'", where, printable(key));
    fail("{}: no weights under '{}', expected one of {}", where, printable(key), names_of(places));
}

/// The dictionary of weights: under `key`, or 'state_dict', or the whole file, or the only one in it.
StatePlace find_state(Value root, const std::string& key, const std::string& where,
                      std::vector<std::string>& notes) {
    refuse_whole_module(root, where);
    const auto* whole = root.as<Dict>();
    if (whole == nullptr) fail("{}: holds {}, expected a checkpoint's dictionary", where, root.describe());
    if (!key.empty()) return chosen_state(*whole, key, where);
    if (const auto* state = root.find("state_dict").as<Dict>()) {
        auto others = weights_inside(*whole);
        std::erase_if(others,
                      [&](const Place& place) { return place.dict == state || place.name == our_tensors; });
        if (!others.empty())
            notes.push_back(
                fmt::format("{}: took the weights under 'state_dict'; others are under {} (choose with "
                            "{}:KEY)",
                            where, names_of(others), where));
        return {state, ""};
    }
    if (holds_weights(*whole)) return {whole, ""};
    const auto found = weights_inside(*whole);
    if (found.size() == 1) return {found.front().dict, ""};
    if (found.size() > 1) {
        fail("{}: holds weights under {}, expected one of them or 'state_dict'; choose with {}:{}", where,
             names_of(found), where, found.front().name);
    }
    for (const pickle::Entry& entry : whole->entries) refuse_whole_module(entry.value, where);
    const auto is_tensor = [](const pickle::Entry& entry) { return entry.value.as<pickle::Tensor>(); };
    if (whole->entries.empty() || std::ranges::any_of(whole->entries, is_tensor)) return {whole, ""};
    fail("{}: holds no weights (tensors by name were expected), but {}", where,
         quoted(whole->entries, [](const pickle::Entry& entry) {
             const auto* key = entry.key.as<std::string_view>();
             return key != nullptr ? printable(*key) : entry.key.describe();
         }));
}

Checkpoint read_torch(const fs::path& path, const std::string& key, bool with_optimizer) {
    const auto file = TorchFile::open(path);
    const auto where = path.string();
    const auto root = file->root();
    Checkpoint out;
    if (const auto unknown = file->unknown_names(); !unknown.empty())
        out.notes.push_back(
            fmt::format("{}: left out objects of {} (nothing was run)", where, quoted(unknown)));
    const auto place = find_state(root, key, where, out.notes);
    StateReader state(where, place.prefix);
    for_each_tensor(file, *place.dict, [&](auto name, auto tensor) { state.add(name, std::move(tensor)); });
    out.state = state.take(out.notes);
    out.epoch = epoch_of(file, root.find("epoch"));
    out.stl = pickle::to_json(root.find("stl"), where + ": stl");
    out.hyper_parameters = pickle::to_json(root.find("hyper_parameters"), where + ": hyper_parameters");
    if (!with_optimizer) return out;

    auto optimizer = root.find("optimizer");
    if (optimizer.is_none())
        optimizer = only_element(root.find("optimizer_states"), where + ": optimizer_states");
    out.optimizer = read_optimizer(file, optimizer, where + ": optimizer");
    if (const auto step = root.find("global_step"); !step.is_none())
        out.global_step = static_cast<std::int64_t>(scalar(file, step, where + ": global_step"));
    auto scheduler = root.find("scheduler");
    if (scheduler.is_none()) scheduler = only_element(root.find("lr_schedulers"), where + ": lr_schedulers");
    out.scheduler = pickle::to_json(scheduler, where + ": scheduler");
    if (const auto* extra = root.find(our_tensors).as<Dict>()) {
        for_each_tensor(file, *extra,
                        [&](auto name, auto tensor) { out.extra.emplace_back(name, std::move(tensor)); });
    }
    return out;
}

Checkpoint read_safetensors(const fs::path& path, const std::string& key) {
    const auto file = std::make_shared<pickle::SafeTensors>(path);
    const auto where = path.string();
    Checkpoint out;
    StateReader state(where, key);
    for (const auto& tensor : file->tensors) {
        if (!tensor.whole())
            fail("{}: {}: damaged (its values are not what its digest says)", where, printable(tensor.name));
        state.add(tensor.name, view_tensor(file, tensor));
    }
    out.state = state.take(out.notes);
    if (const auto record = file->metadata.find("stl"); record != file->metadata.end()) {
        out.stl = parse_json(record->second, where + ": __metadata__.stl");
    }
    if (const auto epoch = file->metadata.find("epoch"); epoch != file->metadata.end())
        out.epoch = epoch_of(epoch->second);
    return out;
}

}  // namespace

CheckpointName split_checkpoint_name(const fs::path& name) {
    const auto text = name.string();
    if (fs::exists(name)) return {name, ""};
    for (auto colon = text.rfind(':'); colon != text.npos && colon > 0; colon = text.rfind(':', colon - 1)) {
        const fs::path file(text.substr(0, colon));
        if (fs::is_regular_file(file) && colon + 1 < text.size()) return {file, text.substr(colon + 1)};
    }
    return {name, ""};
}

Checkpoint read_checkpoint(const fs::path& name, bool with_optimizer) {
    const auto [path, key] = split_checkpoint_name(name);
    const MappedFile file(path);
    const auto start = file.bytes().first(std::min<std::size_t>(file.bytes().size(), 64));
    if (start.empty()) fail("{}: is empty, expected a checkpoint", path.string());
    if (const auto what = stand_in(file.bytes()); !what.empty()) fail("{}: {}", path.string(), what);
    if (TorchFile::looks_like_one(start)) return read_torch(path, key, with_optimizer);
    if (pickle::SafeTensors::looks_like_one(start) || path.extension() == ".safetensors")
        return read_safetensors(path, key);
    fail(
        "{}: not a checkpoint: neither a torch.save file (zip or legacy) nor safetensors, by its first "
        "bytes{}",
        path.string(), kind_hint(path));
}

std::int64_t OptimizerState::steps() const {
    double most = 0;
    for (const auto& one : parameters) most = std::max(most, one.step);
    return static_cast<std::int64_t>(most);
}

}  // namespace stl
