// The trivial translator: leaves its input as it is. For tests of everything around it.
#pragma once

#include "stl/models/translators/block.h"

namespace stl {

class IdentityTranslator : public Translator {
  public:
    torch::Tensor forward(const torch::Tensor& z) override { return z; }
    void draw_weights() override {}
};

std::shared_ptr<Translator> make_identity(const SimVPOptions& options);

}  // namespace stl
