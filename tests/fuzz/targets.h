// What is fuzzed: every reader of files, each as one function of the bytes of a file. Shared by the test
// program (fuzz_test.cpp, deterministic mutations) and the libFuzzer program (tests/libfuzzer); tools/fuzz
// runs either.
//
// A function returns 0 for every input. stl::Error with one line is the only thing a reader may throw;
// anything else (a crash, another exception, an error of several lines) ends the program.
//
// To add a reader: its function here and in targets.cpp, its seeds in seeds.cpp, one line in the list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stl::fuzz {

using Input = std::span<const std::uint8_t>;

int fuzz_idx(Input file);          ///< glyphs, plain or gzip
int fuzz_npy(Input file);          ///< sequences
int fuzz_npz(Input file);          ///< sequences, and their marks
int fuzz_hdf5(Input file);         ///< sequences, their marks and attributes
int fuzz_png(Input file);          ///< as it is, and with its checksums made right
int fuzz_video(Input file);        ///< anything FFmpeg takes for a video or a picture
int fuzz_pickle(Input pickle);     ///< a bare pickle, without the file around it
int fuzz_torch(Input file);        ///< .pth and .ckpt, zip and legacy, and their tensors' bytes
int fuzz_safetensors(Input file);  ///< with the tensors' bytes
int fuzz_onnx(Input file);         ///< what describes a file
int fuzz_json(Input text);         ///< an experiment's `dataset`

struct Target {
    std::string name;
    int (*run)(Input);
    /// Small valid files, most of them made by the program's own writers.
    std::vector<std::string> (*seeds)();
};
const std::vector<Target>& targets();
/// Error that names the known ones.
const Target& find_target(const std::string& name);

}  // namespace stl::fuzz
