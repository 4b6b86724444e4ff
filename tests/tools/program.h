// Runs the program as a user does.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/json.h"

namespace stl {

struct Outcome {
    int status = -1;
    std::string out, err;
};

/// A scratch folder, and the program run inside it.
class ProgramTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / fmt::format("stl-program-{}", ::getpid());
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// `arguments` go through a shell.
    Outcome stl(const std::string& arguments) const {
        const auto command = fmt::format("cd '{}' && '{}' {} >.out 2>.err </dev/null", folder_.string(),
                                         STL_PROGRAM, arguments);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    /// Fails the test unless it ends with status 0.
    Outcome good(const std::string& arguments) const {
        auto outcome = stl(arguments);
        EXPECT_EQ(outcome.status, 0) << "stl " << arguments << "\n" << outcome.err;
        return outcome;
    }
    Json json(const std::string& arguments) const {
        return parse_json(good(arguments).out, "output of stl " + arguments);
    }

    fs::path folder_;
};

/// One line of text that ends in a newline.
inline bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == text.size() - 1;
}

}  // namespace stl
