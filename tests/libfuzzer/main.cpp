// The libFuzzer program, which tools/fuzz calls: STL_FUZZ_TARGET names the reader ("list" prints the names), and the
// first folder on the command line receives its seeds.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string_view>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "tests/fuzz/targets.h"

namespace {

const stl::fuzz::Target* chosen = nullptr;

void write_seeds(const stl::fs::path& folder) {
    int number = 0;
    for (const auto& seed : chosen->seeds()) {
        std::ofstream(folder / fmt::format("seed-{}", number++), std::ios::binary) << seed;
    }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    const char* setting = std::getenv("STL_FUZZ_TARGET");
    const std::string name = setting == nullptr ? "" : setting;
    if (name == "list") {
        for (const auto& target : stl::fuzz::targets()) std::cout << target.name << '\n';
        std::exit(0);
    }
    try {
        chosen = &stl::fuzz::find_target(name);
        for (int i = 1; i < *count; ++i) {
            const std::string_view argument = (*arguments)[i];
            if (argument.starts_with('-') || !stl::fs::is_directory(argument)) continue;
            write_seeds(argument);
            break;
        }
    } catch (const stl::Error& error) {
        std::cerr << "fuzz: STL_FUZZ_TARGET: " << error.what() << '\n';
        std::exit(2);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return chosen->run({data, size});
}
