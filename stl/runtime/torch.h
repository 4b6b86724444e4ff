// LibTorch's tensors and modules: what nearly every file that uses LibTorch needs, compiled once as the
// precompiled header. Layers, optimizers and autograd functions are included where they are used: all of
// <torch/torch.h> costs every file seven seconds of templates that nobody asked for.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>
