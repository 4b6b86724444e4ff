// Pickles and files made by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/pickle/machine.h"

namespace stl::pickle {

inline const fs::path data_folder = fs::path(STL_TEST_DATA) / "checkpoints";
inline const fs::path models_folder = fs::path(STL_TEST_DATA) / "models";

inline Bytes bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

inline std::string little_endian(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
    return out;
}

/// Opcodes as text: push(text("a")), call("os", "system", text("ls")), ...
inline std::string text(const std::string& value) {
    return "X" + little_endian(value.size(), 4) + value;
}
inline std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::string& items) {
    return "(" + items + "t";
}
inline std::string call(const std::string& module, const std::string& name, const std::string& arguments) {
    return global(module, name) + tuple(arguments) + "R";
}

/// The value of a pickle, with the arena that holds it.
struct Interpreted {
    explicit Interpreted(std::string pickle)
        : source(std::move(pickle)), machine(arena, bytes_of(source), {}) {
        value = machine.run();
    }
    std::string source;
    Arena arena;
    Machine machine;
    Value value;
};

inline Json json_of(const std::string& pickle) {
    return to_json(Interpreted(pickle).value, "test");
}

/// The message of the Error that `function` throws; a failure if it throws none.
template <class Function>
std::string error_of(Function function) {
    try {
        function();
    } catch (const Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "no Error was thrown";
    return "";
}

inline std::string refusal_of(const std::string& pickle) {
    return error_of([&] { Interpreted run(pickle); });
}

/// A folder of this test's own, removed afterwards.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = (fs::temp_directory_path() / "stl-test-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~TemporaryFolder() {
        std::error_code ec;
        fs::remove_all(path_, ec);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    fs::path operator/(const std::string& name) const { return path_ / name; }

  private:
    fs::path path_;
};

}  // namespace stl::pickle
