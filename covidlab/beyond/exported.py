"""An exported file as a function of slices: ONNX Runtime or LiteRT under one signature, chosen by the file's ending."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidlab._tensorflow import quiet
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count
from covidlab.training.runs import Run

# One slice, float32 (1, size, size, 1) in 0..1 -> its probabilities, (1, size, size, 1).
Runner = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Format:
    """A kind of exported file."""

    name: str
    keras: str  # What `model.export` calls it
    needs: tuple[str, ...]  # What writes and runs it, by import names
    open: Callable[[Path, int], Runner]


def _open_onnxruntime(path: Path, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda slice_: session.run(None, {name: slice_})[0]


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


# By the ending of a file's name.
FORMATS = {
    ".onnx": Format("ONNX", "onnx", ("tf2onnx", "onnxruntime"), _open_onnxruntime),
    ".tflite": Format("LiteRT", "litert", ("ai_edge_litert",), _open_litert),
}


def open_exported(path: Path, threads: int = 0) -> Runner:
    """An exported file as a function of one slice, float32 (1, size, size, 1) in 0..1 -> float32 probabilities.

    `path` ends in .onnx or .tflite; 0 threads leaves their number to the runtime.
    """
    with quiet():
        return FORMATS[path.suffix].open(path, threads)


def predict_exported(run: Runner, slices: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities of an opened file for slices on its grid, as `models.predict_slices` gives a model's.

    uint8 (n, size, size) -> float32 (n, size, size) in 0..1.
    """
    return np.stack([run(slice_[None, ..., None].astype(np.float32) / 255)[0, ..., 0] for slice_ in slices])


def score_exported(path: Path, run: Run, cache: SliceCache) -> Counts:
    """What an exported file of a run's weights gets right and wrong on the run's test part, at the run's threshold.

    The file takes slices of the run's grid; the cache is of the run's cohort and grid. All slices of the part are
    pooled; `run.counts["test"]` are Keras' own.
    """
    test = run.config.split(cache).test
    found = predict_exported(open_exported(path), cache.images[test])
    return count(cache.masks[test], run.segmenter.mark(found))
