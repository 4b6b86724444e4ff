// The kernels with the processor's tile instructions emulated (stl/cpu/emulated_tiles.h), everything else as in the
// plain variant.
#pragma once

#include "stl/cpu/kernels.h"

namespace stl::test {

/// Their isa is Isa::amx.
const cpu::Kernels& emulated_tiles();

}  // namespace stl::test
