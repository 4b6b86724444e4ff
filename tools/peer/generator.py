#!/usr/bin/env python3
"""Times the making of Moving MNIST's test sequences: OpenSTL's own script, a tidied Python loop, and stl.

    python tools/peer/generator.py --openstl CHECKOUT --glyphs FOLDER [--sequences 100] [--script-sequences 300]
                                   [--rounds 5]

FOLDER holds train-images-idx3-ubyte.gz. Each makes the first sequences, in one thread and in turn; stl and the loop fill
the same memory again and again: 8 MB for 100 sequences. --sequences 10000 is the whole published set, 819 MB, where
memory is what limits stl. The frames of loop and script are compared.
Needs numpy and torch; OpenSTL's file is run as it is, without what it imports beside it.
"""
import argparse
import gzip
import json
import math
import random
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
FRAMES, SIDE, STEP = 20, 64, 0.1


def read_glyphs(folder):
    with gzip.open(folder / "train-images-idx3-ubyte.gz", "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def way(free):
    """The corner's place in every frame, in the order of the reference's draws."""
    x, y, theta = random.random(), random.random(), random.random() * 2 * math.pi
    vy, vx = math.sin(theta), math.cos(theta)
    places = []
    for _ in range(FRAMES):
        y += vy * STEP
        x += vx * STEP
        if x <= 0:
            x, vx = 0.0, -vx
        if x >= 1:
            x, vx = 1.0, -vx
        if y <= 0:
            y, vy = 0.0, -vy
        if y >= 1:
            y, vy = 1.0, -vy
        places.append((int(free * y), int(free * x)))
    return places


def tidy_loop(glyphs, frames):
    """frames: [T,N,H,W], overwritten."""
    random.seed(0)
    frames[:] = 0
    size = glyphs.shape[1]
    for n in range(frames.shape[1]):
        random.choice([2])
        for _ in range(2):
            places = way(SIDE - size)
            glyph = glyphs[random.randint(0, len(glyphs) - 1)]
            for t, (top, left) in enumerate(places):
                place = frames[t, n, top:top + size, left:left + size]
                np.maximum(place, glyph, out=place)


def peer_class(checkout):
    """OpenSTL's MovingMNIST, whose imports beyond numpy are not needed here."""
    for name in ("cv2", "torchvision", "openstl", "openstl.datasets", "openstl.datasets.utils"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["openstl.datasets.utils"].create_loader = None
    path = checkout / "openstl/datasets/dataloader_moving_mnist.py"
    module = types.ModuleType("dataloader_moving_mnist")
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)  # noqa: S102
    return module.MovingMNIST


def peer_script(make, glyphs, count):
    """What generate_mmnist.py does after reading the glyphs."""
    dataset = make.__new__(make)
    dataset.mnist = glyphs
    dataset.image_size_, dataset.digit_size_, dataset.step_length_ = SIDE, glyphs.shape[1], STEP
    dataset.n_frames_total, dataset.background, dataset.num_objects = FRAMES, False, [2]
    random.seed(0)
    parts = []
    for _ in range(count):
        images = dataset.generate_moving_mnist(random.choice(dataset.num_objects), dataset.background)
        parts.append(images.reshape(FRAMES, 1, SIDE, SIDE))
    return np.concatenate(parts, axis=1)


def stl_seconds(options):
    command = [options.stl, "bench", "--work", "generate", "--batch", str(options.sequences), "--threads", "1",
               "--warmup", "1", "--repeats", "5", "--json"]
    line = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return line["batch"] / line["seq_per_s"]


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--glyphs", type=Path, required=True)
    parser.add_argument("--stl", default=str(HERE.parents[1] / "build/bin/stl"))
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--script-sequences", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.script_sequences = min(options.script_sequences, options.sequences)
    glyphs = read_glyphs(options.glyphs)
    make = peer_class(options.openstl)
    frames = np.zeros((FRAMES, options.sequences, SIDE, SIDE), np.uint8)
    rows = []
    for _ in range(options.rounds):
        loop, _ = timed(lambda: tidy_loop(glyphs, frames))
        part, made = timed(lambda: peer_script(make, glyphs, options.script_sequences))
        script = part * options.sequences / options.script_sequences
        if not np.array_equal(made[:, :options.script_sequences], frames[:, :options.script_sequences]):
            sys.exit("the loop's frames are not the script's")
        rows.append((script, loop, stl_seconds(options)))
    script, loop, ours = (sorted(column)[len(rows) // 2] for column in zip(*rows))
    print(f"{options.sequences} sequences, medians of {options.rounds}: OpenSTL's script {script:.3f} s (from "
          f"{options.script_sequences}), Python loop {loop:.4f} s, stl {ours:.5f} s: "
          f"{script / ours:.0f} and {loop / ours:.1f} times as fast")


if __name__ == "__main__":
    main()
