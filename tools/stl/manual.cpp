// stl manual: the manual pages, one for the program and one for each subcommand.

#include <sstream>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "tools/stl/command.h"
#include "tools/stl/option_tree.h"

namespace stl::tools {
namespace {

/// ASCII.
std::string upper_case(std::string text) {
    for (char& c : text) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
}

/// Text for groff: its special characters, and lines that begin with a dot or an apostrophe.
std::string man_text(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) result += "\\&";
        if (c == '\\') {
            result += "\\e";
        } else if (c == '-') {
            result += "\\-";
        } else {
            result += c;
        }
    }
    return result;
}

/// The same, with its lines kept.
std::string man_lines(const std::string& text) {
    std::string result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        const auto first = std::min(line.find_first_not_of(' '), line.size());
        result += (result.empty() ? "" : "\n.br\n") + man_text(line.substr(first));
    }
    return result;
}

std::string heading(const std::string& page, const std::string& name, const std::string& help) {
    return fmt::format(".TH \"{}\" 1 \"\" \"stl {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n", page,
                       version(), man_text(name), man_text(help));
}

std::string item(const OptionEntry& option) {
    std::string names;
    for (const auto& name : option.names)
        names += fmt::format("{}\\f{}{}\\fR", names.empty() ? "" : ", ", option.positional ? 'I' : 'B',
                             man_text(name));
    if (!option.positional && !option.value.empty())
        names += fmt::format(" \\fI{}\\fR", man_text(option.value));
    if (option.repeated) names += " ...";
    auto text = man_lines(option.help);
    if (!option.words.empty())
        text += fmt::format("\n.br\nOne of: {}.", man_text(listed(option.words, "or")));
    if (!option.by_default.empty()) text += fmt::format("\n.br\nDefault: {}.", man_text(option.by_default));
    return fmt::format(".TP\n{}\n{}\n", names, text);
}

std::string synopsis(const CommandEntry& command) {
    auto text = fmt::format(".SH SYNOPSIS\n\\fBstl {}\\fR [\\fIOPTIONS\\fR]", command.name);
    for (const auto& option : command.options) {
        if (!option.positional) continue;
        const auto name = fmt::format("\\fI{}\\fR{}", option.names.front(), option.repeated ? "..." : "");
        text += option.required ? " " + name : " [" + name + "]";
    }
    return text + "\n";
}

/// "Examples:" and the indented lines that follow, as a section; so with every other heading.
std::string sections(const std::string& footer) {
    std::string text;
    bool open = false;
    std::istringstream in(footer);
    for (std::string line; std::getline(in, line);) {
        const bool title = !line.starts_with(' ');
        if (title && open) text += ".fi\n";
        if (title && line.starts_with("Example")) {
            text += ".SH EXAMPLES\n.nf\n";
        } else if (title) {
            text += fmt::format(".SH NOTES\n{}\n.nf\n", man_text(line));
        } else {
            text += man_text(line) + "\n";
        }
        open = true;
    }
    return open ? text + ".fi\n" : text;
}

std::string command_page(const CommandEntry& command) {
    const auto name = "stl-" + command.name;
    auto text = heading("STL\\-" + upper_case(command.name), name, command.help) + synopsis(command);
    std::string group;
    for (const auto& option : command.options) {
        const auto here = option.positional ? std::string("ARGUMENTS") : option.group;
        if (here != group) text += fmt::format(".SH \"{}\"\n", man_text(upper_case(here)));
        group = here;
        text += item(option);
    }
    return text + sections(command.footer) + ".SH \"SEE ALSO\"\n.BR stl (1)\n";
}

std::string overview_page(const OptionTree& tree) {
    const auto colon = tree.help.find(": ");
    auto text = heading("STL", "stl", colon == tree.help.npos ? tree.help : tree.help.substr(colon + 2));
    text +=
        ".SH SYNOPSIS\n\\fBstl\\fR \\fISUBCOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH "
        "SUBCOMMANDS\n";
    for (const auto& command : tree.commands) {
        text += fmt::format(".TP\n\\fBstl {}\\fR\n{}; see \\fBstl\\-{}\\fR(1)\n", command.name,
                            man_text(command.help), command.name);
    }
    return text +
           R"(.SH OPTIONS
.TP
\fB\-h\fR, \fB\-\-help\fR
Print the help, of a subcommand its options.
.TP
\fB\-\-version\fR
Print the version.
.SH "EXIT STATUS"
.TP
0
Success.
.TP
1
An error, which one line on standard error explains.
.TP
2
The command line is wrong.
.TP
130
Stopped by Ctrl\-C or SIGTERM.
.SH ENVIRONMENT
.TP
STL_DATA
The folder that contains the data sets.
.TP
OMP_NUM_THREADS
The number of CPU threads, unless \fB\-\-threads\fR says otherwise.
)";
}

}  // namespace

std::vector<ManualPage> manual_pages(const OptionTree& tree) {
    std::vector<ManualPage> pages{{"stl.1", overview_page(tree)}};
    for (const auto& command : tree.commands)
        pages.push_back({"stl-" + command.name + ".1", command_page(command)});
    return pages;
}

void add_manual(CLI::App& app, Console& /*console*/) {
    struct Arguments {
        std::string folder;
        bool force = false;
    };
    auto arguments = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("manual", "Write the manual pages into a folder");
    command->group("");  // for installations: --help does not list it
    command->add_option("FOLDER", arguments->folder, "where stl.1, stl-train.1, ... are written")->required();
    command->add_flag("--force", arguments->force, "replace existing pages");
    add_examples(*command, {"stl manual pages", "man -l pages/stl.1"});
    command->callback([arguments, &app] {
        const fs::path folder(arguments->folder);
        const auto pages = manual_pages(option_tree(app));
        for (const auto& page : pages) refuse_existing(folder / page.name, arguments->force);
        fs::create_directories(folder);
        for (const auto& page : pages) write_text(folder / page.name, page.text);
    });
}

}  // namespace stl::tools
