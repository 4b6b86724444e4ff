#include "tests/support/emulated_tiles.h"

#include "stl/cpu/emulated_tiles.h"

#define STL_VARIANT emulated
#define STL_LANES 4
#define STL_ISA Isa::amx
#define STL_TILES EmulatedTiles
#include "stl/cpu/variants/table.h"

namespace stl::test {

const cpu::Kernels& emulated_tiles() {
    return cpu::emulated::table;
}

std::vector<const cpu::Kernels*> all_kernels() {
    std::vector<const cpu::Kernels*> all{&emulated_tiles()};
    for (const auto isa : cpu::available_isas()) all.push_back(&cpu::kernels(isa));
    return all;
}

}  // namespace stl::test
