#include "stl/metrics/lpips.h"

namespace stl {

std::shared_ptr<const Lpips> Lpips::read(const fs::path& alexnet, const fs::path& heads) {
    return std::make_shared<const Lpips>(read_checkpoint(alexnet, false).state,
                                         read_checkpoint(heads, false).state, alexnet.string(),
                                         heads.string());
}

}  // namespace stl
