#!/usr/bin/env python3
"""Writes OpenSTL's networks as ONNX files, for the engines that stl is compared with, and checks what these make of them.

    $(tools/peer/setup) tools/peer/export.py --openstl CHECKOUT [--translator all] [--batch 1] [--folder build/peer-onnx]
                                             [--exporter stl|torch]

They are written by `stl export` from OpenSTL's weights, or by PyTorch's own exporter from OpenSTL's modules; this one fixes
the size of batch in the file. Sizes are the Moving MNIST benchmark's. In fp32 every engine's output must be
OpenSTL's to 1e-4 of the largest value, or the file is not kept; what bf16 makes of it is told in norm. Needs the packages
that tools/peer/setup installs.
"""
import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import engines
import peer_model
from bench import listed

TOLERANCE = 1e-4


def disturb(torch, network):
    """Moves what starts as all zeros or all ones (biases, norms, scales), which an engine would leave out."""
    generator = torch.Generator().manual_seed(1)
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point() and (tensor == tensor.flatten()[0]).all():
            tensor.add_(torch.rand(tensor.shape, generator=generator) - 0.5, alpha=0.1)


def deviations(path, x, expected):
    """What to say of each engine. Throws where fp32 is not the same."""
    found = []
    for engine, name in engines.ENGINES.items():
        run, _ = engines.load(engine, path, 0, "fp32")
        deviation = abs(run(x) - expected).max() / abs(expected).max()
        if not deviation <= TOLERANCE:
            raise engines.EngineError(f"{path.stem}: {name} deviates by {deviation:.1e} of the largest value")
        found.append(f"{name} {deviation:.1e}")
    told = ", ".join(found) + " of the largest value"
    try:
        run, _ = engines.load("openvino", path, 0, "bf16")
    except engines.EngineError:
        return told  # No bf16 on this processor.
    share = (((run(x) - expected) ** 2).sum() / (expected ** 2).sum()) ** 0.5
    return f"{told}; OpenVINO in bf16 {100 * share:.2f} % in norm"


def write_by_stl(torch, network, translator, path):
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, model = Path(scratch) / "checkpoint.pth", Path(scratch) / "model.json"
        torch.save(network.state_dict(), checkpoint)
        model.write_text(json.dumps(peer_model.benchmark_config(translator)))
        output = Path(scratch) / "network.onnx"
        done = subprocess.run([str(engines.STL), "export", str(checkpoint), "--model", str(model), "--output", str(output),
                               "--opset", str(engines.OPSET)], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise engines.EngineError(done.stderr.strip())
        shutil.copyfile(output, path)


def write_by_torch(torch, network, x, path):
    torch.onnx.export(network, (x,), str(path), dynamo=False, opset_version=engines.OPSET, input_names=["x"],
                      output_names=["y"])


def export(torch, network, translator, options):
    import onnx

    path = engines.path_of(options.folder, translator, options.batch, options.exporter)
    x = torch.rand(options.batch, *peer_model.BENCHMARK_SHAPE, generator=torch.Generator().manual_seed(2))
    part = path.with_suffix(".part")
    try:
        with torch.no_grad():
            disturb(torch, network)
            expected = network(x).numpy()
            if options.exporter == "stl":
                write_by_stl(torch, network, translator, part)
            else:
                write_by_torch(torch, network, x, part)
        onnx.checker.check_model(str(part))
        told = deviations(part, x.numpy(), expected)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return told


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--translator", type=listed(list(peer_model.SPELLING)), default=list(peer_model.SPELLING))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=engines.CACHE, help="where the files go; those there are made anew")
    parser.add_argument("--exporter", choices=engines.EXPORTERS, default="stl")
    return parser.parse_args()


def main():
    options = arguments()
    import torch

    warnings.simplefilter("ignore")  # What tracing takes for constant is: every size is fixed.
    model_class = peer_model.load(options.openstl)
    options.folder.mkdir(parents=True, exist_ok=True)
    for translator in options.translator:
        network = peer_model.benchmark(model_class, translator).eval()
        told = export(torch, network, translator, options)
        print(f"{translator}, batch {options.batch}: deviations from OpenSTL: {told}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except engines.EngineError as error:
        sys.exit(f"export.py: {error}")
