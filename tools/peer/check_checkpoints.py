#!/usr/bin/env python3
"""Checkpoints between stl and the Python peer, for every folder of tests/fixtures/models:

  convert   what `stl convert` writes (.pth, --half, .safetensors) opens with weights_only=True, loads with strict=True
            and holds the reference's weights bit for bit
  predict   `stl predict` of it equals the peer's model
  ours on   a run of stl, stopped half-way, goes on in Python from our Adam and schedule: the same losses as stl's own
  theirs on a run of Python, stopped half-way, goes on in stl from Python's Adam: the same losses as Python's own

    check_checkpoints.py --openstl CHECKOUT [--stl build/bin/stl] [FOLDER ...]

Needs torch 2.11, torchvision 0.26, timm 0.6.11, numpy and safetensors (tools/peer/setup installs them). Status 1 if anything differs.
"""
import argparse, json, shutil, subprocess, sys, tempfile, warnings
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

import peer_model

ROOT = Path(__file__).resolve().parents[2]
LR, BATCH, SEQUENCES, STEPS, STOP = 1e-3, 2, 6, 10, 4
OUTPUT_TOLERANCE, LOSS_TOLERANCE = 1e-5, 1e-4
# What a model.json takes of a config.json.
MODEL_KEYS = ("in_shape", "hid_S", "hid_T", "N_S", "N_T", "model_type", "mlp_ratio", "drop", "drop_path", "spatio_kernel_enc",
              "spatio_kernel_dec", "aft_seq_length")


class Stl:
    def __init__(self, program):
        self.program = str(program)

    def __call__(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            raise RuntimeError(f"stl {' '.join(map(str, arguments))}: status {done.returncode}: {last}")


def require(condition, what):
    if not condition:
        raise AssertionError(what)


def check_equal(state, expected):
    require(list(state) == list(expected), "other names, or in another order")
    for name, tensor in expected.items():
        require(state[name].dtype == tensor.dtype and torch.equal(state[name], tensor), f"{name} differs")


def check_convert(stl, folder, scratch, model):
    """Returns the path of the converted .pth."""
    source = folder / "checkpoint.pth"
    expected = torch.load(source, weights_only=False)["state_dict"]
    out = scratch / "out.pth"
    stl("convert", source, out, "--model", scratch / "model.json")
    loaded = torch.load(out, weights_only=True)
    check_equal(loaded["state_dict"], expected)
    model.load_state_dict(loaded["state_dict"], strict=True)

    stl("convert", source, scratch / "out.safetensors", "--model", scratch / "model.json")
    tensors = safetensors.torch.load_file(scratch / "out.safetensors")
    check_equal({name: tensors[name] for name in expected}, expected)
    model.load_state_dict(tensors, strict=True)

    narrow = {k: v.bfloat16() if v.is_floating_point() else v for k, v in expected.items()}
    stl("convert", source, scratch / "half.pth", "--half", "--model", scratch / "model.json")
    check_equal(torch.load(scratch / "half.pth", weights_only=True)["state_dict"], narrow)
    stl("convert", source, scratch / "half.safetensors", "--half", "--model", scratch / "model.json")
    tensors = safetensors.torch.load_file(scratch / "half.safetensors")
    check_equal({name: tensors[name] for name in expected}, narrow)
    # And back again: the same bytes.
    stl("convert", out, scratch / "again.pth")
    require((scratch / "again.pth").read_bytes() == out.read_bytes(), "a converted file changes when converted again")
    return out


def check_predict(stl, checkpoint, scratch, model, x):
    np.save(scratch / "x.npy", x.numpy())
    stl("predict", checkpoint, "--input", scratch / "x.npy", "--output", scratch / "y.npy", "--frames", x.shape[1], "--device", "cpu")
    ours = torch.from_numpy(np.load(scratch / "y.npy"))
    with torch.no_grad():
        theirs = model.eval()(x)
    deviation = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    require(deviation <= OUTPUT_TOLERANCE, f"predictions deviate by {deviation:.2e} of the largest value")
    return deviation


class PythonRun:
    """The peer's training loop on stored sequences in their order: Adam, OneCycle, mean squared error."""

    def __init__(self, model, sequences, frames):
        self.model, self.frames, self.step = model.train(), frames, 0
        self.batches = sequences.split(BATCH)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, max_lr=LR, total_steps=STEPS)

    def load(self, checkpoint):
        self.model.load_state_dict(checkpoint["state_dict"], strict=True)
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        self.step = checkpoint["stl"]["step"]

    def run_to(self, last):
        losses = []
        while self.step < last:
            batch = self.batches[self.step % len(self.batches)]
            loss = torch.nn.functional.mse_loss(self.model(batch[:, :self.frames].contiguous()), batch[:, self.frames:])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.step += 1
            losses.append(loss.item())
        return losses


