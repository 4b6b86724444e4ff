"""OpenSTL's networks in inference engines, on a CPU: ONNX Runtime and OpenVINO, from the file that export.py made."""
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
# What writes the files: `stl export`, or PyTorch's own exporter from OpenSTL's modules, with the size of batch fixed.
EXPORTERS = ["stl", "torch"]
STL = HERE.parents[1] / "build/bin/stl"


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


def path_of(folder, translator, batch, exporter):
    if exporter == "stl":
        return folder / f"{translator}-opset{OPSET}-stl.onnx"
    return folder / f"{translator}-batch{batch}-opset{OPSET}-torch{importlib.metadata.version('torch')}.onnx"


def exported(openstl, translator, batch, folder, exporter):
    """The network's file in `folder`. One that is missing is made by a process of its own: none that times has torch."""
    path = path_of(folder, translator, batch, exporter)
    if not path.exists():
        done = subprocess.run([sys.executable, str(HERE / "export.py"), "--openstl", str(openstl), "--translator", translator,
                               "--batch", str(batch), "--folder", str(folder), "--exporter", exporter], stdout=sys.stderr)
        if done.returncode != 0:
            raise EngineError(f"{translator} could not be exported")
    return path


def load(engine, path, threads, precision, batch=None):
    """A function from frames to predicted ones (both NumPy), and how many threads it has. batch: fixed in the engine, which
    knows every size then; None: as the file has it."""
    threads = threads or len(os.sched_getaffinity(0))
    return {"onnxruntime": _onnxruntime, "openvino": _openvino}[engine](path, threads, precision, batch)


def _onnxruntime(path, threads, _, batch):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if batch is not None:
        options.add_free_dimension_override_by_name("batch", batch)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0], threads


def _openvino(path, threads, precision, batch):
    import openvino

    wanted = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
    core = openvino.Core()
    network = core.read_model(str(path))
    if batch is not None:
        network.reshape([batch, *list(network.input(0).partial_shape)[1:]])
    compiled = core.compile_model(network, "CPU", {
        "INFERENCE_PRECISION_HINT": wanted, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": True})
    if compiled.get_property("INFERENCE_PRECISION_HINT") != wanted:
        raise EngineError(f"OpenVINO does not compute in {precision} on this processor: leave openvino out of the modes")
    return lambda x: compiled([x])[0], compiled.get_property("INFERENCE_NUM_THREADS")
