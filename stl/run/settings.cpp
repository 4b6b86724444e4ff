#include "stl/run/settings.h"

#include <algorithm>

#include "stl/data/registry.h"
#include "stl/formats/sequences.h"
#include "stl/run/experiment.h"

namespace stl {

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

std::string setting_key(std::string_view name) {
    std::vector<std::string> keys{"model.translator", "dataset.name", "dataset.mean", "dataset.std",
                                  "dataset.augment"};
    const auto add = [&](const std::string& object, const std::vector<OptionInfo>& options) {
        for (const auto& option : options) keys.push_back(object + "." + option.name);
    };
    add("train", list_options<TrainOptions>());
    add("model", list_options<SimVPOptions>());
    add("dataset", list_options<DatasetOptions>());
    for (const auto& set : datasets()) {
        for (const auto& option : set.keys.list()) {
            const auto key = "dataset." + option.name;
            if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
        }
    }
    std::string wanted(name);
    std::ranges::replace(wanted, '-', '_');
    if (wanted.empty()) return "";
    std::vector<std::string> begin;
    for (const auto& key : keys) {
        const auto last = key.substr(key.find('.') + 1);
        if (last == wanted) return key;
        if (last.starts_with(wanted + "_")) begin.push_back(key);
    }
    return begin.size() == 1 ? begin.front() : "";
}

}  // namespace stl