def losses_of(run, after):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line and line["step"] > after]


def compare_losses(ours, theirs):
    require(len(ours) == len(theirs), f"{len(ours)} losses beside {len(theirs)}")
    deviation = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    require(deviation <= LOSS_TOLERANCE, f"losses deviate by {deviation:.2e}: {ours} beside {theirs}")
    return deviation


def check_training(stl, folder, scratch, config, build):
    frames = config["in_shape"][0]
    sequences = torch.rand(SEQUENCES, 2 * frames, *config["in_shape"][1:], generator=torch.Generator().manual_seed(3))
    np.save(scratch / "sequences.npy", sequences.numpy())
    model = {k: v for k, v in json.loads((scratch / "model.json").read_text()).items()
             if k not in ("in_shape", "aft_seq_length")}
    experiment = scratch / "experiment.json"
    experiment.write_text(json.dumps({
        "dataset": {"name": "file", "path": str(scratch / "sequences.npy"), "input_frames": frames, "output_frames": frames},
        "model": model | {"drop_path": 0, "drop_path_first": 0},
        "train": {"steps": STEPS, "batch_size": BATCH, "lr": LR, "shuffle": False, "init": str(folder / "checkpoint.pth")}}))
    run, copy = scratch / "run", scratch / "copy"
    train = ["train", experiment, "--log-every", "1", "--device", "cpu", "--threads", "2"]
    # As good as no time: one step, then it stops and saves.
    stl(*train, "--run", run, "--max-minutes", "1e-9")
    for _ in range(STOP - 1):
        stl(*train, "--run", run, "--resume", "--max-minutes", "1e-9")
    middle = torch.load(run / "checkpoints" / "last.pth", weights_only=True)
    step = middle["stl"]["step"]
    require(STOP <= step < STEPS, f"stl stopped after step {step}")
    shutil.copytree(run, copy)

    # Ours goes on in Python.
    python = PythonRun(build(), sequences, frames)
    python.load(middle)
    there = python.run_to(STEPS)
    stl(*train, "--run", run, "--resume")
    ours_on = compare_losses(losses_of(run, step), there)

    # Theirs goes on here.
    python = PythonRun(build(), sequences, frames)
    python.model.load_state_dict(torch.load(folder / "checkpoint.pth", weights_only=False)["state_dict"])
    python.run_to(step)
    torch.save({"epoch": 0, "state_dict": python.model.state_dict(), "optimizer": python.optimizer.state_dict(),
                "scheduler": python.scheduler.state_dict(), "stl": middle["stl"], "stl_tensors": middle["stl_tensors"]},
               copy / "checkpoints" / "last.pth")
    there = python.run_to(STEPS)
    stl(*train, "--run", copy, "--resume")
    theirs_on = compare_losses(losses_of(copy, step), there)
    return ours_on, theirs_on


def check_folder(stl, folder, scratch, model_class):
    config = json.loads((folder / "config.json").read_text())
    build = lambda: peer_model.build(model_class, config)
    (scratch / "model.json").write_text(json.dumps({key: config[key] for key in MODEL_KEYS}))
    model = build()
    converted = check_convert(stl, folder, scratch, model)
    model.load_state_dict(torch.load(converted, weights_only=True)["state_dict"], strict=True)
    x = torch.rand(3, *config["in_shape"], generator=torch.Generator().manual_seed(2))
    prediction = check_predict(stl, converted, scratch, model, x)
    return prediction, *check_training(stl, folder, scratch, config, build)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True)
    parser.add_argument("--stl", type=Path, default=ROOT / "build" / "bin" / "stl")
    parser.add_argument("--models", type=Path, default=ROOT / "tests" / "fixtures" / "models")
    parser.add_argument("folders", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(2)
    warnings.filterwarnings("ignore", message="torch.meshgrid")  # timm's Swin
    stl = Stl(options.stl)
    model_class = peer_model.load(options.openstl)
    names = options.folders or sorted(path.name for path in options.models.iterdir() if path.is_dir())
    failed = 0
    print(f"{'model':12} {'predictions':>12} {'ours go on':>12} {'theirs go on':>12}   (largest relative deviations)")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                deviations = check_folder(stl, options.models / name, Path(scratch), model_class)
                print(f"{name:12} " + " ".join(f"{value:12.1e}" for value in deviations), flush=True)
            except (AssertionError, RuntimeError) as error:
                failed += 1
                print(f"{name:12} FAILED: {error}", flush=True)
    print(f"{len(names) - failed} of {len(names)} models agree with the peer")
    sys.exit(1 if failed or not names else 0)


if __name__ == "__main__":
    main()
