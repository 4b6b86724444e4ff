"""The peer's SimVP model from its own unchanged files, without the rest of OpenSTL.

OpenSTL of that time needs timm 0.6: later versions cannot build its Swin and ViT blocks. timm 0.6.11 as a whole does
not import under Python 3.11, so packages are entered without running their __init__.
"""
import collections.abc, contextlib, importlib, importlib.util, io, sys, types
from pathlib import Path

# Our names of the translators -> OpenSTL's.
SPELLING = {"incepu": "IncepU", "gsta": "gSTA", "vit": "vit", "swin": "swin", "uniformer": "uniformer",
            "mlpmixer": "mlp", "convmixer": "convmixer", "poolformer": "poolformer", "convnext": "convnext",
            "van": "van", "hornet": "hornet", "moganet": "moga", "tau": "tau"}

# Frames in, channels, height and width of the Moving MNIST benchmark.
BENCHMARK_SHAPE = (10, 1, 64, 64)


def _enter(name, folder):
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)
    return package


def load(checkout):
    """The class SimVP_Model of a checkout of OpenSTL."""
    six = types.ModuleType("torch._six")
    six.container_abcs, six.inf, six.string_classes, six.int_classes = collections.abc, float("inf"), (str,), int
    sys.modules["torch._six"] = six
    timm = Path(importlib.util.find_spec("timm").origin).parent
    _enter("timm", timm).__version__ = "0.6.11"
    _enter("timm.models", timm / "models")
    sys.modules["timm.layers"] = sys.modules["timm"].layers = importlib.import_module("timm.models.layers")
    root = Path(checkout) / "openstl"
    _enter("openstl", root)
    _enter("openstl.models", root / "models")
    modules = _enter("openstl.modules", root / "modules")
    blocks = importlib.import_module("openstl.modules.simvp_modules")
    vars(modules).update({name: value for name, value in vars(blocks).items() if not name.startswith("_")})
    return importlib.import_module("openstl.models.simvp_model").SimVP_Model


def build(model_class, config):
    """A model of a config.json, without stochastic depth."""
    with contextlib.redirect_stdout(io.StringIO()):
        model = model_class(**{key: config[key] for key in
                               ("in_shape", "hid_S", "hid_T", "N_S", "N_T", "model_type", "mlp_ratio", "drop", "drop_path",
                                "spatio_kernel_enc", "spatio_kernel_dec")})
    for module in model.modules():
        if type(module).__name__ == "DropPath":
            module.drop_prob = 0.0
    return model


def benchmark_config(translator):
    """The Moving MNIST benchmark's network with one of our translators."""
    return dict(in_shape=BENCHMARK_SHAPE, hid_S=64, hid_T=512, N_S=4, N_T=8, mlp_ratio=8.0, drop=0.0, drop_path=0.0,
                spatio_kernel_enc=3, spatio_kernel_dec=3, model_type=SPELLING[translator])


def benchmark(model_class, translator):
    """The same built, its weights drawn from seed 0."""
    import torch

    torch.manual_seed(0)
    return build(model_class, benchmark_config(translator))
