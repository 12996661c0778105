"""One network, one mask: a network with all that its weights file knows, and the one way from answers to a mask."""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.special import expit, logit

from covidlab.data.grid import GridFit
from covidlab.data.lungs import lung_mask
from covidlab.data.lungs_found import Lungs, square, tone
from covidlab.data.volumes import Volume
from covidlab.models.calibration import expected_counts
from covidlab.models.exported import OnnxNetwork
from covidlab.models.weights_file import WeightsInfo, read_info
from covidlab.weights import find_weights, stem

# Slices held as probabilities at once: 300 slices of 512 x 512 are 315 MB.
PORTION = 16
# Slices that lungs are looked for in; of more, some stand for their neighbours, as thin as they must be.
MOST = 320

# Slices, at most, that a network that sees lungs nearer is asked about as they lie, for how sure it is.
ASKED = 60

# Slices of a scan from which on each is seen either as it is or mirrored, not both: enough neighbours have a say then.
MANY = 200

REACH = 1 / 60  # of the lungs' height, 4 mm of an adult: the standard deviation with which slices nearby have a say
MOST_BELOW, MOST_ABOVE = 2.0, 4.0  # how far from the threshold their log-odds count: who sees lesion counts twice


def predict_slices(model, images: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Probabilities, float32 in 0..1, of a Keras model or an `OnnxNetwork` for uint8 slices (slices, height, width)
    that are on its grid.

    With `mirror` the model sees each slice's mirror image, too, and the mean of both answers counts: twice the time.
    """
    if mirror:
        return (predict_slices(model, images) + predict_slices(model, images[:, :, ::-1])[:, :, ::-1]) / 2
    if not isinstance(model, OnnxNetwork):
        from covidlab.models.networks import traced  # TensorFlow takes seconds, and the other needs none of it

        model = traced(model)
    probabilities = np.empty(images.shape, dtype=np.float32)
    for start in range(0, len(images), PORTION):
        batch = slice(start, start + PORTION)
        probabilities[batch] = model(images[batch])
    return probabilities


def along_z(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Probabilities of a scan's slices, after those above and below have had their say: float32 of the same shape.

    - `probabilities`, float32 (slices, grid, grid): of all slices that have lungs, from one end to the other.
    - `threshold`, float: where they are to be cut.

    A lesion is thicker than a thin slice, yet a network that sees slices one by one marks it here and not there. So the
    log-odds, bounded around the threshold's, are averaged along z (not in the paper; what it gives is in
    studies/results/other-sources.md). Slices as thick as `REACH` is long, or thicker, stay nearly as they are.
    """
    least = 1e-7  # float32 knows no number between 1 - 1e-7 and 1 but one
    level = logit(np.float32(np.clip(threshold, least, 1 - least)))
    odds = logit(probabilities.clip(least, 1 - least))
    odds -= level
    odds.clip(-MOST_BELOW, MOST_ABOVE, out=odds)
    ndimage.gaussian_filter1d(odds, REACH * len(odds), axis=0, mode="nearest", output=odds)
    odds += level
    return expit(odds, out=odds)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A network of `MODELS` with what its weights file knows: its threshold, the smallest spot it marks, whether it
    looks at mirror images, too."""

    network: Any  # A Keras model, or an `OnnxNetwork`
    info: WeightsInfo

    @property
    def threshold(self) -> float:
        """From which probability on a pixel is called lesion, chosen on validation."""
        return self.info.threshold

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Slices on the network's grid, uint8 (slices, grid, grid) -> float32 in 0..1 of the same shape."""
        return predict_slices(self.network, images, mirror=self.info.mirror)

    def probabilities_of_scan(self, images: np.ndarray, lungs: Lungs) -> np.ndarray:
        """The same for a scan whose slices are on the grid, as `predict` has them: its greys moved and its lungs
        brought nearer, where the weights ask for it. `lungs` are those found in it."""
        seen = self.greys(images, lungs)[images]
        return self._nearer(seen, np.arange(len(images)), len(images), lungs.near.any(axis=0))

    def _nearer(self, images: np.ndarray, positions: np.ndarray, count: int, near: np.ndarray) -> np.ndarray:
        """Probabilities of the slices at some positions of a scan of `count`, brought so near, for the network to look
        at, that the lungs are as large as it is best at (not in the paper: studies/results/other-sources.md#nearer).

        - `near`, bool (grid, grid): where the lungs are in any slice of the scan.
        """
        if self.info.fill is None or not near.any():
            return self._in_turn(images, positions, count)
        window, found = square(near, self.info.fill), np.zeros(images.shape, np.float32)
        part = images[:, *window]
        fit = GridFit(self.info.grid, *part.shape[1:])
        found[:, *window] = fit.from_grid(self._in_turn(fit.to_grid(part), positions, count))
        return found

    def _in_turn(self, images: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
        """Probabilities of the slices at some positions of a scan of `count`.

        Where the network looks at mirror images, too, and slices are many, it sees every second one mirrored and no
        other: `along_z` takes the mean over neighbours, so it is the same for half the time (not in the paper).
        """
        if not self.info.mirror or count < MANY:
            return self.probabilities(images)
        odd = positions % 2 == 1

        def turned(slices: np.ndarray) -> np.ndarray:
            return np.where(odd[:, None, None], slices[:, :, ::-1], slices)

        return turned(predict_slices(self.network, turned(images)))

    def mark(self, probabilities: np.ndarray) -> np.ndarray:
        """What is called lesion: probabilities on the grid -> bool, from the threshold on, small spots dropped.

        A few pixels of vessel or of a rib's edge would make a healthy slice positive (not in the paper). A spot is
        what hangs together by the sides of its pixels, within one slice.
        """
        marked = probabilities >= self.threshold
        if self.info.smallest > 1:
            for mask in marked:
                spots, _ = ndimage.label(mask)
                mask &= (np.bincount(spots.ravel()) >= self.info.smallest)[spots]
        return marked

    def mask(self, images: np.ndarray) -> np.ndarray:
        """The mask of slices on the network's grid: uint8 (slices, grid, grid) -> bool of the same shape.

        It is all that the network marks, in the lungs and outside of them: slices need not be of one scan, and where
        the lungs lie is seen in a whole one. `predict` keeps what is in them.
        """
        return self.mark(self.probabilities(images))

    def mark_within(self, probabilities: np.ndarray, lungs: Lungs) -> np.ndarray:
        """What `predict` marks in a scan whose slices are on the network's grid: their probabilities, float32 (slices,
        grid, grid), and the lungs found in them -> bool of the same shape."""
        rows, marked = lungs.near.any(axis=(1, 2)), np.zeros(probabilities.shape, bool)
        if rows.any():
            marked[rows] = self.mark(along_z(probabilities[rows], self.threshold))
        return marked & lungs.near

    def predict(self, volume: Volume) -> tuple[np.ndarray, Lungs, tuple[float, ...] | None]:
        """The mask of a scan on its own pixels, bool (slices, rows, columns) as displayed, the lungs it lies in, and
        the F1 to expect of it with its 90 % interval: see `Calibration.predicted_f1`.

        Slices, or the part of them that a small body fills, are resampled to the grid, inferred, heard by their
        neighbours (`along_z`), taken back, then thresholded; what is marked farther than a small margin from the lungs
        is dropped (`covidlab.data.lungs.MARGIN`; not in the paper). A scan in which no lungs are found has an empty
        mask, and `lungs.findings` says so. No F1 is predicted where nothing is marked, or the weights have no
        calibration.
        """
        lungs, slices = _lungs_of(volume)
        greys, of = self.greys(slices, lungs), np.arange(volume.voxels.shape[volume.slice_axis]) // lungs.every
        rows, marked = np.flatnonzero(lungs.near.any(axis=(1, 2))[of]), np.zeros((len(of), *slices.shape[1:]), bool)
        del slices  # the network's come a few at a time
        if not len(rows):
            return marked, lungs, None
        fit = GridFit.of(volume, self.info.grid, lungs.window)
        raw = self._probabilities_of(volume, rows, fit, lungs, greys)
        calibration, counts, said = self.info.calibration, np.zeros(3), along_z(raw, self.threshold)
        for some in portions(np.arange(len(rows)), PORTION):
            portion, where = said[some], rows[some]
            spots, near = self.mark(portion), lungs.near[of[where]][:, *lungs.window]
            if calibration and self.info.fill is None:  # how sure the network is of what it marks itself
                inside = fit.mask_to_grid(near) > 0
                counts += expected_counts(raw[some][inside], self.mark(raw[some])[inside])
            # 0 in spots too small to be marked, so that the threshold alone marks the rest.
            portion = np.where((portion >= self.threshold) & ~spots, np.float32(0), portion)
            # Interpolation stays between the values it starts from: a slice below the threshold has nothing to take
            # back.
            reached = portion.max(axis=(1, 2)) >= self.threshold
            marked[where[reached], *lungs.window] = (fit.from_grid(portion[reached]) >= self.threshold) & near[reached]
        if not (calibration and marked.any()):
            return marked, lungs, None
        if self.info.fill is not None:
            counts = self._sureness(volume, rows[:: -(-len(rows) // ASKED)], fit, lungs, greys)
            if not counts[-1]:  # a small lesion, between the slices that were asked about
                counts = self._sureness(volume, rows, fit, lungs, greys)
        return marked, lungs, calibration.predicted_f1(*counts)

    def _sureness(
        self, volume: Volume, rows: np.ndarray, fit: GridFit, lungs: Lungs, greys: np.ndarray
    ) -> np.ndarray:
        """`expected_counts` of some slices as they lie, not mirrored: these answers tell poor masks better than those
        that the mask is made of (studies/results/other-sources.md#nearer)."""
        counts = np.zeros(3)
        for some in portions(rows, PORTION):
            raw = predict_slices(self.network, greys[fit.to_grid(volume.slices(some)[:, *lungs.window])])
            inside = fit.mask_to_grid(lungs.near[some // lungs.every][:, *lungs.window]) > 0
            counts += expected_counts(raw[inside], raw[inside] >= self.threshold)
        return counts

    def greys(self, slices: np.ndarray, lungs: Lungs) -> np.ndarray:
        """What the network is to see for each grey of a scan, uint8 (256,): see `covidlab.data.lungs_found.tone`."""
        level = self.info.lung
        return np.arange(256, dtype=np.uint8) if level is None else tone(slices, lungs, level)

    def _probabilities_of(
        self, volume: Volume, rows: np.ndarray, fit: GridFit, lungs: Lungs, greys: np.ndarray
    ) -> np.ndarray:
        """The probabilities of some slices of a scan on the grid; the network works on a few of them while the next
        are brought to it."""
        worker, jobs, count = ThreadPoolExecutor(1), [], volume.voxels.shape[volume.slice_axis]
        near = fit.mask_to_grid(lungs.near.any(axis=0)[None][:, *lungs.window])[0] > 0
        try:
            for portion in portions(rows, PORTION):
                slices = greys[fit.to_grid(volume.slices(portion)[:, *lungs.window])]
                jobs.append(worker.submit(self._nearer, slices, portion, count, near))
            return np.concatenate([job.result() for job in jobs])
        finally:
            worker.shutdown(cancel_futures=True)


def _lungs_of(volume: Volume) -> tuple[Lungs, np.ndarray]:
    """The lungs of a scan, and the slices in which they were looked for: all, or the middle ones of every few."""
    count = volume.voxels.shape[volume.slice_axis]
    every = math.ceil(count / MOST)
    slices = volume.slices(np.minimum(np.arange(every // 2, count + every // 2, every), count - 1))
    return replace(lung_mask(slices, volume.pixel_aspect), every=every), slices


def portions(rows: np.ndarray, number: int) -> Iterator[np.ndarray]:
    """Positions of slices, a portion at a time."""
    for start in range(0, len(rows), number):
        yield rows[start : start + number]


def open_segmenter(named: str | Path | None = None, quick: bool = False, threads: int = 0) -> Segmenter:
    """The network of a weights file, with what the file knows.

    - `named`, str or Path: a file, or one of the shipped ones by name (`covidlab.weights.SHIPPED`), the default one if
      none is named.
    - `quick`, bool: on ONNX Runtime, without TensorFlow, where that is installed and an `.onnx` file lies beside the
      weights, as beside the shipped ones. Probabilities differ by rounding (some 1e-6). Else a Keras model.
    - `threads`, int: of ONNX Runtime, each with slices of its own; 0 for one a core.

    Raises CovidlabError: as `read_info`, and if the weights do not fit the network they name.
    """
    path = find_weights(named)
    beside = stem(path).with_name(f"{stem(path).name}.onnx")
    if quick and beside.is_file() and find_spec("onnxruntime"):
        path = beside
    info = read_info(path)
    if path.suffix == ".onnx":
        return Segmenter(OnnxNetwork.open(path, 1, threads or os.cpu_count() or 1), info)
    from covidlab.models.networks import load_network

    return Segmenter(load_network(path, info), info)
