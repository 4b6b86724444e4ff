// stl completions: scripts that complete the command line in bash, zsh and fish.

#include <fmt/ranges.h>

#include "stl/core/names.h"
#include "stl/core/version.h"
#include "tools/stl/command.h"
#include "tools/stl/option_tree.h"

namespace stl::tools {
namespace {

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

std::string header(const char* shell) {
    return fmt::format("of stl {} for {}, made by `stl completions {}`", version(), shell, shell);
}

// ------------------------------------------------------------------------------------------------------------- bash

/// What completes a value: an assignment of the script.
std::string bash_values(const OptionEntry& option) {
    switch (option.values) {
        case Values::words:
            return fmt::format("words='{}'", joined(option.words));
        case Values::file:
            return "kind=file";
        case Values::run:
            return "kind=run";
        case Values::network:
            return "kind=network";
        case Values::experiment:
            return "kind=experiment";
        case Values::setting:
            return "kind=setting";
        case Values::none:
        case Values::free:
            break;
    }
    return "kind=free";
}

/// Of one subcommand: the values of its options, then its options and its arguments.
std::string bash_cases(const CommandEntry& command) {
    std::string options, arguments = "kind=free", cases;
    for (const auto& option : command.options) {
        if (option.positional) {
            arguments = bash_values(option);
            continue;
        }
        for (const auto& name : option.names) options += " " + name;
        if (option.values == Values::none) continue;
        std::string pattern;
        for (const auto& name : option.names)
            pattern += fmt::format("{}{}:{}", pattern.empty() ? "" : " | ", command.name, name);
        cases += fmt::format("        {}) {} ;;\n", pattern, bash_values(option));
    }
    return cases + fmt::format("        {}:*) if [[ $current == -* ]]; then words='{}'; else {}; fi ;;\n",
                               command.name, options.substr(1), arguments);
}

std::string bash_script(const OptionTree& tree) {
    std::string commands, cases, keys, key_words;
    for (const auto& command : tree.commands) {
        commands += command.name + " ";
        cases += bash_cases(command);
    }
    for (const auto& setting : tree.settings) {
        keys += " " + setting.key + "=";
        if (!setting.words.empty())
            key_words += fmt::format("        *:{}) words='{}' ;;\n", setting.key, joined(setting.words));
    }
    return "# Completions " + header("bash") + R"(

# What begins with the current word: names, then files and folders where they are wanted too.
_stl_paths() {
    local name
    for name in "$@"; do
        [[ $name != "$current"* ]] || COMPREPLY+=("$name")
    done
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        COMPREPLY+=("$name")
    done < <(compgen -f -- "$current")
}

_stl_runs() {
    local file
    for file in runs/*/run.json; do
        [[ ! -e $file ]] || printf '%s\n' "${file%/run.json}"
    done
}

_stl() {
    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local words='' kind='' names
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W ')" +
           commands + R"(--help --version' -- "$current"))
        return
    fi
    # --weights=best and --set KEY=VALUE come in pieces.
    if [[ $current == = ]]; then
        current=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $command:$option in
)" + key_words +
           "        *:dataset.* | *:model.* | *:train.*) kind=free ;;\n" + cases + R"(    esac
    case $kind in
        file) _stl_paths ;;
        run | network)
            mapfile -t names < <(_stl_runs)
            _stl_paths "${names[@]}"
            ;;
        experiment) _stl_paths )" +
           joined(tree.experiments) + R"( ;;
        setting)
            compopt -o nospace 2>/dev/null
            words=')" +
           keys.substr(1) + R"('
            ;;
    esac
    [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _stl stl
)";
}

// -------------------------------------------------------------------------------------------------------------- zsh

/// Within a specification of _arguments in single quotes.
std::string zsh_text(const std::string& text) {
    std::string result;
    for (const char c : escaped(first_line(text), "[]:\\"))
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result;
}

std::string zsh_action(const OptionEntry& option) {
    switch (option.values) {
        case Values::words:
            return fmt::format("({})", joined(option.words));
        case Values::file:
            return "_files";
        case Values::run:
        case Values::network:
            return "_stl_runs";
        case Values::experiment:
            return "_stl_experiments";
        case Values::setting:
            return "_stl_settings";
        case Values::none:
        case Values::free:
            break;
    }
    return " ";
}

std::string zsh_arguments(const CommandEntry& command) {
    std::string specifications;
    for (const auto& option : command.options) {
        if (option.positional) {
            specifications += fmt::format(" \\\n                '{}:{}:{}'", option.repeated ? "*" : "",
                                          option.names.front(), zsh_action(option));
            continue;
        }
        for (const auto& name : option.names) {
            const bool flag = option.values == Values::none;
            specifications += fmt::format(
                " \\\n                '{}{}{}[{}]{}'", option.repeated ? "*" : "", name,
                flag || !name.starts_with("--") ? "" : "=", zsh_text(option.help),
                flag ? "" : fmt::format(":{}:{}", zsh_text(without_dashes(name)), zsh_action(option)));
        }
    }
    return specifications;
}

std::string zsh_script(const OptionTree& tree) {
    std::string commands, cases, keys, key_words;
    for (const auto& command : tree.commands) {
        commands += fmt::format("            '{}:{}'\n", command.name, zsh_text(command.help));
        cases += fmt::format("        {})\n            _arguments -s{} ;;\n", command.name,
                             zsh_arguments(command));
    }
    for (const auto& setting : tree.settings) {
        keys += " " + setting.key + "=";
        if (!setting.words.empty())
            key_words += fmt::format("        {}=*) compset -P '*='; compadd -- {} ;;\n", setting.key,
                                     joined(setting.words));
    }
    return "#compdef stl\n# Completions " + header("zsh") + R"(

_stl_runs() {
    local -a runs
    runs=(runs/*/run.json(N:h))
    compadd -a runs
    _files
}

_stl_experiments() {
    compadd -- )" +
           joined(tree.experiments) + R"(
    _files -g '*.json'
}

_stl_settings() {
    case $PREFIX in
)" + key_words +
           R"(        *=*) ;;
        *) compadd -S '' --)" +
           keys + R"( ;;
    esac
}

