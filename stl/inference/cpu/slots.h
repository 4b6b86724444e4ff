// Numbers of the workspace's buffers. A block's plan may use a..f as it likes; what they hold ends with the
// block. incepu_joined is the last: as many follow as IncepU has levels.
#pragma once

#include <cstddef>

namespace stl::inference::slot {

enum : std::size_t { latent, latent_other, hidden, a, b, c, d, e, f, pairs, skips, incepu_joined };

}  // namespace stl::inference::slot
