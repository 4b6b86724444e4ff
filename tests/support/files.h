// What tests of files share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/formats/sequences.h"
#include "tests/support/checks.h"

namespace stl::test {

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
