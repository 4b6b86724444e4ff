#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/tensors.h"
#include "stl/core/error.h"

namespace stl {
namespace {

using pickle::Dict;
using pickle::List;
using pickle::TorchFile;
using pickle::Value;
using File = std::shared_ptr<TorchFile>;

/// What training wrappers put before the model's own names: Lightning's module, DataParallel, torch.compile.
std::string_view without_wrapper(std::string_view name) {
    constexpr std::array<std::string_view, 3> wrappers{"model.", "module.", "_orig_mod."};
    for (bool again = true; again;) {
        again = false;
        for (const auto wrapper : wrappers) {
            if (!name.starts_with(wrapper)) continue;
            name.remove_prefix(wrapper.size());
            again = true;
        }
    }
    return name;
}

/// Weights by the model's own names. Error if a name stands twice.
class StateReader {
  public:
    explicit StateReader(std::string where) : where_(std::move(where)) {}

    void add(std::string_view stored_name, torch::Tensor tensor) {
        std::string name(without_wrapper(stored_name));
        if (!names_.insert(name).second) fail("{}: parameter '{}' stands twice", where_, name);
        state_.emplace_back(std::move(name), std::move(tensor));
    }
    NamedTensors take() {
        if (state_.empty()) fail("{}: holds no weights (tensors by name were expected)", where_);
        return std::move(state_);
    }

  private:
    std::string where_;
    NamedTensors state_;
    std::unordered_set<std::string> names_;
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
    if (tensor == nullptr) fail("{}: no '{}': not the state of Adam", where, key);
    return view_tensor(file, *tensor);
}

OptimizerState::PerParameter read_moments(const File& file, Value state, const std::string& where) {
    const auto* entries = state.as<Dict>();
    if (entries == nullptr) fail("{}: a dictionary was expected", where);
    for (const pickle::Entry& entry : entries->entries) {
        const auto* key = entry.key.as<std::string_view>();
        if (key == nullptr) fail("{}: a name was expected", where);
        if (*key != "step" && *key != "exp_avg" && *key != "exp_avg_sq" && *key != "momentum_buffer") {
            fail("{}: '{}': neither the state of Adam nor of SGD (stl convert --weights-only leaves it out)",
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

/// What `epoch` says; 0 where that is no whole number: others keep texts and the like there.
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

/// Likewise of a text.
std::int64_t epoch_of(const std::string& text) {
    std::int64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, number);
    return problem == std::errc() && stop == end ? number : 0;
}

/// The dictionary of weights: under 'state_dict', or the whole file.
const Dict& find_state(Value root, const std::string& where) {
    if (const auto* state = root.find("state_dict").as<Dict>()) return *state;
    if (const auto* whole = root.as<Dict>()) return *whole;
    fail("{}: holds {}, expected a checkpoint's dictionary", where, root.describe());
}

Checkpoint read_torch(const fs::path& path, bool with_optimizer) {
    const auto file = TorchFile::open(path);
    const auto where = path.string();
    const auto root = file->root();
    Checkpoint out;
    StateReader state(where);
    for_each_tensor(file, find_state(root, where),
                    [&](auto name, auto tensor) { state.add(name, std::move(tensor)); });
    out.state = state.take();
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
    if (const auto* extra = root.find("stl_tensors").as<Dict>()) {
        for_each_tensor(file, *extra,
                        [&](auto name, auto tensor) { out.extra.emplace_back(name, std::move(tensor)); });
    }
    return out;
}

Checkpoint read_safetensors(const fs::path& path) {
    const auto file = std::make_shared<pickle::SafeTensors>(path);
    const auto where = path.string();
    Checkpoint out;
    StateReader state(where);
    for (const auto& tensor : file->tensors) state.add(tensor.name, view_tensor(file, tensor));
    out.state = state.take();
    if (const auto record = file->metadata.find("stl"); record != file->metadata.end()) {
        out.stl = parse_json(record->second, where + ": __metadata__.stl");
    }
    if (const auto epoch = file->metadata.find("epoch"); epoch != file->metadata.end())
        out.epoch = epoch_of(epoch->second);
    return out;
}

}  // namespace

Checkpoint read_checkpoint(const fs::path& path, bool with_optimizer) {
    const MappedFile file(path);
    const auto start = file.bytes().first(std::min<std::size_t>(file.bytes().size(), 64));
    if (start.empty()) fail("{}: is empty, expected a checkpoint", path.string());
    if (TorchFile::looks_like_one(start)) return read_torch(path, with_optimizer);
    if (pickle::SafeTensors::looks_like_one(start) || path.extension() == ".safetensors")
        return read_safetensors(path);
    fail("{}: no checkpoint: starts neither as a file of torch.save (zip or legacy) nor as safetensors",
         path.string());
}

std::int64_t OptimizerState::steps() const {
    double most = 0;
    for (const auto& one : parameters) most = std::max(most, one.step);
    return static_cast<std::int64_t>(most);
}

}  // namespace stl
