// The group of the ranks that run these tests, all of them the same ones in the same order.
#pragma once

#include "stl/distributed/group.h"

namespace stl {

Group& ranks();

}  // namespace stl
