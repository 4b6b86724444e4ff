"""The peer's network in inference engines, on a CPU: ONNX Runtime and OpenVINO, from the file that export.py made."""
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build/peer-onnx"
# What --mode calls it (which is also its package) -> what it is called.
ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
OPSET = 17


class EngineError(Exception):
    """What an engine cannot do, in one line."""


def row_of(mode):
    """What a mode's rows are called, in `path`."""
    return mode if mode in ENGINES else "openstl " + mode


def check(modes, work, precision, device="cpu"):
    """Throws EngineError where an engine among `modes` cannot do that."""
    for engine in (mode for mode in modes if mode in ENGINES):
        name = ENGINES[engine]
        if work != "infer":
            raise EngineError(f"{name} only predicts: leave {engine} out of the modes to time training")
        if device != "cpu":
            raise EngineError(f"{name} is timed on a CPU only, not on {device}: leave {engine} out of the modes")
        if engine == "onnxruntime" and precision == "bf16":
            raise EngineError(f"{name} has no bf16 convolutions on a CPU: leave {engine} out of the modes")
        try:
            importlib.metadata.version(engine)
        except importlib.metadata.PackageNotFoundError:
            raise EngineError(f"this Python has no {engine}: tools/peer/setup installs it") from None


def path_of(folder, translator, batch):
    return folder / f"{translator}-batch{batch}-opset{OPSET}-torch{importlib.metadata.version('torch')}.onnx"


def exported(openstl, translator, batch, folder):
    """The network's file in `folder`. One that is missing is made by a process of its own: none that times has torch."""
    path = path_of(folder, translator, batch)
    if not path.exists():
        done = subprocess.run([sys.executable, str(HERE / "export.py"), "--openstl", str(openstl), "--translator", translator,
                               "--batch", str(batch), "--folder", str(folder)], stdout=sys.stderr)
        if done.returncode != 0:
            raise EngineError(f"{translator} could not be exported")
    return path


def load(engine, path, threads, precision):
    """A function from frames to predicted ones (both NumPy), and how many threads it has."""
    threads = threads or len(os.sched_getaffinity(0))
    return {"onnxruntime": _onnxruntime, "openvino": _openvino}[engine](path, threads, precision)


def _onnxruntime(path, threads, _):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0], threads


def _openvino(path, threads, precision):
    import openvino

    wanted = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
    compiled = openvino.Core().compile_model(str(path), "CPU", {
        "INFERENCE_PRECISION_HINT": wanted, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": True})
    if compiled.get_property("INFERENCE_PRECISION_HINT") != wanted:
        raise EngineError(f"OpenVINO does not compute in {precision} on this processor: leave openvino out of the modes")
    return lambda x: compiled([x])[0], compiled.get_property("INFERENCE_NUM_THREADS")
