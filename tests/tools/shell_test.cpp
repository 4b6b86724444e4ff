// Completions and manual pages, as the shell and man read them.
#include <cstdlib>
#include <sstream>

#include "tests/support/checks.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

class ShellTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "stl.bash", good("completions bash").out);
    }

    /// What bash, with no set-up of its own, prints.
    std::string bash(const std::string& script) const {
        write_text(folder_ / "script", "source ./stl.bash\n" + script + "\n");
        const auto command =
            fmt::format("cd '{}' && bash --norc script >.out 2>.err </dev/null", folder_.string());
        EXPECT_EQ(std::system(command.c_str()), 0) << script;
        EXPECT_EQ(read_text(folder_ / ".err"), "") << script;
        return read_text(folder_ / ".out");
    }
    /// Of a command line in the pieces into which bash takes it apart, the last of which is being typed.
    std::vector<std::string> completed(const std::vector<std::string>& words) const {
        std::string quoted;
        for (const auto& word : words) quoted += " '" + word + "'";
        return lines_of(
            bash(fmt::format("COMP_WORDS=({}); COMP_CWORD={}; _stl\n"
                             "[ ${{#COMPREPLY[@]}} = 0 ] || printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                             quoted, words.size() - 1)));
    }
    /// The subcommands that `stl` alone lists.
    std::vector<std::string> subcommands() const {
        std::vector<std::string> names;
        for (const auto& line : lines_of(good("").out)) {
            if (line == "First commands:") break;
            if (line.starts_with("  ")) names.push_back(line.substr(2, line.find(' ', 2) - 2));
        }
        return names;
    }
    /// The long options that its --help lists.
    std::vector<std::string> options_of(const std::string& subcommand) const {
        std::vector<std::string> options;
        for (const auto& line : lines_of(good(subcommand + " --help").out)) {
            const auto begin = line.find("--");
            if (line.starts_with("  -") && begin != line.npos)
                options.push_back(line.substr(begin, line.find_first_of(" ,", begin) - begin));
        }
        return options;
    }
};

TEST_F(ShellTest, BashKnowsWhatCompletesTheProgram) {
    EXPECT_EQ(bash("complete -p stl"), "complete -F _stl stl\n");
}

TEST_F(ShellTest, SubcommandsAndEveryOptionOfHelpCompleteInEveryShell) {
    EXPECT_THAT(completed({"stl", "ex"}), ElementsAre("export"));
    EXPECT_THAT(completed({"stl", ""}), IsSupersetOf(subcommands()));
    EXPECT_THAT(completed({"stl", "predict", "--tile-o"}), ElementsAre("--tile-overlap"));
    EXPECT_THAT(completed({"stl", "list", "--batch"}), ElementsAre());
    const auto zsh = good("completions zsh").out, fish = good("completions fish").out;
    for (const auto& name : subcommands()) {
        const auto options = options_of(name);
        EXPECT_THAT(options, Contains("--help")) << name;
        EXPECT_THAT(completed({"stl", name, "--"}), IsSupersetOf(options)) << name;
        EXPECT_THAT(zsh, HasSubstr("'" + name + ":"));
        EXPECT_THAT(fish, HasSubstr("-a " + name + " -d "));
        for (const auto& option : options) {
            EXPECT_THAT(zsh, AnyOf(HasSubstr(option + "["), HasSubstr(option + "=["))) << name;
            EXPECT_THAT(fish, HasSubstr(" -l " + option.substr(2) + " ")) << name;
        }
    }
    refused("completions tcsh", 2, "SHELL");
}

TEST_F(ShellTest, ValuesComplete) {
    EXPECT_THAT(completed({"stl", "generate", "mm"}), ElementsAre("mmnist", "mmnist_cifar"));
    EXPECT_THAT(completed({"stl", "train", "--translator", "mo"}), ElementsAre("moganet"));
    EXPECT_THAT(completed({"stl", "predict", "--weights", "="}), ElementsAre("last", "best"));
    EXPECT_THAT(completed({"stl", "predict", "--weights", "=", "b"}), ElementsAre("best"));
    EXPECT_THAT(completed({"stl", "import", "--from", "k"}), ElementsAre("kth", "kitticaltech"));
    EXPECT_THAT(completed({"stl", "train", "--set", "train.sch"}), ElementsAre("train.schedule="));
    EXPECT_THAT(completed({"stl", "train", "--set", "model.translator", "=", "h"}), ElementsAre("hornet"));
    EXPECT_THAT(completed({"stl", "train", "--set", "train.lr", "=", "0"}), ElementsAre());
    EXPECT_THAT(completed({"stl", "train", "--threads", ""}), ElementsAre());
    EXPECT_THAT(completed({"stl", "train", "mmnist/mog"}),
                ElementsAre("mmnist/moganet", "mmnist/moganet-quick", "mmnist/moganet-small"));
}

TEST_F(ShellTest, RunsAndFilesComplete) {
    fs::create_directories(folder_ / "runs/a run");
    fs::create_directories(folder_ / "runs/other");
    fs::create_directories(folder_ / "runs/started");
    write_text(folder_ / "runs/a run/run.json", "{}");
    write_text(folder_ / "runs/other/run.json", "{}");
    write_text(folder_ / "model.pth", "");
    EXPECT_THAT(completed({"stl", "evaluate", ""}), IsSupersetOf({"runs/a run", "runs/other", "model.pth"}));
    EXPECT_THAT(completed({"stl", "evaluate", ""}), Not(Contains("runs/started")));
    EXPECT_THAT(completed({"stl", "predict", "runs/a", "--input", "mod"}), ElementsAre("model.pth"));
}

TEST_F(ShellTest, ManReadsAPageOfEverySubcommand) {
    good("manual pages");
    const auto man = [&](const std::string& page) {
        const auto command = fmt::format(
            "cd '{}' && LC_ALL=C.UTF-8 MANWIDTH=120 man --warnings -l 'pages/{}' >.out 2>.err </dev/null",
            folder_.string(), page);
        EXPECT_EQ(std::system(command.c_str()), 0) << page << read_text(folder_ / ".err");
        EXPECT_EQ(read_text(folder_ / ".err"), "") << page;
        return read_text(folder_ / ".out");
    };
    const auto program = man("stl.1");
    for (const auto& name : subcommands()) {
        EXPECT_THAT(program, HasSubstr("stl-" + name + "(1)"));
        const auto page = man("stl-" + name + ".1");
        EXPECT_THAT(page, HasSubstr("stl " + name + " [OPTIONS]"));
        for (const auto& option : options_of(name)) EXPECT_THAT(page, HasSubstr(option)) << name;
    }
    EXPECT_THAT(man("stl-predict.1"),
                HasSubstr("stl predict runs/mmnist-gsta --input clip.mp4 --output next.mp4"));
    refused("manual pages", 1, "stl.1");
    good("manual pages --force");
}

}  // namespace
}  // namespace stl
