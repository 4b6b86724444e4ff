#include "tools/stl/option_tree.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/registry.h"
#include "stl/eval/published.h"
#include "stl/import/layouts/layout.h"
#include "stl/models/registry.h"
#include "stl/run/experiment.h"
#include "stl/run/settings.h"

namespace stl::tools {
namespace {

struct Known {
    Values values = Values::free;
    std::vector<std::string> words{};
};

/// The values that the option tree does not tell. What is not here takes a file, unless it is a number or one of a few
/// words.
Known known_values(const std::string& name) {
    static const std::map<std::string, Known> known{
        {"--set", {Values::setting}},
        {"--translator", {Values::words, shown_translators()}},
        {"--device", {Values::words, {"auto", "cpu", "cuda"}}},
        {"--from", {Values::words, names_of(layouts())}},
        {"--compare", {Values::words, {"plain", "fast"}}},
        {"--run", {Values::run}},
        {"--repeat", {Values::run}},
        {"RUN", {Values::run}},
        {"SOURCE", {Values::network}},
        {"--checkpoint", {Values::network}},
        {"IN", {Values::network}},
        {"PATH", {Values::network}},
        {"EXPERIMENT", {Values::experiment}},
        {"--dataset", {}},
        {"--variable", {}},
        {"--layout", {}},
        {"--size", {}},
        {"--tile-size", {}},
        {"--raw", {}},
        {"--range", {}},
        {"--clip", {}},
        {"--title", {}},
        {"--channel-names", {}},
    };
    const auto place = known.find(name);
    return place != known.end() ? place->second : Known{Values::file};
}

/// Of "TEXT:{stretch,crop,pad}" the words.
std::vector<std::string> words_of(const std::string& type) {
    const auto begin = type.find(":{"), end = type.find('}', begin == type.npos ? 0 : begin);
    std::vector<std::string> words;
    if (begin == type.npos || end == type.npos) return words;
    for (auto from = begin + 2; from < end;) {
        const auto to = std::min(type.find(',', from), end);
        words.push_back(type.substr(from, to - from));
        from = to + 1;
    }
    return words;
}

OptionEntry entry_of(const CLI::Option& option) {
    OptionEntry e;
    e.positional = !option.nonpositional();
    if (e.positional) {
        e.names = {option.get_name(true)};
    } else {
        for (const auto& name : option.get_snames()) e.names.push_back("-" + name);
        for (const auto& name : option.get_lnames()) e.names.push_back("--" + name);
    }
    e.help = option.get_description();
    e.group = option.get_group();
    e.required = option.get_required();
    if (option.get_items_expected_max() == 0) return e;
    const auto type = option.get_type_name();
    e.value = type.substr(0, type.find(':'));
    e.by_default = option.get_default_str();
    e.repeated = option.get_items_expected_max() >= CLI::detail::expected_max_vector_size;
    e.words = words_of(type);
    if (!e.words.empty()) {
        e.values = Values::words;
    } else if (e.value == "TEXT") {
        const auto longest = std::ranges::find_if(e.names, [](const auto& name) { return name.size() > 2; });
        auto known = known_values(longest != e.names.end() ? *longest : e.names.front());
        e.values = known.values;
        e.words = std::move(known.words);
    } else {
        e.values = Values::free;
    }
    return e;
}

std::vector<std::string> benchmark_names() {
    std::vector<std::string> names;
    const auto folder = experiments_folder();
    if (!folder) return names;
    for (const auto& set : fs::directory_iterator(*folder)) {
        if (!set.is_directory() || set.path().filename() == "results") continue;
        for (const auto& file : fs::directory_iterator(set.path())) {
            const auto& path = file.path();
            if (path.extension() == ".json" && path.stem() != "base")
                names.push_back((set.path().filename() / path.stem()).string());
        }
    }
    std::ranges::sort(names);
    return names;
}

std::vector<SettingEntry> setting_entries() {
    const std::map<std::string, std::vector<std::string>> named{{"dataset.name", names_of(datasets())},
                                                                {"model.translator", shown_translators()},
                                                                {"train.optimizer", names_of(optimizers())},
                                                                {"train.schedule", names_of(schedules())}};
    std::vector<SettingEntry> entries;
    for (const auto& [key, by_default] : setting_keys()) {
        SettingEntry entry{key, {}};
        if (const auto names = named.find(key); names != named.end()) entry.words = names->second;
        if (by_default.is_boolean()) entry.words = {"true", "false"};
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace

OptionTree option_tree(const CLI::App& app) {
    OptionTree tree{app.get_description(), {}, benchmark_names(), setting_entries()};
    for (const auto* command : app.get_subcommands({})) {
        if (command->get_group().empty()) continue;
        CommandEntry entry{command->get_name(), command->get_description(), command->get_footer(), {}};
        for (const auto* option : command->get_options()) {
            if (!option->get_group().empty()) entry.options.push_back(entry_of(*option));
        }
        std::ranges::stable_partition(entry.options, [](const OptionEntry& o) { return o.positional; });
        tree.commands.push_back(std::move(entry));
    }
    return tree;
}

std::string without_dashes(const std::string& name) {
    return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

std::string escaped(const std::string& text, const std::string& special) {
    std::string result;
    for (const char c : text) {
        if (special.find(c) != special.npos) result += '\\';
        result += c;
    }
    return result;
}

}  // namespace stl::tools
