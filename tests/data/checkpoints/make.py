#!/usr/bin/env python3
"""Makes the checkpoints in this folder: what torch.save writes beside plain weights, in the formats it has had.

    make.py [FOLDER]        with torch 2.11 and numpy

Every file holds a dictionary; what the tests expect of it stands in them.
"""
import argparse, collections, copy, datetime, pathlib, sys, types, zipfile
from pathlib import Path

import numpy as np
import torch


def views():
    """Tensors that share a storage, with offsets and strides; 'expected' holds the same values, dense."""
    base = torch.arange(24, dtype=torch.float32)
    image = torch.arange(48, dtype=torch.float32).reshape(1, 3, 4, 4)
    state = collections.OrderedDict(
        whole=base, middle=base[6:18].view(3, 4), transposed=base.view(4, 6).t(), every_third=base[1::3],
        channels_last=image.to(memory_format=torch.channels_last), expanded=base[5:6].expand(3),
        scalar=torch.tensor(2.5), empty=torch.empty(0, 3), parameter=torch.nn.Parameter(base[:4].clone()),
        half=base.half(), bfloat16=base.bfloat16(), double=base.double() / 3, int64=-torch.arange(5), int32=torch.arange(5).int(),
        int16=torch.arange(5).short(), int8=-torch.arange(5).to(torch.int8), uint8=torch.arange(5).to(torch.uint8),
        boolean=torch.arange(5) % 2 == 0)
    return {"state_dict": state, "expected": {k: v.detach().clone().contiguous() for k, v in state.items()}}


def stand_in(module, name, base=object):
    """A class that pickles under another package's name."""
    parts = module.split(".")
    for i in range(len(parts)):
        sys.modules.setdefault(".".join(parts[:i + 1]), types.ModuleType(".".join(parts[:i + 1])))
    made = type(name, (base,), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


def objects():
    """Everything that real checkpoints carry beside tensors."""
    callback = stand_in("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")()
    callback.best_model_path = "best.ckpt"
    attributes = stand_in("lightning_fabric.utilities.data", "AttributeDict", dict)(in_shape=(10, 1, 64, 64), lr=0.1)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))])
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    marked = torch.nn.Parameter(torch.ones(2))
    marked.note = "attribute"
    return {
        "state_dict": collections.OrderedDict(weight=torch.ones(2), marked=marked),
        "plain": {"none": None, "true": True, "int": 12, "negative": -3, "large": 2**40, "huge": 2**63 + 5, "beyond": 2**100,
                  "real": 0.25, "text": "schön", "tuple": (1, 2, (3,)), "list": [1, [2]], "set": {7}, "bytes": b"\x00\xff",
                  "by_number": {3: "three"}},
        "args": argparse.Namespace(hid_S=64, model_type="gSTA", nested=argparse.Namespace(lr=0.5)),
        "numpy": {"f8": np.float64(0.5), "f4": np.float32(0.25), "f2": np.float16(1.5), "i8": np.int64(-7), "u1": np.uint8(200),
                  "bool": np.bool_(True), "array": np.arange(3), "list": [np.float64(2.0)]},
        "hyper_parameters": attributes,
        "collections": {"default": collections.defaultdict(list, a=[1]), "counter": collections.Counter("aab"),
                        "deque": collections.deque([1, 2])},
        "inert": {"callback": callback, "scheduler": scheduler.__class__, "path": pathlib.PurePosixPath("a/b"),
                  "time": datetime.datetime(2023, 5, 1), "size": torch.Size([2, 3]), "device": torch.device("cpu"),
                  "dtype": torch.float32, "complex": 1j, "frozen": frozenset([1])},
    }


def adam():
    """Two parameters, five Adam steps in; the gradients of five more and where they lead."""
    torch.manual_seed(1)
    parameters = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(4))]
    optimizer = torch.optim.Adam(parameters, lr=0.05, betas=(0.8, 0.99), weight_decay=0.1)
    gradients = [[torch.randn_like(p) for p in parameters] for _ in range(10)]

    def steps(some):
        for pair in some:
            for parameter, gradient in zip(parameters, pair):
                parameter.grad = gradient
            optimizer.step()

    def state():
        return collections.OrderedDict(a=parameters[0].detach().clone(), b=parameters[1].detach().clone())

    steps(gradients[:5])
    middle = {"epoch": 5, "state_dict": state(), "optimizer": copy.deepcopy(optimizer.state_dict()), "scheduler": {}}
    steps(gradients[5:])
    later = {f"gradient.{i}.{name}": g for i, pair in enumerate(gradients[5:]) for name, g in zip("ab", pair)}
    return middle | {"stl_tensors": later | {f"after.{name}": value for name, value in state().items()}}


def deflated(source, target):
    with zipfile.ZipFile(source) as inside, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for item in inside.infolist():
            out.writestr(item.filename, inside.read(item))


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    folder = folder if folder.is_dir() else folder.parent
    torch.save(views(), folder / "views.pth")
    torch.save(views(), folder / "views_legacy.pth", _use_new_zipfile_serialization=False)
    deflated(folder / "views.pth", folder / "views_deflated.pth")
    for protocol in (1, 2, 4, 5):
        torch.save(objects(), folder / f"objects_protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(objects(), folder / "objects_legacy.pth", _use_new_zipfile_serialization=False)
    for protocol in (1, 3, 4, 5):
        torch.save({"weight": torch.arange(2.0), "text": "a", "true": True}, folder / f"legacy_protocol{protocol}.pth",
                   pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    torch.save(adam(), folder / "adam.pth")
    torch.serialization.set_crc32_options(False)
    torch.save(views(), folder / "views_without_crc.pth")


if __name__ == "__main__":
    main()
