"""Networks as files that run without Keras, ONNX and LiteRT: what `covidlab export` may write, and how it is run.

What writes and runs them is the optional extra `export`, but for ONNX Runtime, which starts in a fraction of
TensorFlow's time: `covidlab predict` uses it. Nothing here imports any of it before a file is opened. A file takes one
slice of one fixed size: that is what runtimes are fastest at.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covidlab.errors import CovidlabError, require

# One slice, float32 (1, size, size, 1) in 0..1 -> its probabilities, (1, size, size, 1).
Runner = Callable[[np.ndarray], np.ndarray]


def predict_exported(run: Runner, slices: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities of an opened file for slices on its grid, as `models.predict_slices` gives a model's.

    uint8 (n, size, size) -> float32 (n, size, size) in 0..1.
    """
    return np.stack([run(slice_[None, ..., None].astype(np.float32) / 255)[0, ..., 0] for slice_ in slices])


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """An ONNX file, opened on ONNX Runtime: with slices, uint8 (slices, size, size), it is called as a model is."""

    session: Any  # onnxruntime.InferenceSession
    takes: str  # The name of what it is given
    workers: int = 1  # Slices at work at once: one a thread costs less than several threads on each

    @classmethod
    def open(cls, path: Path, threads: int = 0, workers: int = 1) -> "OnnxNetwork":
        """Open a file; 0 threads, of each of the workers, leaves their number to the runtime."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # beside other work it would starve
        options.log_severity_level = 4  # what cannot be read is told once, by the error
        here = {"providers": ["CPUExecutionProvider"], "enable_fallback": 0}  # falling back, it would print
        session = onnxruntime.InferenceSession(path, options, **here)
        return cls(session, session.get_inputs()[0].name, workers)

    def run(self, slice_: np.ndarray) -> np.ndarray:
        """A `Runner`."""
        return self.session.run(None, {self.takes: slice_})[0]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with ThreadPoolExecutor(self.workers) as workers:
            return np.concatenate(list(workers.map(lambda one: predict_exported(self.run, one[None]), images)))


def _open_litert(path: Path, threads: int) -> Runner:
    from ai_edge_litert.interpreter import Interpreter

    from covidlab._tensorflow import quiet  # it has TensorFlow's habits

    with quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=threads or os.cpu_count())
        interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(slice_: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given, slice_)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return run


@dataclass(frozen=True)
class Format:
    """A kind of exported file."""

    name: str
    keras: str  # What `model.export` calls it
    needs: tuple[str, ...]  # What writes and runs it, by import names
    open: Callable[[Path, int], Runner]


# By the ending of a file's name.
FORMATS = {
    ".onnx": Format("ONNX", "onnx", ("tf2onnx", "onnxruntime"), lambda *asked: OnnxNetwork.open(*asked).run),
    ".tflite": Format("LiteRT", "litert", ("ai_edge_litert",), _open_litert),
}


def open_exported(path: Path, threads: int = 0) -> Runner:
    """An exported file as a function of one slice, float32 (1, size, size, 1) in 0..1 -> float32 probabilities.

    `path` ends in .onnx or .tflite; 0 threads leaves their number to the runtime.
    """
    return FORMATS[path.suffix].open(path, threads)


def check_target(path: Path, int8: bool) -> None:
    """Refuse a file that cannot be written here, before any work is done.

    Raises `CovidlabError` if the name has another ending, int8 is asked of ONNX, or a package is missing.
    """
    if path.suffix not in FORMATS:
        raise CovidlabError(path, "a name of another kind", f"an ending {' or '.join(FORMATS)}", "add one to -o")
    if int8 and path.suffix == ".onnx":
        raise CovidlabError(path, "int8 asked of ONNX", "int8 as LiteRT", "end the name in .tflite")
    require(path, "export", *FORMATS[path.suffix].needs)
