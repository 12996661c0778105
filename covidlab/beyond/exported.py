"""An exported file as a function of slices: ONNX Runtime, OpenVINO or LiteRT under one signature."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from covidlab._tensorflow import quiet
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count
from covidlab.training.runs import Run

# One slice, float32 (1, size, size, 1) in 0..1 -> its probabilities, (1, size, size, 1).
Runner = Callable[[np.ndarray], np.ndarray]


def open_exported(path: Path, threads: int = 0, engine: str = "") -> Runner:
    """An exported file as a function of one slice.

    Parameters
    ----------
    path : Path
        Ends in .onnx or .tflite.
    threads : int
        0 leaves it to the runtime.
    engine : str
        "openvino" runs an ONNX file there, in float32 (on processors that can, its own default is bfloat16); by
        default ONNX Runtime does.

    Returns
    -------
    callable
        float32 (1, size, size, 1) in 0..1 -> float32 probabilities (1, size, size, 1).
    """
    with quiet():
        if path.suffix == ".tflite":
            return _open_litert(path, threads)
        return (_open_openvino if engine == "openvino" else _open_onnxruntime)(path, threads)


def _open_onnxruntime(path: Path, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda slice_: session.run(None, {name: slice_})[0]


def _open_openvino(path: Path, threads: int) -> Runner:
    # OpenVINO reports its own import over the network and keeps a number for the user in the home folder. Without this
    # package it does neither: it has a stand-in for those who do not install it.
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    core = openvino.Core()
    # The reader of ONNX files, not `convert_model`, which reports its use over the network.
    request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
    return lambda slice_: request.infer([slice_])[0]


def _open_litert(path: Path, threads: int) -> Runner:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads or os.cpu_count())
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(slice_: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given, slice_)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return run


def predict_exported(run: Runner, slices: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities of an exported file for slices on its grid, as `models.predict_slices` gives a model's.

    Parameters
    ----------
    run : callable
        From `open_exported`.
    slices : uint8 array (n, size, size)

    Returns
    -------
    float32 array (n, size, size) in 0..1
    """
    return np.stack([run(slice_[None, ..., None].astype(np.float32) / 255)[0, ..., 0] for slice_ in slices])


def score_exported(path: Path, run: Run, cache: SliceCache) -> Counts:
    """What an exported file of a run's weights gets right and wrong on the run's test part, at the run's threshold.

    Parameters
    ----------
    path : Path
        Takes slices of the run's grid.
    run : Run
    cache : SliceCache
        Of the run's cohort and grid.

    Returns
    -------
    Counts
        Pooled over all slices of the part; `run.counts["test"]` are Keras' own.
    """
    test = run.config.split(cache).test
    found = predict_exported(open_exported(path), cache.images[test])
    return count(cache.masks[test], run.segmenter.mark(found))
