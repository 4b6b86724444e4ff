// 128-bit vectors of the base instruction set; what the tests compare the others with.
#define STL_VARIANT plain
#define STL_LANES 4
#include "stl/cpu/variants/table.h"
