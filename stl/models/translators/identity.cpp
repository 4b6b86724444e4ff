#include "stl/models/translators/identity.h"

namespace stl {

std::shared_ptr<Translator> make_identity(const SimVPOptions& /*options*/) {
    return std::make_shared<IdentityTranslator>();
}

}  // namespace stl
