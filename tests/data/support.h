// What the tests of this folder share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/data/sequences.h"

namespace stl::test {

/// A folder of the test's own, gone at its end.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        static std::atomic<int> number = 0;
        path_ = fs::temp_directory_path() / fmt::format("stl-test-{}-{}", ::getpid(), number++);
        fs::create_directories(path_);
    }
    ~TemporaryFolder() { fs::remove_all(path_); }
    fs::path operator/(const std::string& name) const { return path_ / name; }
    const fs::path& path() const { return path_; }
    /// Names of what is in it.
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(path_))
            names.push_back(entry.path().filename().string());
        return names;
    }

  private:
    fs::path path_;
};

/// The file system seems full after `bytes` in any one file.
class FullDisk {
  public:
    explicit FullDisk(rlim_t bytes) {
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

  private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

inline std::string reference(const std::string& name) {
    return std::string(STL_TEST_DATA "/") + name;
}

inline void write_bytes(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// The message of the Error that `action` throws; a failure if it throws none. One line, as every message.
template <class Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
        return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
}

inline std::vector<float> read_all(const SequenceReader& reader) {
    std::vector<float> values(static_cast<std::size_t>(reader.info().count * reader.info().shape.elements()));
    reader.read(0, reader.info().count, values);
    return values;
}

}  // namespace stl::test
