// Numbers of the workspace's buffers. A block's plan may use a to f freely; their contents are valid only within the
// block. incepu_joined must be last: it is followed by one more buffer for each of IncepU's levels.
#pragma once

#include <cstddef>

namespace stl::inference::slot {

enum : std::size_t { latent, latent_other, hidden, a, b, c, d, e, f, pairs, products, skips, incepu_joined };

}  // namespace stl::inference::slot
