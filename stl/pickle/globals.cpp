#include "stl/pickle/globals.h"

#include <algorithm>
#include <array>

namespace stl::pickle {
namespace {

constexpr Global entry(std::string_view module, std::string_view name, Role role, DType dtype = DType::u8) {
    return {role, dtype, module, name};
}

constexpr std::array exact{
    entry("torch._utils", "_rebuild_tensor", Role::tensor_v1),
    entry("torch._utils", "_rebuild_tensor_v2", Role::tensor_v2),
    entry("torch._utils", "_rebuild_tensor_v3", Role::tensor_v3),
    entry("torch._utils", "_rebuild_parameter", Role::parameter),
    entry("torch._utils", "_rebuild_parameter_with_state", Role::parameter),
    entry("torch._tensor", "_rebuild_from_type_v2", Role::from_type),
    entry("torch", "FloatStorage", Role::storage_type, DType::f32),
    entry("torch", "DoubleStorage", Role::storage_type, DType::f64),
    entry("torch", "HalfStorage", Role::storage_type, DType::f16),
    entry("torch", "BFloat16Storage", Role::storage_type, DType::bf16),
    entry("torch", "LongStorage", Role::storage_type, DType::i64),
    entry("torch", "IntStorage", Role::storage_type, DType::i32),
    entry("torch", "ShortStorage", Role::storage_type, DType::i16),
    entry("torch", "CharStorage", Role::storage_type, DType::i8),
    entry("torch", "ByteStorage", Role::storage_type, DType::u8),
    entry("torch", "BoolStorage", Role::storage_type, DType::boolean),
    entry("torch", "UntypedStorage", Role::storage_type, DType::u8),
    entry("torch.storage", "UntypedStorage", Role::storage_type, DType::u8),
    entry("torch.storage", "_UntypedStorage", Role::storage_type, DType::u8),
    entry("torch", "float32", Role::dtype, DType::f32),
    entry("torch", "float64", Role::dtype, DType::f64),
    entry("torch", "float16", Role::dtype, DType::f16),
    entry("torch", "bfloat16", Role::dtype, DType::bf16),
    entry("torch", "int64", Role::dtype, DType::i64),
    entry("torch", "int32", Role::dtype, DType::i32),
    entry("torch", "int16", Role::dtype, DType::i16),
    entry("torch", "int8", Role::dtype, DType::i8),
    entry("torch", "uint8", Role::dtype, DType::u8),
    entry("torch", "bool", Role::dtype, DType::boolean),
    entry("torch", "Size", Role::sequence),
    entry("torch", "device", Role::inert),
    entry("torch", "Tensor", Role::inert),
    entry("torch.nn.parameter", "Parameter", Role::inert),
    entry("torch.torch_version", "TorchVersion", Role::inert),

    entry("collections", "OrderedDict", Role::dictionary),
    entry("collections", "defaultdict", Role::dictionary),
    entry("collections", "Counter", Role::dictionary),
    entry("collections", "deque", Role::sequence),
    entry("builtins", "dict", Role::dictionary),
    entry("builtins", "list", Role::sequence),
    entry("builtins", "tuple", Role::sequence),
    entry("builtins", "set", Role::sequence),
    entry("builtins", "frozenset", Role::sequence),
    entry("builtins", "bytearray", Role::inert),
    entry("builtins", "complex", Role::inert),
    entry("builtins", "slice", Role::inert),
    entry("builtins", "range", Role::inert),
    entry("builtins", "object", Role::inert),
    entry("builtins", "int", Role::inert),
    entry("builtins", "float", Role::inert),
    entry("builtins", "str", Role::inert),
    entry("builtins", "bool", Role::inert),
    entry("builtins", "getattr", Role::attribute),
    entry("_codecs", "encode", Role::encode),
    entry("copyreg", "_reconstructor", Role::reconstructor),
    entry("argparse", "Namespace", Role::name_space),
    entry("types", "SimpleNamespace", Role::name_space),

    entry("numpy", "dtype", Role::numpy_dtype),
    entry("numpy", "ndarray", Role::inert),
    entry("numpy.core.multiarray", "_reconstruct", Role::inert),
    entry("numpy.core.multiarray", "scalar", Role::numpy_scalar),
    entry("numpy.core.numeric", "_frombuffer", Role::inert),
    entry("numpy._core.multiarray", "_reconstruct", Role::inert),
    entry("numpy._core.multiarray", "scalar", Role::numpy_scalar),
    entry("numpy._core.numeric", "_frombuffer", Role::inert),
    entry("numpy", "float64", Role::inert),
    entry("numpy", "float32", Role::inert),
    entry("numpy", "float16", Role::inert),
    entry("numpy", "int64", Role::inert),
    entry("numpy", "int32", Role::inert),
    entry("numpy", "int16", Role::inert),
    entry("numpy", "int8", Role::inert),
    entry("numpy", "uint8", Role::inert),
    entry("numpy", "bool_", Role::inert),
    entry("numpy", "bool", Role::inert),

    entry("datetime", "datetime", Role::inert),
    entry("datetime", "date", Role::inert),
    entry("datetime", "timedelta", Role::inert),
    entry("pathlib", "Path", Role::inert),
    entry("pathlib", "PosixPath", Role::inert),
    entry("pathlib", "PurePosixPath", Role::inert),
    entry("pathlib", "WindowsPath", Role::inert),
    entry("pathlib", "PureWindowsPath", Role::inert),
    entry("pathlib._local", "PosixPath", Role::inert),
    entry("pathlib._local", "WindowsPath", Role::inert),

    entry("pytorch_lightning.utilities.parsing", "AttributeDict", Role::dictionary),
    entry("lightning.pytorch.utilities.parsing", "AttributeDict", Role::dictionary),
    entry("lightning_fabric.utilities.data", "AttributeDict", Role::dictionary),
    entry("lightning.fabric.utilities.data", "AttributeDict", Role::dictionary),
};

/// Packages whose classes (not functions) may occur, as inert objects.
constexpr std::array<std::string_view, 7> packages{"pytorch_lightning",   "lightning",   "lightning_fabric",
                                                   "lightning_utilities", "torch.optim", "timm.scheduler",
                                                   "numpy.dtypes"};

bool inside(std::string_view module, std::string_view package) {
    return module == package ||
           (module.starts_with(package) && module.substr(package.size()).starts_with('.'));
}

bool plain_name(std::string_view name) {
    return std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '.';
    });
}

/// By the language's custom: "OneCycleLR", "_LRScheduler", and what is inside one
/// ("OneCycleLR._annealing_cos").
bool class_like(std::string_view name) {
    const auto first = name.find_first_not_of('_');
    return first != std::string_view::npos && name[first] >= 'A' && name[first] <= 'Z';
}

}  // namespace

std::optional<Global> find_global(std::string_view module, std::string_view name) {
    // Python 2 called it __builtin__ and copy_reg; protocol 2 still writes these.
    const auto today = module == "__builtin__" ? "builtins" : module == "copy_reg" ? "copyreg" : module;
    const auto known =
        std::ranges::find_if(exact, [&](const Global& g) { return g.module == today && g.name == name; });
    if (known != exact.end()) return *known;
    if (!class_like(name) || !plain_name(name) || !plain_name(module)) return std::nullopt;
    for (const auto package : packages) {
        if (!inside(module, package)) continue;
        const bool scheduler = module == "torch.optim.lr_scheduler";
        return Global{scheduler ? Role::scheduler : Role::inert, DType::u8, module, name};
    }
    return std::nullopt;
}

}  // namespace stl::pickle
