// The list of names that stand for something here. Being on the list never means being called: the interpreter
// knows what a few of them make (tensors, dictionaries, numbers); all others, on the list or not, become inert
// objects.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stl/core/array.h"

namespace stl::pickle {

enum class Role : std::uint8_t {
    tensor_v1,      ///< torch._utils._rebuild_tensor
    tensor_v2,      ///< torch._utils._rebuild_tensor_v2
    tensor_v3,      ///< torch._utils._rebuild_tensor_v3
    parameter,      ///< torch._utils._rebuild_parameter[_with_state]
    from_type,      ///< torch._tensor._rebuild_from_type_v2
    storage_type,   ///< torch.FloatStorage, ...
    dtype,          ///< torch.float32, ...
    dictionary,     ///< collections.OrderedDict, ...
    sequence,       ///< set, list, tuple, torch.Size, ...
    encode,         ///< _codecs.encode: how protocol 2 writes bytes
    reconstructor,  ///< copyreg._reconstructor: how protocols 0 and 1 write instances
    attribute,      ///< getattr, on classes of torch.optim.lr_scheduler alone
    scheduler,      ///< a class of torch.optim.lr_scheduler
    numpy_dtype,    ///< numpy.dtype
    numpy_scalar,   ///< numpy.core.multiarray.scalar
    name_space,     ///< argparse.Namespace
    inert,          ///< known, of no use here
    unknown,        ///< not on the list: an inert placeholder, whatever it is called with
};

struct Global {
    Role role = Role::inert;
    DType dtype = DType::u8;  ///< of storage types and dtypes
    std::string_view module, name;
};

/// Null if the name is not on the list.
std::optional<Global> find_global(std::string_view module, std::string_view name);

}  // namespace stl::pickle
