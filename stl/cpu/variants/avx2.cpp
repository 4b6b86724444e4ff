// Compiled with AVX2 and FMA.
#define STL_VARIANT avx2
#define STL_LANES 8
#include "stl/cpu/variants/table.h"
