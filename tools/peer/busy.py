#!/usr/bin/env python3
"""stl beside OpenSTL on a machine that others use as well, as a Markdown table: sequences per second.

    $(tools/peer/setup) tools/peer/busy.py --openstl CHECKOUT [--translator moganet,gsta,convmixer] [--work infer,train]
                                           [--batch 1] [--neighbours 1] [--rounds 2] [--repeats 3]

Each is timed alone, beside so many processes that compute without end ("busy"), and beside as many at the lowest priority
("niced"), all in turn; the median of the rounds counts. The last two columns are what stays of the speed alone beside busy
neighbours. What is needed: see tools/peer/bench.py.
"""
import argparse
import contextlib
import datetime
import json
import statistics
import subprocess
import sys
from pathlib import Path

import processor
from bench import listed
from peer_model import SPELLING

HERE = Path(__file__).resolve().parent
STATES = {"alone": None, "busy": [], "niced": ["nice", "-n", "19"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--stl", default=str(HERE.parents[1] / "build/bin/stl"))
    parser.add_argument("--translator", type=listed(list(SPELLING)), default=["moganet", "gsta", "convmixer"])
    parser.add_argument("--work", type=listed(["infer", "train"]), default=["infer", "train"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


@contextlib.contextmanager
def neighbours(count, prefix):
    """Processes that compute until the block ends; none where prefix is None."""
    endless = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen([*prefix, *endless]) for _ in range(count)] if prefix is not None else []
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def rate(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"busy.py: status {done.returncode} of: {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])["seq_per_s"]


def main():
    options = arguments()
    today = datetime.date.today()
    print(f"Sequences per second, batch {options.batch}, fp32, alone and beside "
          f"{processor.counted(options.neighbours, 'other process')}; {processor.describe()}; "
          f"{today.day} {today:%B %Y}.\n".replace("processs", "processes"))
    columns = [f"{program} {state}" for program in ("stl", "OpenSTL") for state in STATES]
    print("| work | translator | " + " | ".join(columns) + " | stl keeps | OpenSTL keeps |")
    print("|---|---|" + "---:|" * (len(columns) + 2), flush=True)
    for work in options.work:
        for translator in options.translator:
            same = ["--work", work, "--translator", translator, "--batch", str(options.batch), "--warmup", "1",
                    "--repeats", str(options.repeats)]
            commands = {"stl": [options.stl, "bench", "--json", *same],
                        "OpenSTL": [sys.executable, str(HERE / "bench.py"), "--openstl", str(options.openstl),
                                    "--mode", "eager", *same]}
            found = {}
            for _ in range(options.rounds):
                for state, prefix in STATES.items():
                    with neighbours(options.neighbours, prefix):
                        for program, command in commands.items():
                            found.setdefault((program, state), []).append(rate(command))
            median = {key: statistics.median(values) for key, values in found.items()}
            cells = [f"{median[program, state]:.2f}" for program in commands for state in STATES]
            cells += [f"{100 * median[program, 'busy'] / median[program, 'alone']:.0f} %" for program in commands]
            print(f"| {work} | {translator} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
