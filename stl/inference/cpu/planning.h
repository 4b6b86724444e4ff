// What the layers of the fast path are planned for.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/runtime/tuner.h"

namespace stl::inference {

struct Planning {
    cpu::Type precision = cpu::Type::float32;  ///< of the products; everything between them is float32
    const cpu::Kernels& kernels;
    int rows = 0;            ///< pixels of a latent: of so many rows products are timed
    Tuner* tuner = nullptr;  ///< chooses what computes a product; null: our own kernels do
};

}  // namespace stl::inference
