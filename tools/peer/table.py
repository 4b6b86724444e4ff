#!/usr/bin/env python3
"""stl beside OpenSTL on this machine, as a Markdown table: sequences per second, both timed in turn.

    python tools/peer/table.py --openstl CHECKOUT [--translator all] [--work infer|train] [--batch 1] [--rounds 2]
                               [--modes eager,channels-last,compile] [--precision fp32]

In each round a translator is timed by `stl bench` and then by tools/peer/bench.py; the median of the rounds counts.
The ratio is that of stl's fast path to the best of OpenSTL's modes. What is needed: see tools/peer/bench.py.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench import SPELLING

HERE = Path(__file__).resolve().parent


def lines(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--stl", default=str(HERE.parents[1] / "build/bin/stl"))
    parser.add_argument("--translator", default="all")
    parser.add_argument("--work", choices=["infer", "train"], default="infer")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--modes", default="eager,channels-last")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--repeats", default="5")
    options = parser.parse_args()
    translators = list(SPELLING) if options.translator == "all" else options.translator.split(",")
    modes = options.modes.split(",")
    same = ["--work", options.work, "--batch", options.batch, "--repeats", options.repeats, "--warmup", "1",
            "--precision", options.precision]
    print("| translator | stl plain | stl fast | " + " | ".join("OpenSTL " + mode for mode in modes) + " | ratio |")
    print("|---|" + "---:|" * (len(modes) + 3), flush=True)
    for translator in translators:
        found = {}
        for _ in range(options.rounds):
            rows = lines([options.stl, "bench", "--translator", translator, "--compare", "plain,fast", "--json", *same])
            rows += lines([sys.executable, str(HERE / "bench.py"), "--openstl", str(options.openstl),
                           "--translator", translator, "--mode", options.modes, *same])
            for row in rows:
                found.setdefault(row["path"], []).append(row["seq_per_s"])
        rate = {path: statistics.median(values) for path, values in found.items()}
        peer = [rate["openstl " + mode] for mode in modes]
        cells = [rate["plain"], rate["fast"], *peer]
        print(f"| {translator} | " + " | ".join(f"{cell:.2f}" for cell in cells) +
              f" | {rate['fast'] / max(peer):.2f}× |", flush=True)


if __name__ == "__main__":
    main()
