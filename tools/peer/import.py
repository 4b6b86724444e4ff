#!/usr/bin/env python3
"""Times `stl import` beside ffmpeg doing the same decoding and scaling to raw frames, in turn.

    python tools/peer/import.py [CLIP...] [--size 64x64] [--rounds 3] [--seconds 60] [--stl build/bin/stl]

Without clips it makes 1080p H.264 ones of its own (x264, grainy like a phone's video). For each clip, gray and rgb: frames
a second, processor seconds and peak memory, medians of the rounds. Needs the ffmpeg and ffprobe programs.
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

# What people have: a phone's video (hardware encoders are fast and generous), a film from the web (slow, small).
MADE = {"phone.mp4": ("30", "-preset veryfast -b:v 17M -maxrate 20M -bufsize 34M -bf 0 -g 30"),
        "web.mp4": ("25", "-preset medium -crf 23")}
CHANNELS = {"gray": "gray", "rgb": "rgb24"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--size", default="64x64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60, help="of the clips that are made")
    parser.add_argument("--stl", default="build/bin/stl")
    return parser.parse_args()


def make_clips(folder, seconds):
    for name, (rate, settings) in MADE.items():
        source = f"testsrc2=size=1920x1080:rate={rate},noise=alls=6:allf=t,rotate=0.02*sin(t)"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", str(seconds),
                        "-pix_fmt", "yuv420p", "-c:v", "libx264", *settings.split(), str(folder / name)], check=True)
    return [folder / name for name in MADE]


def count_frames(clip):
    entry = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
                            "stream=nb_read_packets", "-of", "csv=p=0", str(clip)], check=True, capture_output=True)
    return int(entry.stdout.decode().strip().strip(","))


def measure(command):
    """Seconds of the clock, seconds of the processors, and peak memory in MiB."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit("failed: " + " ".join(command))
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="stl-import-") as folder:
        clips = options.clips or make_clips(Path(folder), options.seconds)
        output = Path(folder) / "out.h5"
        print("| clip | frames | | ffmpeg frames/s | stl frames/s | ratio | ffmpeg CPU s | stl CPU s | ffmpeg MiB | stl MiB |")
        print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|")
        for clip in clips:
            frames = count_frames(clip)
            for kind, pixels in CHANNELS.items():
                peer = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(clip), "-vf",
                        f"scale={options.size.replace('x', ':')}:flags=area", "-pix_fmt", pixels, "-f", "rawvideo",
                        "/dev/null"]
                ours = [options.stl, "import", str(clip), "--size", options.size, "--" + kind, "--output", str(output),
                        "--force"]
                rounds = [(measure(peer), measure(ours)) for _ in range(options.rounds)]
                (wall, cpu, memory), (our_wall, our_cpu, our_memory) = (
                    tuple(statistics.median(column) for column in zip(*side)) for side in zip(*rounds))
                print(f"| {clip.name} | {frames} | {kind} | {frames / wall:.0f} | {frames / our_wall:.0f} | "
                      f"{wall / our_wall:.2f} | {cpu:.1f} | {our_cpu:.1f} | {memory:.0f} | {our_memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
