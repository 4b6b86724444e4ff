#!/usr/bin/env python3
"""stl beside OpenSTL on this machine, as a Markdown table: sequences per second, all timed in turn.

    $(tools/peer/setup) tools/peer/table.py --openstl CHECKOUT [--translator all] [--work infer|train] [--batch 1]
                                            [--modes eager,channels-last,compile,onnxruntime,openvino]
                                            [--precision fp32] [--rounds 2] [--repeats 5] [--exporter stl|torch]

In each round a translator is timed by `stl bench` and then by tools/peer/bench.py, every mode in a process of its own,
with as many threads; the median of the rounds counts. The ratios are those of stl's fast path to the best of OpenSTL's
modes in PyTorch, and to the better of the engines that run its exported network (`onnxruntime`, `openvino`; prediction
alone, bf16 in OpenVINO alone), written by `stl export` or by PyTorch's own exporter. A line above the table says what processor, versions and day it is of. What is needed: see
tools/peer/bench.py. Networks are exported into build/peer-onnx, once; remove it to have them anew.
"""
import argparse
import datetime
import importlib.metadata
import json
import statistics
import subprocess
import sys
from pathlib import Path

import processor
from bench import MODES, listed
from engines import ENGINES, EXPORTERS, EngineError, check, row_of
from peer_model import SPELLING

HERE = Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--stl", default=str(HERE.parents[1] / "build/bin/stl"))
    parser.add_argument("--translator", type=listed(list(SPELLING)), default=list(SPELLING))
    parser.add_argument("--work", choices=["infer", "train"], default="infer")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--modes", type=listed(MODES), default=["eager", "channels-last"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--exporter", choices=EXPORTERS, default="stl", help="what engines' networks are written by")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: stl's own choice, which the others get too")
    return parser.parse_args()


def run(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        sys.exit(f"table.py: {command[0]}: {error.strerror}")


def lines(command):
    done = run(command)
    if done.returncode != 0:
        sys.exit(f"table.py: status {done.returncode} of: {' '.join(command)}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def peer_lines(command, mode):
    """Of one mode; one without a rate if a signal ended it: OpenSTL's MogaNet crashes in bf16 on AMX (see ops/convolve.cpp)."""
    done = run([*command, "--mode", mode])
    if done.returncode > 0:
        sys.exit(f"table.py: status {done.returncode} of: {' '.join(done.args)}")
    if done.returncode < 0:
        print(f"table.py: signal {-done.returncode} ended: {' '.join(done.args)}", file=sys.stderr)
        return [{"path": row_of(mode), "seq_per_s": None}]
    return [json.loads(line) for line in done.stdout.splitlines()]


def one_round(options, translator):
    """The rows of stl's paths, then of every mode."""
    same = ["--work", options.work, "--batch", str(options.batch), "--repeats", str(options.repeats), "--warmup", "1",
            "--precision", options.precision, "--translator", translator]
    rows = lines([options.stl, "bench", "--compare", "plain,fast", "--json", "--threads", str(options.threads), *same])
    peer = [sys.executable, str(HERE / "bench.py"), "--openstl", str(options.openstl),
            "--threads", str(rows[0]["threads"]), "--exporter", options.exporter, *same]
    for mode in options.modes:
        rows += peer_lines(peer, mode)
    return rows


def groups(modes):
    """What stl's fast path is compared with: a name, and the paths of which the best counts."""
    named = {"OpenSTL": [row_of(mode) for mode in modes if mode not in ENGINES],
             "engines": [row_of(mode) for mode in modes if mode in ENGINES]}
    return {name: paths for name, paths in named.items() if paths}


def print_heading(options, threads):
    packages = {"torch": "torch"} | {mode: ENGINES[mode] for mode in options.modes if mode in ENGINES}
    versions = ", ".join(f"{name} {importlib.metadata.version(package)}" for package, name in packages.items())
    work = {"infer": "Inference", "train": "Training"}[options.work]
    if any(mode in ENGINES for mode in options.modes):
        versions += {"stl": ", networks written by stl export", "torch": ", networks written by torch.onnx.export"}[options.exporter]
    today = datetime.date.today()
    columns = ["stl plain", "stl fast", *(ENGINES.get(mode, "OpenSTL " + mode) for mode in options.modes),
               *("ratio to " + name for name in groups(options.modes))]
    print(f"{work} in {options.precision}, batch {options.batch}, sequences per second; {processor.describe()}, "
          f"{processor.counted(threads, 'thread')}; {versions}; {today.day} {today:%B %Y}.\n")
    print("| translator | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns), flush=True)


def print_row(options, translator, rate):
    paths = ["plain", "fast", *map(row_of, options.modes)]
    cells = [f"{rate[path]:.2f}" if path in rate else "crashes" for path in paths]
    for group in groups(options.modes).values():
        known = [rate[path] for path in group if path in rate]
        cells.append(f"{rate['fast'] / max(known):.2f}×" if known else "–")
    print(f"| {translator} | " + " | ".join(cells) + " |", flush=True)


def main():
    options = arguments()
    check(options.modes, options.work, options.precision)
    for index, translator in enumerate(options.translator):
        found = {}
        for _ in range(options.rounds):
            rows = one_round(options, translator)
            for row in rows:
                if row["seq_per_s"] is not None:
                    found.setdefault(row["path"], []).append(row["seq_per_s"])
        if index == 0:
            print_heading(options, rows[0]["threads"])
        print_row(options, translator, {path: statistics.median(values) for path, values in found.items()})


if __name__ == "__main__":
    try:
        main()
    except EngineError as error:
        sys.exit(f"table.py: {error}")
