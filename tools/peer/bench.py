#!/usr/bin/env python3
"""Times OpenSTL's SimVP, the Python network that stl is compared with: in PyTorch, or exported and in an inference engine.

    python tools/peer/bench.py --openstl CHECKOUT [--translator moganet,van] [--work infer|train] [--batch 1,4]
                               [--mode eager,channels-last,compile,onnxruntime,openvino] [--device cpu] [--precision fp32]
                               [--exporter stl|torch]

One JSON object a line, with the keys of `stl bench --json`; `path` is the mode. Needs torch 2.11, torchvision 0.26 and
timm 0.6.11, for engines also onnx and the engine, all of which tools/peer/setup installs, and a checkout of OpenSTL, whose
files are run as they are. Sizes are the Moving MNIST benchmark's. The engines only predict, on a CPU; what they run is
exported by export.py where it is not in --cache yet: by `stl export`, or by PyTorch's own exporter.
"""
import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import engines
import peer_model

MODES = ["eager", "channels-last", "compile", *engines.ENGINES]


def listed(choices):
    def parse(text):
        values = choices if text == "all" else text.split(",")
        for value in values:
            if value not in choices:
                raise argparse.ArgumentTypeError(f"{value!r} is none of {', '.join(choices)}")
        return values
    return parse


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openstl", type=Path, required=True, help="folder of the checkout")
    parser.add_argument("--translator", type=listed(list(peer_model.SPELLING)), default=list(peer_model.SPELLING))
    parser.add_argument("--mode", type=listed(MODES), default=["eager"])
    parser.add_argument("--work", choices=["infer", "train"], default="infer")
    parser.add_argument("--batch", type=lambda text: [int(part) for part in text.split(",")], default=[1])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice; engines take all processors")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=engines.CACHE, help="folder of exported networks")
    parser.add_argument("--exporter", choices=engines.EXPORTERS, default="stl", help="what engines' networks are written by")
    return parser.parse_args()


class Torch:
    """OpenSTL as it is, on PyTorch."""

    def __init__(self, options):
        import torch

        self.torch, self.options = torch, options
        self.device = torch.device(options.device)
        if options.threads:
            torch.set_num_threads(options.threads)
        self.threads = torch.get_num_threads()
        self.wait = torch.cuda.synchronize if self.device.type == "cuda" else lambda: None
        self.make_network = peer_model.load(options.openstl)

    def steps(self, translator, mode):
        """Each size of batch with what is to be timed."""
        torch = self.torch
        network = peer_model.benchmark(self.make_network, translator)
        network = network.to(self.device).train(self.options.work == "train")
        if mode == "channels-last":
            network = network.to(memory_format=torch.channels_last)
        if mode == "compile":
            network = torch.compile(network)
        for batch in self.options.batch:
            yield batch, self.step(network, batch)

    def step(self, network, batch):
        torch, options = self.torch, self.options
        x, y = (torch.rand(batch, *peer_model.BENCHMARK_SHAPE, device=self.device) for _ in range(2))
        cast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16")
        if options.work == "infer":
            def infer():
                with torch.inference_mode(), cast:
                    network(x)
            return infer
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

        def train():
            with cast:
                loss = torch.nn.functional.mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return train

    def peak_memory(self):
        if self.device.type == "cuda":
            return self.torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Engine:
    """OpenSTL's network, exported, in an engine."""

    def __init__(self, options):
        self.options = options
        self.threads = None  # That of the last step.

    def steps(self, translator, engine):
        import numpy

        options = self.options
        for batch in options.batch:
            path = engines.exported(options.openstl, translator, batch, options.cache, options.exporter)
            run, self.threads = engines.load(engine, path, options.threads, options.precision, batch)
            x = numpy.random.default_rng(0).random((batch, *peer_model.BENCHMARK_SHAPE), dtype=numpy.float32)
            yield batch, lambda: run(x)

    def wait(self):
        pass

    def peak_memory(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def seconds_of(step, wait, options):
    seconds = []
    for i in range(options.warmup + options.repeats):
        wait()
        start = time.perf_counter()
        step()
        wait()
        if i >= options.warmup:
            seconds.append(time.perf_counter() - start)
    return seconds


def main():
    options = arguments()
    engines.check(options.mode, options.work, options.precision, options.device)
    peers = {mode: Engine(options) for mode in options.mode if mode in engines.ENGINES}
    if len(peers) < len(options.mode):
        torch = Torch(options)
        peers |= {mode: torch for mode in options.mode if mode not in peers}
    for translator in options.translator:
        for mode in options.mode:
            peer = peers[mode]
            for batch, step in peer.steps(translator, mode):
                seconds = seconds_of(step, peer.wait, options)
                print(json.dumps({
                    "translator": translator, "work": options.work, "device": options.device,
                    "precision": options.precision, "path": engines.row_of(mode),
                    "batch": batch,
                    "seq_per_s": round(batch / statistics.median(seconds), 3),
                    "best_seq_per_s": round(batch / min(seconds), 3),
                    "peak_memory": peer.peak_memory(), "threads": peer.threads,
                }), flush=True)


if __name__ == "__main__":
    try:
        main()
    except engines.EngineError as error:
        sys.exit(f"bench.py: {error}")
