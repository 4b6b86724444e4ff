#include "stl/core/version.h"

#include "revision.h"

namespace stl {

std::string version() {
    return STL_VERSION;
}
std::string revision() {
    return STL_REVISION;
}
std::string version_and_revision() {
    return version() + " (" + revision() + ")";
}

}  // namespace stl
