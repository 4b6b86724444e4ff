#!/usr/bin/env python3
"""Times OpenSTL's SimVP, the Python network that stl is compared with.

    python tools/peer/bench.py --openstl CHECKOUT [--translator moganet,van] [--mode eager,channels-last,compile]
                               [--work infer|train] [--batch 1,4] [--device cpu] [--precision fp32]

One JSON object a line, with the keys of `stl bench --json`; `path` is the mode. Needs torch 2.11, torchvision 0.26 and
timm 0.6.11, all from pip, and a checkout of OpenSTL, whose files are run as they are. Sizes are the Moving MNIST
benchmark's.
"""
import argparse
import contextlib
import io
import json
import resource
import statistics
import time
from pathlib import Path

import peer_model

# Ours -> OpenSTL's.
SPELLING = {"incepu": "IncepU", "gsta": "gSTA", "vit": "vit", "swin": "swin", "uniformer": "uniformer",
            "mlpmixer": "mlp", "convmixer": "convmixer", "poolformer": "poolformer", "convnext": "convnext",
            "van": "van", "hornet": "hornet", "moganet": "moga", "tau": "tau"}


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
    parser.add_argument("--translator", type=listed(list(SPELLING)), default=list(SPELLING))
    parser.add_argument("--mode", type=listed(["eager", "channels-last", "compile"]), default=["eager"])
    parser.add_argument("--work", choices=["infer", "train"], default="infer")
    parser.add_argument("--batch", type=lambda text: [int(part) for part in text.split(",")], default=[1])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    return parser.parse_args()


def peak_memory(torch, device):
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def make_step(torch, options, network, batch, shape, device):
    x, y = (torch.rand(batch, *shape, device=device) for _ in range(2))
    cast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16")
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


def main():
    options = arguments()
    import torch
    if options.threads:
        torch.set_num_threads(options.threads)
    make_network = peer_model.load(options.openstl)
    shape = (10, 1, 64, 64)
    device = torch.device(options.device)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for translator in options.translator:
        for mode in options.mode:
            torch.manual_seed(0)
            with contextlib.redirect_stdout(io.StringIO()):
                network = make_network(in_shape=shape, hid_S=64, hid_T=512, N_S=4, N_T=8, mlp_ratio=8.0, drop=0.0,
                                       drop_path=0.0, spatio_kernel_enc=3, spatio_kernel_dec=3,
                                       model_type=SPELLING[translator])
            network = network.to(device).train(options.work == "train")
            if mode == "channels-last":
                network = network.to(memory_format=torch.channels_last)
            if mode == "compile":
                network = torch.compile(network)
            for batch in options.batch:
                step = make_step(torch, options, network, batch, shape, device)
                seconds = []
                for i in range(options.warmup + options.repeats):
                    wait()
                    start = time.perf_counter()
                    step()
                    wait()
                    if i >= options.warmup:
                        seconds.append(time.perf_counter() - start)
                print(json.dumps({
                    "translator": translator, "work": options.work, "device": options.device,
                    "precision": options.precision, "path": "openstl " + mode, "batch": batch,
                    "seq_per_s": round(batch / statistics.median(seconds), 3),
                    "best_seq_per_s": round(batch / min(seconds), 3),
                    "peak_memory": peak_memory(torch, device), "threads": torch.get_num_threads(),
                }), flush=True)


if __name__ == "__main__":
    main()
