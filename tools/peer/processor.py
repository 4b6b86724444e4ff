"""This machine's processor by what it can do, rather than by its name."""
import os
import platform

# The last that is there of each line counts: (its flag in /proc/cpuinfo, what it is called).
FEATURES = [
    [("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX-512 with bfloat16")],
    [("amx_bf16", "AMX")],
    [("asimd", "NEON"), ("bf16", "NEON with bfloat16")],
    [("sve", "SVE"), ("svebf16", "SVE with bfloat16")],
]


def usable_processors(text):
    """What /proc/cpuinfo says of each that this process may run on."""
    blocks = [dict(map(str.strip, line.split(":", 1)) for line in block.splitlines() if ":" in line)
              for block in text.split("\n\n")]
    usable = os.sched_getaffinity(0)
    return [block for block in blocks if block.get("processor", "").isdigit() and int(block["processor"]) in usable]


def counted(number, what):
    return f"{number} {what}" + ("s" if number != 1 else "")


def describe():
    """For example: x86-64, AVX-512 with bfloat16, AMX; 2 cores"""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processors = usable_processors(file.read())
    flags = set((processors[0].get("flags") or processors[0].get("Features") or "").split())
    names = [[name for flag, name in line if flag in flags] for line in FEATURES]
    cores = {(p.get("physical id"), p.get("core id", p["processor"])) for p in processors}
    text = ", ".join([platform.machine().replace("_", "-"), *(line[-1] for line in names if line)])
    text += "; " + counted(len(cores), "core")
    return text if len(cores) == len(processors) else f"{text} of {counted(len(processors), 'thread')} together"
