// Compiled with AVX-512 F, DQ, VL, BW and BF16.
#define STL_VARIANT avx512_bf16
#define STL_LANES 16
#include "stl/cpu/variants/table.h"
