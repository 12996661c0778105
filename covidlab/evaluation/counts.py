"""Pixel counts and the scores that follow from them (paper, section III.C).

The paper's precision, recall, accuracy and F1 are pooled: all pixels of a part are counted together,
then divided once. So the value here is `Counts`, which adds, and every score is a property of it.
Distances between surfaces, detection by slice and confidence intervals are not here.
"""

from dataclasses import dataclass

import numpy as np

PAPER_SCORES = ("precision", "recall", "accuracy", "f1")


def _ratio(numerator: int, denominator: int) -> float:
    """A share, or NaN where nothing was asked: 0/0 is neither a success nor a failure."""
    return numerator / denominator if denominator else float("nan")


@dataclass(frozen=True)
class Counts:
    """How many pixels a prediction got right and wrong against the reference.

    A score whose denominator is zero is NaN, never 0 or 1 by accident: an empty reference has no recall, an empty
    prediction has no precision, and where both are empty there is no F1 either: negative slices are judged by
    `negative_slices`.

    >>> half = Counts(tp=1, fp=1, fn=1, tn=1)
    >>> half.precision, half.recall, half.f1, half.accuracy
    (0.5, 0.5, 0.5, 0.5)
    >>> (half + Counts(tp=2, fp=0, fn=0, tn=0)).f1
    0.75
    """

    tp: int = 0  # True positive, false positive, false negative and true negative pixels
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def total(self) -> int:
        """All pixels counted."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that are lesion: tp / (tp + fp)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the lesion pixels that were found: tp / (tp + fn). Also called sensitivity."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def accuracy(self) -> float:
        """Share of all pixels that are right: (tp + tn) / total."""
        return _ratio(self.tp + self.tn, self.total)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn). Equals the Dice coefficient."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """Intersection over union: tp / (tp + fp + fn), the Jaccard index."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    def scores(self) -> dict[str, float]:
        """The paper's four scores, in its order: precision, recall, accuracy, F1."""
        return {name: getattr(self, name) for name in PAPER_SCORES}


def count(reference: np.ndarray, prediction: np.ndarray) -> Counts:
    """Count agreeing and disagreeing pixels of two masks of the same shape, bool or 0 and 1.

    `ValueError` if the shapes differ or a mask holds anything else: probabilities must be thresholded first.

    >>> count(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]))
    Counts(tp=1, fp=1, fn=1, tn=1)
    """
    reference, prediction = _as_mask(reference, "reference"), _as_mask(prediction, "prediction")
    if reference.shape != prediction.shape:
        raise ValueError(f"reference has shape {reference.shape}, prediction {prediction.shape}: they must be equal")
    tp = int(np.count_nonzero(reference & prediction))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return Counts(tp, fp, fn, reference.size - tp - fp - fn)


def _as_mask(array: np.ndarray, role: str) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype == bool:
        return array
    # uint8 covers the masks of the slice cache; the check costs one pass and catches probabilities and labels 2, 3.
    if array.dtype.kind in "iu" and (array.size == 0 or (array.min() >= 0 and array.max() <= 1)):
        return array.astype(bool)
    raise ValueError(f"the {role} must hold 0 and 1 only, or be bool; found {array.dtype} values: threshold it first")


def count_at(thresholds: np.ndarray, reference: np.ndarray, probabilities: np.ndarray) -> list[Counts]:
    """Counts at several increasing thresholds, in one pass over the pixels.

    A pixel is positive where its probability, float in 0..1, is at least the threshold; the reference is a bool or 0/1
    array of the same shape.
    """
    thresholds = np.asarray(thresholds, dtype=np.float32)
    if np.any(np.diff(thresholds) <= 0):
        raise ValueError("thresholds must increase")
    reference = _as_mask(reference, "reference").ravel()
    # How many thresholds each probability reaches; a histogram of that replaces one pass per threshold.
    reached = np.searchsorted(thresholds, np.asarray(probabilities, dtype=np.float32).ravel(), side="right")

    def at_least(reached: np.ndarray) -> list[int]:
        return np.bincount(reached, minlength=len(thresholds) + 1)[::-1].cumsum()[::-1][1:].tolist()

    positives = int(reference.sum())
    negatives = reference.size - positives
    return [
        Counts(tp, fp, positives - tp, negatives - fp)
        for tp, fp in zip(at_least(reached[reference]), at_least(reached[~reference]))
    ]
