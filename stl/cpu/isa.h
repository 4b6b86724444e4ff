// Which instructions the kernels may use. One program holds all variants; the machine decides at run time.
#pragma once

#include <string>
#include <vector>

namespace stl::cpu {

enum class Isa { plain, avx2, avx512, avx512_bf16, amx };

std::string isa_name(Isa isa);
/// What this machine can run, the best last. `plain` (128-bit vectors of the base instruction set) always
/// works.
const std::vector<Isa>& available_isas();
/// The best of them that `ATEN_CPU_CAPABILITY` (avx2 or default, as LibTorch reads it) leaves.
Isa best_isa();
/// Of AMX: refused by the operating system, or by a virtual machine that offers it all the same.
enum class TileSupport { missing, refused, usable };
TileSupport tile_support();
/// Whether it has instructions for products in bfloat16; without, they take longer than in float32.
bool multiplies_bfloat16(Isa isa);
/// "AMD EPYC 9654 96-Core Processor", as the system has it; empty where it does not say.
std::string processor_name();

}  // namespace stl::cpu
