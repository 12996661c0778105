"""How far a score would differ with other patients, and whether probabilities mean what they say."""

from dataclasses import dataclass

import numpy as np

from covidlab.evaluation.slices import SliceTable

DRAWINGS = 2000
BINS = 10


@dataclass(frozen=True)
class Interval:
    """A score with the range in which it falls for 95 % of drawings of patients."""

    score: float
    low: float  # Low and high are nan with fewer than two patients: then nothing can be said of other patients
    high: float
    patients: int


def patient_interval(table: SliceTable) -> Interval:
    """Pooled F1 with its 95 % percentile interval from drawing patients with replacement.

    Slices of one patient are alike, so drawing slices would promise far too much. With a handful of patients even this
    interval is too narrow: it knows no other patients than these.
    """
    each = np.array([(one.tp, one.fp, one.fn) for one in table.by(table.patients).values()])
    if len(each) < 2 or not each.any():
        return Interval(table.pooled().f1, float("nan"), float("nan"), len(each))
    chosen = np.random.default_rng(0).integers(len(each), size=(DRAWINGS, len(each)))
    tp, fp, fn = each[chosen].sum(axis=1).T
    # A drawing of nothing but patients without lesion may have no score; `scipy.stats.bootstrap` would give up on all.
    some = 2 * tp + fp + fn > 0
    known = 2 * tp[some] / (2 * tp + fp + fn)[some]
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(table.pooled().f1, float(low), float(high), len(each))


@dataclass(frozen=True)
class Reliability:
    """How often pixels are lesion, by the probability that the model gave them; bins without pixels are left out."""

    probability: np.ndarray  # float (bins,); mean probability of a bin
    share: np.ndarray  # float (bins,); share of its pixels that are lesion
    pixels: np.ndarray  # int (bins,)

    @property
    def error(self) -> float:
        """Expected calibration error: how far both lie apart, the mean over all pixels."""
        return float(np.average(np.abs(self.probability - self.share), weights=self.pixels))


def reliability(references: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Sort pixels, bool or 0/1, into ten bins of equal width by their probability, float in 0..1."""
    place = np.minimum((probabilities * BINS).astype(int), BINS - 1).ravel()
    pixels = np.bincount(place)
    lesion = np.bincount(place, weights=np.asarray(references, float).ravel())
    total = np.bincount(place, weights=probabilities.ravel())
    used = pixels > 0
    return Reliability(total[used] / pixels[used], lesion[used] / pixels[used], pixels[used])
