// What is fuzzed: every reader of files, each as one function of the bytes of a file. Shared by the test
// program (fuzz_test.cpp, deterministic mutations) and the libFuzzer program (tests/libfuzzer); tools/fuzz
// runs either.
//
// A function returns 0 for every input. stl::Error with one line is the only thing a reader may throw;
// anything else (a crash, another exception, an error of several lines) ends the program.
//
// To add a reader: its function and its line in targets.cpp, its seeds in seeds.h and seeds.cpp. A format of sequence
// files needs neither: its target is made from the list of formats, its seeds by its own writer and from
// tests/fixtures/sequences.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace stl::fuzz {

using Input = std::span<const std::uint8_t>;

struct Target {
    std::string name;
    std::function<int(Input)> run;
    /// Small valid files, most of them made by the program's own writers.
    std::function<std::vector<std::string>()> seeds;
};
const std::vector<Target>& targets();
/// Error that names the known ones.
const Target& find_target(const std::string& name);

}  // namespace stl::fuzz
