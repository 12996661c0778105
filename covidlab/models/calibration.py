"""How far a network's answers can be believed: probabilities that mean what they say, and the F1 to expect of a scan.

All of it was fitted on patients that did not train the network (`studies/calibration.py`) and is kept as a few numbers
with its weights. It changes no mask: thresholds belong to the probabilities as the network gives them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KNOTS = np.arange(-20.0, 17.0, 4.0)  # logits at which a calibrated probability is known; straight lines lie between


@dataclass(frozen=True)
class Calibration:
    """What makes calibrated probabilities of raw ones, and of a scan's raw ones the F1 to expect; no number below 0."""

    # How often a pixel is lesion, by the logit of its raw probability: at each of `KNOTS`, never falling. One
    # temperature does not do: networks give lesions that they do not know a millionth, or less.
    shares: Sequence[float]
    # The F1 falls in a straight line, from its best where the network is quite sure
    f1_best: float = 0.0
    f1_slope: float = 0.0
    f1_below: float = 0.0  # How far the 90 % interval reaches below and above; 0 both where no F1 is to be told
    f1_above: float = 0.0

    def __post_init__(self):
        if len(self.shares) != len(KNOTS) or list(self.shares) != sorted(self.shares):
            raise ValueError(f"shares are {len(KNOTS)} numbers that never fall; found {self.shares}")

    def probabilities(self, raw: np.ndarray) -> np.ndarray:
        """A network's answers, float in 0..1 -> calibrated probabilities of the same shape, in the same order."""
        return np.interp(logits(raw), KNOTS, self.shares)

    def line(self, expected: float) -> float:
        """The F1 to expect where it would be `expected` if the raw probabilities were right, both in 0..1."""
        return min(1.0, max(0.0, self.f1_best - self.f1_slope * (1 - expected)))

    def predicted_f1(self, inside: float, lesion: float, marked: float) -> tuple[float, float, float] | None:
        """The F1 to expect of a scan by its `expected_counts`, and the ends of its 90 % interval; None where nothing is
        marked."""
        if not (marked and self.f1_above):
            return None
        f1 = self.line(2 * inside / (lesion + marked))
        ends = max(0.0, f1 - self.f1_below), min(1.0, f1 + self.f1_above)
        return tuple(round(float(one), 3) for one in (f1, *ends))


def logits(raw: np.ndarray) -> np.ndarray:
    """The logarithm of the odds of probabilities, -60 at least and 16 at most, where float32 ends."""
    raw = raw.astype(float).clip(1e-26, 1 - 1e-7)
    return np.log(raw) - np.log1p(-raw)


def expected_counts(probabilities: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Lesion to expect inside a mask, then in all, and the mask itself, in pixels: three numbers, which add up over
    parts of a scan. Twice the first over the sum of the others is nearly the F1 to expect, if the probabilities, float,
    are right; `marked` is bool of their shape (not in the paper).

    >>> expected_counts(np.array([0.9, 0.5, 0.1]), np.array([True, False, False]))
    array([0.9, 1.5, 1. ])
    """
    return np.array([probabilities[marked].sum(), probabilities.sum(), marked.sum()])
