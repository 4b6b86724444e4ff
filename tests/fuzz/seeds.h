// Small valid files of every kind that is fuzzed, as bytes. Made by the program's own writers, and where
// those write one variant only, some of the reference files in tests/fixtures.
#pragma once

#include <string>
#include <vector>

#include "stl/formats/sequence_formats.h"

namespace stl::fuzz {

std::vector<std::string> idx_seeds();
/// What the format's own writer makes, and the files of tests/fixtures/sequences with its extensions.
std::vector<std::string> sequence_seeds(const SequenceFormat& format);
std::vector<std::string> png_seeds();
std::vector<std::string> video_seeds();
std::vector<std::string> pickle_seeds();
std::vector<std::string> torch_seeds();
std::vector<std::string> safetensors_seeds();
std::vector<std::string> onnx_seeds();
std::vector<std::string> json_seeds();

}  // namespace stl::fuzz
