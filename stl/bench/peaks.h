// What this machine can do at most, measured: the yardstick of every other figure.
#pragma once

#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"

namespace stl {

struct Peaks {
    double flops = 0;  ///< per second, of a matrix product (side 2048, on a GPU 8192) in the given precision;
                       ///< on a CPU LibTorch's or that of our own kernel, whichever is quicker
    double bytes = 0;  ///< per second, read and written, of a copy of 256 MiB
};

/// Floating-point operations per second of a CPU's product of side x side matrices, by LibTorch or by our own kernel,
/// whichever is quicker; the best of `repeats`, with the threads that are set.
double product_flops(Precision precision, std::int64_t side, int repeats);

/// Best of several, on the device with the threads that are set.
Peaks measure_peaks(torch::Device device, Precision precision);

/// The process's largest resident memory (CPU) or what tensors held at most of the allocator's (GPU), in
/// bytes, since the last reset. Replays of a graph do not count: what they use was allocated when it was
/// captured.
std::int64_t peak_memory(torch::Device device);
void reset_peak_memory(torch::Device device);

/// Waits until the device has done what it was told.
void synchronize(torch::Device device);

}  // namespace stl
