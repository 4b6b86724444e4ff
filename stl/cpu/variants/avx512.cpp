// Compiled with AVX-512 F, DQ and VL.
#define STL_VARIANT avx512
#define STL_LANES 16
#include "stl/cpu/variants/table.h"
