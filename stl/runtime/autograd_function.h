// torch::autograd::Function, for operations with gradients of their own.
#pragma once

// GCC 14 takes copying an empty std::vector<bool>, whose memory apply() there reserves, for going out of bounds.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#include <torch/csrc/autograd/custom_function.h>
#ifndef __clang__
#pragma GCC diagnostic pop
#endif
