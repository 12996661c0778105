"""What is lost around the model: in training, and when a whole scan is segmented.

Both answers are ratios of two times taken in turns in one run, so other work on the machine meets both alike. The
same ratio of processor time is given beside them: other work hardly touches it.
"""

import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.data.grid import GridFit
from covidlab.data.lungs import lung_mask
from covidlab.data.scans import read_scan
from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter
from covidlab.training.batches import training_slices
from covidlab.training.fit import learner_and_batches, train
from covidlab.training.recipe import Recipe


@dataclass(frozen=True)
class TrainingRate:
    """How busy `train` keeps the processor with the model itself.

    Parameters
    ----------
    model : str
    grid, batch_size, updates : int
        Updates counted on either side; the first turn, which traces the graph, is left out.
    trained, fed : float
        Slices a second: of `train` with all that belongs to it (reading, augmenting, validation, files), and of the
        same update fed again and again with one batch from memory.
    share : float
        `trained` over `fed`; 1 would be a training that costs nothing but its updates.
    batches_share : float
        The same without turns that held a validation: what reading and augmenting leave.
    processor_share : float
        As `share`, in processor time.
    """

    model: str
    grid: int
    batch_size: int
    updates: int
    trained: float
    fed: float
    share: float
    batches_share: float
    processor_share: float

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.model}, {self.grid} px, batches of {self.batch_size}, {self.updates} updates a side: train "
            f"{self.trained:.1f} slices/s, the same update from memory {self.fed:.1f}; share {self.share:.2f} "
            f"({self.batches_share:.2f} without validation, {self.processor_share:.2f} in processor time)"
        )


@dataclass(frozen=True)
class VolumeTime:
    """What a scan costs from file to file, and what of it is the model.

    Parameters
    ----------
    scan : str
    shape : tuple of int (x, y, z)
    grid : int
        Pixels a side that the model works on.
    seconds, model_seconds : float
        Medians: `predict_file`, and the model alone on the scan's slices, ready on its grid.
    ratio : float
        Median over the rounds of the one over the other.
    processor_ratio : float
        The same in processor time.
    parts : dict of str -> float
        Median seconds of reading, of finding the lungs, and of the way to the grid and back.
    """

    scan: str
    shape: tuple[int, ...]
    grid: int
    seconds: float
    model_seconds: float
    ratio: float
    processor_ratio: float
    parts: dict[str, float]

    @property
    def sentence(self) -> str:
        """For people."""
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in self.parts.items())
        return (
            f"{self.scan}, {' x '.join(map(str, self.shape))}, on {self.grid} px: file to file {self.seconds:.2f} s, "
            f"the model alone {self.model_seconds:.2f} s; ratio {self.ratio:.2f} ({self.processor_ratio:.2f} in "
            f"processor time); {parts}"
        )


def training_rate(
    model: keras.Model, cache: SliceCache, split: Split, recipe: Recipe, turn: int = 20
) -> TrainingRate:
    """Train for real, and stop every few updates to make as many with a batch from memory.

    The model is trained, as by `covidlab.training.fit.train`; the recipe's epochs should be as long as they are in
    earnest, since each ends with a validation. `turn` is how many updates pass before the sides change.
    """
    learner, batches = learner_and_batches(model)
    batch = next(iter(batches(cache, training_slices(cache, split, recipe), recipe, split.seed)))
    fed_again = iter(tf.data.Dataset.from_tensors(batch).repeat())
    turns: list[tuple[np.ndarray, np.ndarray, bool]] = []
    since = None

    def change_sides(done: int) -> None:
        nonlocal since
        if done % turn:
            return
        now = _clocks()
        for _ in range(turn):
            learner.train_function(fed_again)
        after = _clocks()
        if since is not None:
            validated = (done - 1) // recipe.updates_per_epoch != (done - turn - 1) // recipe.updates_per_epoch
            turns.append((now - since, after - now, validated))
        since = _clocks()

    updates = itertools.count(1)
    counter = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: change_sides(next(updates)))
    with tempfile.TemporaryDirectory() as folder:
        train(model, cache, split, recipe, Path(folder), lambda epoch: None, callbacks=[counter])
    trained, fed = sum(one for one, _, _ in turns), sum(other for _, other, _ in turns)
    plain = [(one[0], other[0]) for one, other, validated in turns if not validated]
    slices = len(turns) * turn * recipe.batch_size
    return TrainingRate(
        model.name, cache.size, recipe.batch_size, len(turns) * turn, float(slices / trained[0]),
        float(slices / fed[0]), float(fed[0] / trained[0]),
        float(sum(other for _, other in plain) / sum(one for one, _ in plain)), float(fed[1] / trained[1]),
    )  # fmt: skip


def volume_time(scan: Path, segmenter: Segmenter, rounds: int = 5) -> VolumeTime:
    """Segment a scan, a NIfTI file or a folder with one DICOM series, file to file, and in turns run the model alone
    on its slices. A `VolumeError` if the scan cannot be read."""
    volume = read_scan(scan)
    fit = GridFit.of(volume, segmenter.info.grid)
    on_grid = fit.to_grid(volume.slices())
    probabilities = segmenter.probabilities(on_grid)
    times: dict[str, list[np.ndarray]] = {}

    def timed(part: str, function: Callable) -> None:
        start = _clocks()
        function()
        times.setdefault(part, []).append(_clocks() - start)

    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask.nii.gz"
        predict_file(scan, mask, segmenter)
        for _ in range(rounds):
            timed("all", lambda: predict_file(scan, mask, segmenter))
            timed("model", lambda: segmenter.probabilities(on_grid))
            timed("reading", lambda: read_scan(scan))
            timed("lungs", lambda: lung_mask(volume.slices(), volume.pixel_aspect))
            timed("grid and back", lambda: (fit.to_grid(volume.slices()), fit.from_grid(probabilities)))
    found = {part: np.array(values) for part, values in times.items()}
    ratio = np.median(found["all"] / found["model"], axis=0)
    seconds = {part: float(np.median(values[:, 0])) for part, values in found.items()}
    parts = {part: seconds[part] for part in ("reading", "lungs", "grid and back")}
    return VolumeTime(
        scan.name, volume.voxels.shape, segmenter.info.grid, seconds["all"], seconds["model"], float(ratio[0]),
        float(ratio[1]), parts,
    )  # fmt: skip


def _clocks() -> np.ndarray:
    """Seconds that have passed, and that all cores together have spent on this process."""
    return np.array([time.perf_counter(), time.process_time()])