_stl() {
    if (( CURRENT == 2 )); then
        local -a commands
        commands=(
)" + commands +
           R"(        )
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
)" + cases +
           R"(    esac
}

if [[ $funcstack[1] == _stl ]]; then
    _stl "$@"
else
    compdef _stl stl
fi
)";
}

// ------------------------------------------------------------------------------------------------------------- fish

std::string fish_text(const std::string& text) {
    return "'" + escaped(first_line(text), "'\\") + "'";
}

/// The switches of `complete` that say what completes a value.
std::string fish_values(const OptionEntry& option, const OptionTree& tree) {
    switch (option.values) {
        case Values::words:
            return "-x -a " + fish_text(joined(option.words));
        case Values::file:
            return "-r -F";
        case Values::run:
        case Values::network:
            return "-r -F -a '(__stl_runs)'";
        case Values::experiment:
            return "-r -F -a " + fish_text(joined(tree.experiments));
        case Values::setting:
            return "-x -a '(__stl_settings)'";
        case Values::none:
            return "";
        case Values::free:
            break;
    }
    return "-x";
}

std::string fish_script(const OptionTree& tree) {
    std::string settings, lines;
    for (const auto& setting : tree.settings) {
        settings += " " + setting.key + "=";
        for (const auto& word : setting.words) settings += " " + setting.key + "=" + word;
    }
    for (const auto& command : tree.commands) {
        lines += fmt::format("complete -c stl -n __fish_use_subcommand -a {} -d {}\n", command.name,
                             fish_text(command.help));
        const auto seen = fmt::format("complete -c stl -n '__fish_seen_subcommand_from {}'", command.name);
        for (const auto& option : command.options) {
            if (option.positional) {
                const auto values = fish_values(option, tree);
                if (values.size() > 3)
                    lines += fmt::format("{} {}\n", seen, values.substr(3));  // without -r or -x
                continue;
            }
            std::string names;
            for (const auto& name : option.names)
                names += fmt::format(" {} {}", name.starts_with("--") ? "-l" : "-s", without_dashes(name));
            const auto values = fish_values(option, tree);
            lines += fmt::format("{}{}{}{} -d {}\n", seen, names, values.empty() ? "" : " ", values,
                                 fish_text(option.help));
        }
    }
    return "# Completions " + header("fish") + R"(

function __stl_runs
    for file in runs/*/run.json
        string replace /run.json '' $file
    end
end

function __stl_settings
    printf '%s\n')" +
           settings + R"(
end

complete -c stl -f
complete -c stl -n __fish_use_subcommand -l help -s h -d 'Print the help'
complete -c stl -n __fish_use_subcommand -l version -d 'Print the version'
)" + lines;
}

}  // namespace

std::string completions(const OptionTree& tree, const std::string& shell) {
    if (shell == "bash") return bash_script(tree);
    return shell == "zsh" ? zsh_script(tree) : fish_script(tree);
}

void add_completions(CLI::App& app, Console& console) {
    auto shell = std::make_shared<std::string>();
    auto* command =
        app.add_subcommand("completions", "Print a script that completes the command line in a shell");
    command->group("");  // for installations: --help does not list it
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    add_examples(*command, {"source <(stl completions bash)"});
    command->callback([shell, &app, &console] {
        auto script = completions(option_tree(app), *shell);
        script.pop_back();
        console.print(script);
    });
}

}  // namespace stl::tools
