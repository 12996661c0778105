"""A network on ONNX Runtime, which starts in a fraction of TensorFlow's time: what `covidlab predict` uses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """A file that `covidlab export` wrote, opened; it takes one slice of one fixed size at a time."""

    session: Any  # onnxruntime.InferenceSession
    takes: str  # The name of what it is given

    @classmethod
    def open(cls, path: Path, threads: int = 0) -> "OnnxNetwork":
        """Open a file; 0 threads leaves their number to the runtime."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # beside other work it would starve
        options.log_severity_level = 4  # what cannot be read is told once, by the error
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return cls(session, session.get_inputs()[0].name)

    def run(self, slice_: np.ndarray) -> np.ndarray:
        """One slice, float32 (1, size, size, 1) in 0..1 -> its probabilities, float32 of the same shape."""
        return self.session.run(None, {self.takes: slice_})[0]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Slices, uint8 (slices, size, size) -> probabilities, float32 of the same shape."""
        return np.stack([self.run(slice_[None, ..., None].astype(np.float32) / 255)[0, ..., 0] for slice_ in images])
