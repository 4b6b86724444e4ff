#!/usr/bin/env python3
"""What `stl export` writes, in the programs that it is for, beside `stl predict`, for every folder of tests/fixtures/models:

  ONNX         passes onnx.checker, and gives the same in ONNX Runtime and OpenVINO, by every opset
  TorchScript  opens with torch.jit.load, holds the checkpoint's weights by their names and gives the same

each with batches of 1 and 3, as it is, with --no-fold, with more frames than the model's, and with --half (there TorchScript
and ONNX beside each other, as the weights are rounded).

    check_export.py [--stl build/bin/stl] [FOLDER ...]

Needs torch, numpy, onnx, onnxruntime and openvino (tools/peer/setup installs them). Status 1 if anything differs.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch

import engines
from check_checkpoints import MODEL_KEYS, ROOT, Stl, require

TOLERANCE = 1e-5  # of the largest value
OPSETS = {"plain": 17, "unfolded": 18, "longer": 20, "half": 21}
OPTIONS = {"plain": [], "unfolded": ["--no-fold"], "longer": [], "half": ["--half"]}


def deviation(found, expected):
    require(found.shape == expected.shape, f"shape {found.shape} beside {expected.shape}")
    return abs(found - expected).max() / abs(expected).max()


def check_record(path, frames):
    record = json.loads({entry.key: entry.value for entry in onnx.load(path).metadata_props}["stl"])
    require(record["output"]["shape"][1] == frames, "the record tells another number of frames")


def check_weights(module, checkpoint):
    weights = torch.load(checkpoint, weights_only=False)["state_dict"]
    state = module.state_dict()
    require(set(state) == set(weights), "other names of weights")
    for name, tensor in weights.items():
        require(torch.equal(state[name], tensor), f"{name} differs")


class Folder:
    def __init__(self, stl, folder, scratch):
        self.stl, self.scratch = stl, scratch
        self.checkpoint, self.model = folder / "checkpoint.pth", scratch / "model.json"
        self.config = json.loads((folder / "config.json").read_text())
        self.model.write_text(json.dumps({key: self.config[key] for key in MODEL_KEYS}))

    def inputs(self):
        generator = torch.Generator().manual_seed(2)
        return [torch.rand(batch, *self.config["in_shape"], generator=generator).numpy() for batch in (1, 3)]

    def predicted(self, x, frames):
        np.save(self.scratch / "x.npy", x)
        self.stl("predict", self.checkpoint, "--model", self.model, "--input", self.scratch / "x.npy", "--output",
                 self.scratch / "y.npy", "--frames", frames, "--device", "cpu", "--force")
        return np.load(self.scratch / "y.npy")

    def exported(self, variant, frames):
        paths = [self.scratch / f"{variant}.onnx", self.scratch / f"{variant}.pt"]
        for path, more in zip(paths, (["--opset", OPSETS[variant]], [])):
            self.stl("export", self.checkpoint, "--model", self.model, "--output", path, "--frames", frames,
                     *OPTIONS[variant], *more)
        return paths

    def check(self, variant):
        """The largest deviation of each program."""
        frames = self.config["in_shape"][0] + (3 if variant == "longer" else 0)
        network, script = self.exported(variant, frames)
        onnx.checker.check_model(str(network), full_check=True)
        check_record(network, frames)
        module = torch.jit.load(script).eval()
        if variant == "unfolded":
            check_weights(module, self.checkpoint)
        programs = {name: engines.load(engine, network, 0, "fp32")[0] for engine, name in engines.ENGINES.items()}
        with torch.no_grad():
            programs["TorchScript"] = lambda x: module(torch.from_numpy(x)).numpy()
            largest = dict.fromkeys(programs, 0.0)
            for x in self.inputs():
                expected = programs["TorchScript"](x) if variant == "half" else self.predicted(x, frames)
                for name, run in programs.items():
                    largest[name] = max(largest[name], deviation(run(x), expected))
        for name, value in largest.items():
            require(value <= TOLERANCE, f"{variant}: {name} deviates by {value:.1e} of the largest value")
        return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stl", type=Path, default=ROOT / "build" / "bin" / "stl")
    parser.add_argument("--models", type=Path, default=ROOT / "tests" / "fixtures" / "models")
    parser.add_argument("folders", nargs="*")
    options = parser.parse_args()
    stl = Stl(options.stl)
    names = options.folders or sorted(path.name for path in options.models.iterdir() if path.is_dir())
    failed = 0
    print(f"{'exported':12} " + " ".join(f"{name:>14}" for name in [*engines.ENGINES.values(), "TorchScript"]) +
          "   (largest deviations from stl predict)")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                folder = Folder(stl, options.models / name, Path(scratch))
                found = [folder.check(variant) for variant in OPTIONS]
                print(f"{name:12} " + " ".join(f"{max(one[program] for one in found):14.1e}" for program in found[0]), flush=True)
            except (AssertionError, RuntimeError, onnx.checker.ValidationError) as error:
                failed += 1
                print(f"{name:12} FAILED: {error}", flush=True)
    print(f"{len(names) - failed} of {len(names)} exported networks agree with stl predict")
    sys.exit(1 if failed or not names else 0)


if __name__ == "__main__":
    main()
