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

}  // namespace stl::test
