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
#include "tests/support/bytes.h"
#include "tests/support/checks.h"

namespace stl::pickle {

using test::bytes_of;
using test::error_of;
using test::little_endian;
using test::TemporaryFolder;

inline const fs::path data_folder = fs::path(STL_TEST_DATA) / "checkpoints";
inline const fs::path models_folder = fs::path(STL_TEST_DATA) / "models";

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

inline std::string refusal_of(const std::string& pickle) {
    return error_of([&] { Interpreted run(pickle); });
}

}  // namespace stl::pickle
