// What tests of files share.
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
#include "stl/formats/sequences.h"
#include "tests/support/checks.h"

namespace stl::test {

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

inline std::vector<float> read_all(const SequenceReader& reader) {
    std::vector<float> values(static_cast<std::size_t>(reader.info().count * reader.info().shape.elements()));
    reader.read(0, reader.info().count, values);
    return values;
}

}  // namespace stl::test
