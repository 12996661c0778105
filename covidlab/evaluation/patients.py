"""How far a score would differ with other patients, and whether probabilities mean what they say."""

from dataclasses import dataclass

import numpy as np

from covidlab.evaluation.counts import Counts
from covidlab.evaluation.slices import SliceTable


@dataclass(frozen=True)
class Interval:
    """A score with the range in which it falls for 95 % of drawings of patients."""

    score: float  # Low and high are nan with fewer than two patients: then nothing can be said of other patients
    low: float
    high: float
    patients: int

    def __str__(self) -> str:
        if self.patients < 2:
            return f"{self.score:.3f} (one patient: no interval)"
        return f"{self.score:.3f} ({self.low:.3f} to {self.high:.3f}, {self.patients} patients)"


def patient_interval(table: SliceTable, score: str = "f1", drawings: int = 2000, seed: int = 0) -> Interval:
    """A pooled score with its 95 % percentile interval from drawing patients with replacement.

    Slices of one patient are alike, so drawing slices would promise far too much. With a handful of patients even this
    interval is too narrow: it knows no other patients than these.

    Parameters
    ----------
    table : SliceTable
    score : str
        A property of `covidlab.evaluation.counts.Counts`.
    drawings : int
    seed : int

    Returns
    -------
    Interval
    """
    counts = table.by(table.patients)
    each = np.array([[one.tp, one.fp, one.fn, one.tn] for one in counts.values()])
    pooled = getattr(table.pooled(), score)
    if len(each) < 2:
        return Interval(pooled, float("nan"), float("nan"), len(each))
    random = np.random.default_rng(seed)
    drawn = each[random.integers(len(each), size=(drawings, len(each)))].sum(axis=1)
    scores = [getattr(Counts(*map(int, row)), score) for row in drawn]
    # A drawing of nothing but patients without lesion may have no score.
    known = [value for value in scores if not np.isnan(value)]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (float("nan"),) * 2
    return Interval(pooled, float(low), float(high), len(each))


@dataclass(frozen=True)
class Reliability:
    """How often pixels are lesion, by the probability that the model gave them."""

    # float arrays (bins,); mean probability of a bin and the share of its pixels that are lesion; bins without pixels
    # are left out
    probability: np.ndarray
    share: np.ndarray
    pixels: np.ndarray  # int array (bins,)

    @property
    def expected_error(self) -> float:
        """Mean distance between probability and share, weighted by pixels (expected calibration error)."""
        return float(np.average(np.abs(self.probability - self.share), weights=self.pixels))


def reliability(references: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> Reliability:
    """Sort pixels into bins of equal width by their probability.

    Parameters
    ----------
    references : bool or 0/1 array
    probabilities : float array of the same shape, 0..1
    bins : int

    Returns
    -------
    Reliability
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1).ravel()
    pixels = np.bincount(place, minlength=bins)
    lesion = np.bincount(place, weights=np.asarray(references, float).ravel(), minlength=bins)
    total = np.bincount(place, weights=probabilities.ravel(), minlength=bins)
    used = pixels > 0
    return Reliability(total[used] / pixels[used], lesion[used] / pixels[used], pixels[used])
