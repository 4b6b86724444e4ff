#!/usr/bin/env python3
"""How time and memory grow with the work: frame size, frames, batch and hid_T, measured with `stl bench`.

    python tools/scaling.py [EXPERIMENT] [--translator moganet] [--repeats 3] [--plot docs/scaling.svg]

One thing grows at a time, from 64x64 pixels, 10 frames, batch 1 and hid_T 128. Prints Markdown: seconds a call (the
best of at least `--repeats`, or of as many as take a second, in each of `--rounds` through everything) and memory beyond
that of a nearly empty call, and the exponents fitted to the upper half of each range (least squares over the
logarithms). Less than 16 MiB is lost in what any process takes, and left out. The plot needs matplotlib.
"""
import argparse
import json
import math
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
RANGES = {
    "size": ("frame side", [32, 64, 128, 256, 512], lambda v: ["--size", str(v)]),
    "frames": ("frames in, as many out", [4, 10, 20, 40],
               lambda v: ["--set", f"dataset.input_frames={v}", "--set", f"dataset.output_frames={v}"]),
    "batch": ("batch", [1, 2, 4, 8, 16], lambda v: ["--batch", str(v)]),
    "hid_T": ("hid_T", [64, 128, 256, 512], lambda v: ["--set", f"model.hid_T={v}"]),
}
WORKS = {
    "inference": ["--work", "infer"],
    "training": ["--work", "train"],
    "checkpointed": ["--work", "train", "--checkpoint-activations"],
}
DEFAULTS = {"--size": "64", "--batch": "1"}
LEAST_MEMORY = 16 * 2**20


def bench(options, work, arguments):
    given = dict(DEFAULTS)
    settings = ["--set", "model.hid_T=128"]
    if arguments[0] == "--set":
        settings += arguments
    else:
        given[arguments[0]] = arguments[1]
    command = [options.stl, "bench", options.experiment, "--translator", options.translator, "--json", "--warmup", "1",
               *WORKS[work], *settings]
    for key, value in given.items():
        command += [key, value]

    def best_of(repeats):
        done = subprocess.run([*command, "--repeats", str(repeats)], stdout=subprocess.PIPE, text=True, check=True)
        line = json.loads(done.stdout)
        return line["batch"] / line["best_seq_per_s"], line["peak_memory"]

    seconds, memory = best_of(options.repeats)
    in_a_second = math.ceil(1 / seconds)
    if in_a_second > options.repeats:
        seconds, memory = best_of(in_a_second)
    return seconds, memory


def exponent(points):
    """Slope of log y over log x, in the upper half of the range."""
    points = points[len(points) // 2 - (len(points) % 2 == 0):]
    if len(points) < 2:
        return math.nan
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / sum((x - mean_x) ** 2 for x in xs)


def better(first, second):
    """Of two measurements of the same rows: the quicker time, the smaller memory."""
    return [(value, min(s, t), min(m, n)) for (value, s, m), (_, t, n) in zip(first, second)]


def measure(options):
    found = measure_once(options)
    for _ in range(options.rounds - 1):
        again = measure_once(options)
        found = {key: better(rows, again[key]) for key, rows in found.items()}
    return found


def measure_once(options):
    found = {}
    for work in WORKS:
        _, empty = bench(options, work, ["--size", "8"])
        for name, (_, values, arguments) in RANGES.items():
            rows = []
            for value in values:
                seconds, memory = bench(options, work, arguments(value))
                rows.append((value, seconds, memory - empty))
            found[work, name] = rows
    return found


def mebibytes(memory):
    return f"{memory / 2**20:.0f}" if memory >= LEAST_MEMORY else f"<{LEAST_MEMORY // 2**20}"


def print_tables(found):
    for name, (title, values, _) in RANGES.items():
        print(f"\n| {title} | " + " | ".join(f"{work}, s | MiB" for work in WORKS) + " |")
        print("|---" + "|---:" * (2 * len(WORKS)) + "|")
        for i, value in enumerate(values):
            cells = [found[work, name][i] for work in WORKS]
            print(f"| {value} | " + " | ".join(f"{s:.3f} | {mebibytes(m)}" for _, s, m in cells) + " |")
        slopes = []
        for work in WORKS:
            rows = found[work, name]
            slopes += [exponent([(v, s) for v, s, _ in rows]),
                       exponent([(v, m) for v, _, m in rows if m >= LEAST_MEMORY])]
        print("| exponent | " + " | ".join("" if math.isnan(s) else f"{s:.2f}" for s in slopes) + " |")


def plot(found, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(RANGES), figsize=(12, 5.5), layout="constrained")
    for column, (name, (title, values, _)) in enumerate(RANGES.items()):
        for row, unit in enumerate(("seconds", "MiB")):
            axis = axes[row][column]
            for work in WORKS:
                points = [(r[0], r[1] if row == 0 else r[2] / 2**20) for r in found[work, name]]
                points = [(x, y) for x, y in points if row == 0 or y >= LEAST_MEMORY / 2**20]
                axis.loglog([x for x, _ in points], [y for _, y in points], marker="o", label=work)
            axis.set_xticks(values, [str(v) for v in values])
            axis.minorticks_off()
            axis.set_xlabel(title)
            if column == 0:
                axis.set_ylabel(unit)
    axes[0][0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="?", default=str(HERE.parent / "experiments/mmnist/study.json"))
    parser.add_argument("--stl", default=str(HERE.parent / "build/bin/stl"))
    parser.add_argument("--translator", default="moganet")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--plot", help="an SVG file to draw to")
    options = parser.parse_args()
    found = measure(options)
    print_tables(found)
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
