// The kernels with the processor's tile instructions emulated (stl/cpu/emulated_tiles.h), everything else as in the
// plain variant.
#pragma once

#include <vector>

#include "stl/cpu/kernels.h"

namespace stl::test {

/// Their isa is Isa::amx.
const cpu::Kernels& emulated_tiles();

/// These, and those for every set of instructions that this machine has.
std::vector<const cpu::Kernels*> all_kernels();

}  // namespace stl::test
