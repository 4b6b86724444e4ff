// The command line as plain values, from the same options as --help: what completions and manual pages are made from.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stl::tools {

enum class Values {
    none,        ///< a flag
    words,       ///< one of OptionEntry::words
    free,        ///< a number or a text of the user's own
    file,        ///< or a folder
    run,         ///< a run's folder
    network,     ///< a run's folder or a checkpoint
    experiment,  ///< a file, or one of the benchmark's by name
    setting,     ///< KEY=VALUE
};

struct OptionEntry {
    std::vector<std::string> names;  ///< "-o", "--output", ...; of a positional "SOURCE"
    std::string help, group;
    std::string value;       ///< what --help calls it: "INT", "TEXT"; empty: a flag
    std::string by_default;  ///< empty: none
    bool positional = false, required = false, repeated = false;
    Values values = Values::none;
    std::vector<std::string> words{};
};

struct CommandEntry {
    std::string name, help, footer;
    std::vector<OptionEntry> options;  ///< positionals first, in their order
};

struct SettingEntry {
    std::string key;                 ///< "model.translator"
    std::vector<std::string> words;  ///< its values, where they have names
};

struct OptionTree {
    std::string help;
    std::vector<CommandEntry> commands;    ///< those that --help shows
    std::vector<std::string> experiments;  ///< the benchmark's names: "mmnist/gsta"
    std::vector<SettingEntry> settings;
};

OptionTree option_tree(const CLI::App& app);

/// "-o" of "-o", "output" of "--output".
std::string without_dashes(const std::string& name);

/// `text` with every character of `special` behind a backslash.
std::string escaped(const std::string& text, const std::string& special);

/// A script for the shell: bash, zsh or fish.
std::string completions(const OptionTree& tree, const std::string& shell);

struct ManualPage {
    std::string name;  ///< "stl-train.1"
    std::string text;
};
std::vector<ManualPage> manual_pages(const OptionTree& tree);

}  // namespace stl::tools
