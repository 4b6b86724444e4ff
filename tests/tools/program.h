// Runs the program as a user does.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/json.h"

namespace stl {

struct Outcome {
    int status = -1;
    std::string out, err;
};

/// One line of text that ends in a newline.
inline bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == text.size() - 1;
}

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
    /// Fails the test unless it ends with `status` and has one line to say, on standard error, with `what` in it.
    void refused(const std::string& arguments, int status, const std::string& what) const {
        const auto outcome = stl(arguments);
        EXPECT_EQ(outcome.status, status) << arguments << "\n" << outcome.err;
        EXPECT_TRUE(is_one_line(outcome.err)) << arguments << "\n" << outcome.err;
        EXPECT_THAT(outcome.err, testing::HasSubstr(what)) << arguments;
        EXPECT_EQ(outcome.out, "") << arguments;
    }
    /// Starts it, and interrupts it (as Ctrl-C does) once `file` has grown. `preparation`: shell commands before it.
    Outcome interrupted(const std::string& arguments, const fs::path& file, int signal = SIGINT,
                        const std::string& preparation = "") const {
        const auto size = [&] {
            std::error_code missing;
            const auto bytes = fs::file_size(file, missing);
            return missing ? std::uintmax_t{0} : bytes;
        };
        const auto before = size();
        const auto command = fmt::format("cd '{}' && {}exec '{}' {} >.out 2>.err </dev/null",
                                         folder_.string(), preparation, STL_PROGRAM, arguments);
        const pid_t program = ::fork();
        if (program == 0) {
            ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            ::_exit(127);
        }
        using std::chrono::seconds;
        const auto deadline = std::chrono::steady_clock::now() + seconds(120);
        int status = 0;
        pid_t ended = 0;
        while (size() == before && ended == 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            ended = ::waitpid(program, &status, WNOHANG);
        }
        if (ended == 0) {
            ::kill(program, signal);
            ::waitpid(program, &status, 0);
        }
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    Json json(const std::string& arguments) const {
        return parse_json(good(arguments).out, "output of stl " + arguments);
    }

    fs::path folder_;
};

}  // namespace stl
