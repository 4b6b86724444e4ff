// The kernels with the processor's tile instructions emulated (stl/kernels/emulated_tiles.h), everything else as in the
// plain variant.
#pragma once

#include "stl/kernels/kernels.h"

namespace stl::test {

/// Their isa is Isa::amx.
const kernels::Kernels& emulated_tiles();

}  // namespace stl::test
