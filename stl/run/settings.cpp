#include "stl/run/settings.h"

#include <algorithm>

#include "stl/data/registry.h"
#include "stl/formats/sequences.h"
#include "stl/run/experiment.h"

namespace stl {
namespace {

Json without_free_settings(Json experiment) {
    for_each_path(experiment,
                  [](std::string& path) { path = fs::absolute(path).lexically_normal().string(); });
    const auto train = experiment.find("train");
    if (train == experiment.end() || !train->is_object()) return experiment;
    for (const auto& key : list_options<TrainOptions>()) {
        if (key.changeable) train->erase(key.name);
    }
    return experiment;
}

/// The value there, for a message.
std::string shown(const Json& experiment, const Json::json_pointer& place) {
    if (!experiment.contains(place)) return "absent";
    const auto text = to_line(experiment.at(place));
    constexpr std::size_t longest = 80;
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

}  // namespace

std::vector<SettingChange> setting_changes(const Json& before, const Json& now, Compared compared) {
    const auto was = without_free_settings(before), is = without_free_settings(now);
    std::vector<SettingChange> changes;
    for (const auto& change : Json::diff(was, is)) {
        const auto operation = change.value("op", "");
        if (compared != Compared::all && operation == "add") continue;
        if (compared == Compared::common && operation == "remove") continue;
        const auto path = change.value("path", "");
        auto key = path.substr(1);
        std::ranges::replace(key, '/', '.');
        const Json::json_pointer place(path);
        changes.push_back({std::move(key), shown(was, place), shown(is, place)});
    }
    return changes;
}

void for_each_path(Json& experiment, const std::function<void(std::string& path)>& function) {
    for (const auto& [object, key] : {std::pair{"dataset", "path"},
                                      {"dataset", "val_path"},
                                      {"dataset", "test_path"},
                                      {"train", "init"}}) {
        const auto found = experiment.find(object);
        if (found == experiment.end() || !found->is_object()) continue;
        if (const auto value = found->find(key);
            value != found->end() && value->is_string() && !value->get_ref<const std::string&>().empty())
            function(value->get_ref<std::string&>());
    }
}

void make_paths_absolute(Json& experiment) {
    for_each_path(experiment, [](std::string& path) {
        std::error_code ec;
        if (fs::exists(path, ec) || fs::exists(DataFile(path).path, ec)) path = fs::absolute(path).string();
    });
}

std::vector<SettingKey> setting_keys() {
    std::vector<SettingKey> keys{
        {"model.translator"}, {"dataset.name"}, {"dataset.mean"}, {"dataset.std"}, {"dataset.augment"}};
    const auto add = [&](const std::string& object, const std::vector<OptionInfo>& options) {
        for (const auto& option : options) {
            auto key = object + "." + option.name;
            if (std::ranges::find(keys, key, &SettingKey::key) == keys.end())
                keys.push_back({std::move(key), option.by_default});
        }
    };
    add("train", list_options<TrainOptions>());
    add("model", list_options<SimVPOptions>());
    add("dataset", list_options<DatasetOptions>());
    for (const auto& set : datasets()) add("dataset", set.keys.list());
    return keys;
}

std::string setting_key(std::string_view name) {
    std::string wanted(name);
    std::ranges::replace(wanted, '-', '_');
    if (wanted.empty()) return "";
    std::string begun;
    for (const auto& [key, by_default] : setting_keys()) {
        const auto last = key.substr(key.find('.') + 1);
        if (last == wanted) return key;
        if (begun.empty() && last.starts_with(wanted + "_")) begun = key;
    }
    return begun;
}

}  // namespace stl
