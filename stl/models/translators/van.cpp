#include "stl/models/translators/van.h"

namespace stl {

VanBlock::VanBlock(const BlockOptions& options)
    : LargeKernelBlock(options, std::make_shared<VanGate>(options.channels)) {}

}  // namespace stl
