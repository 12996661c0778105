"""A finished model judged slice by slice: what pooled scores hide.

Pooled pixels are the paper's measure (section III.C). Beside them stand here each volume's score, the negative slices
(which have no F1: they are judged by how many stay empty and how much is marked on the others), the detection of
infection by slice, by neighbours and by run of slices, and how far all this would differ with other patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covidlab.metrics import Counts


@dataclass(frozen=True)
class SliceTable:
    """What a model got right and wrong on each slice.

    Parameters
    ----------
    cases, patients : str arrays (slices,)
    z : int array (slices,)
        Slice number within the case.
    tp, fp, fn, tn : int arrays (slices,)
    """

    cases: np.ndarray
    patients: np.ndarray
    z: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, which) -> "SliceTable":
        return SliceTable(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    @property
    def positive(self) -> np.ndarray:
        """Whether the reference shows lesion, bool (slices,)."""
        return self.tp + self.fn > 0

    @property
    def marked(self) -> np.ndarray:
        """Whether the prediction marks anything, bool (slices,)."""
        return self.tp + self.fp > 0

    @property
    def found(self) -> np.ndarray:
        """Whether a lesion pixel is marked, bool (slices,)."""
        return self.tp > 0

    @property
    def f1(self) -> np.ndarray:
        """F1 of each slice, float (slices,); nan on negative slices, which have none whatever is marked there."""
        scores = np.full(len(self), np.nan)
        return np.divide(2 * self.tp, 2 * self.tp + self.fp + self.fn, out=scores, where=self.positive)

    def pooled(self) -> Counts:
        """All pixels of all slices together."""
        return Counts(*(int(getattr(self, name).sum()) for name in ("tp", "fp", "fn", "tn")))

    def by(self, names: np.ndarray) -> dict[str, Counts]:
        """Pooled counts for each name, such as `cases` or `patients`, in order of appearance."""
        return {str(name): self[names == name].pooled() for name in dict.fromkeys(names.tolist())}


def slice_table(
    references: np.ndarray, predictions: np.ndarray, cases: np.ndarray, patients: np.ndarray, z: np.ndarray
) -> SliceTable:
    """Count the pixels of each slice.

    Parameters
    ----------
    references, predictions : bool or 0/1 arrays (slices, height, width)
    cases, patients, z : arrays (slices,)

    Returns
    -------
    SliceTable
    """
    if references.shape != predictions.shape:
        raise ValueError(f"references have shape {references.shape}, predictions {predictions.shape}: must be equal")
    references, predictions = np.asarray(references, bool), np.asarray(predictions, bool)
    tp = (references & predictions).sum(axis=(1, 2))
    fp, fn = predictions.sum(axis=(1, 2)) - tp, references.sum(axis=(1, 2)) - tp
    return SliceTable(cases, patients, z, tp, fp, fn, references[0].size - tp - fp - fn)


@dataclass(frozen=True)
class NegativeSlices:
    """How a model behaves where there is nothing to find.

    Parameters
    ----------
    slices : int
        Negative slices.
    left_empty : float
        Share of them on which nothing is marked; nan where there is no negative slice.
    false_pixels : float
        Mean number of pixels marked on a negative slice.
    """

    slices: int
    left_empty: float
    false_pixels: float


def negative_slices(table: SliceTable) -> NegativeSlices:
    """Judge the negative slices of a table."""
    negative = table[~table.positive]
    if not len(negative):
        return NegativeSlices(0, float("nan"), float("nan"))
    return NegativeSlices(len(negative), float(1 - negative.marked.mean()), float(negative.fp.mean()))


@dataclass(frozen=True)
class Detection:
    """Is infection noticed at all?

    Parameters
    ----------
    slices : Counts
        Slices instead of pixels: a positive slice counts as found if a lesion pixel in it is marked.
    missed : int
        Positive slices that were not found.
    caught_by_neighbour : int
        Of those, how many have a found positive slice within `reach` slices of the same case: the paper's closing
        argument (section III.C) is that these are many.
    reach : int
    """

    slices: Counts
    missed: int
    caught_by_neighbour: int
    reach: int


def detection(table: SliceTable, judged: np.ndarray | None = None, reach: int = 1) -> Detection:
    """Detection by slice, and by runs of consecutive slices.

    Parameters
    ----------
    table : SliceTable
        Whole cases: under the slice protocol the neighbours of a test slice mostly stand in training.
    judged : bool array (slices,), optional
        Which slices are counted; all by default. The others only serve as neighbours.
    reach : int
        How many slices away a neighbour may be.

    Returns
    -------
    Detection
    """
    judged = np.ones(len(table), bool) if judged is None else judged
    found = table.found
    slices = Counts(
        tp=int((judged & found).sum()),
        fp=int((judged & ~table.positive & table.marked).sum()),
        fn=int((judged & table.positive & ~found).sum()),
        tn=int((judged & ~table.positive & ~table.marked).sum()),
    )
    missed = np.flatnonzero(judged & table.positive & ~found)
    caught = [
        bool((found & (table.cases == table.cases[k]) & (np.abs(table.z - table.z[k]) <= reach)).any()) for k in missed
    ]
    return Detection(slices, len(missed), sum(caught), reach)


@dataclass(frozen=True)
class RunDetection:
    """Is each stretch of infected slices noticed somewhere along the way?

    Parameters
    ----------
    runs : int
        Runs of consecutive positive slices of a case.
    noticed : int
        Of those, how many have at least one found slice.
    covered : int
        Of those, how many have a found slice within `reach` slices of each of theirs.
    longest_miss : int
        The most slices in a row, within a run, none of which was found.
    reach : int
    """

    runs: int
    noticed: int
    covered: int
    longest_miss: int
    reach: int


def lesion_runs(table: SliceTable) -> list[np.ndarray]:
    """The positions of each run of consecutive positive slices of a case, from feet to head."""
    order = np.lexsort((table.z, table.cases))
    order = order[table.positive[order]]
    breaks = (np.diff(table.z[order]) != 1) | (table.cases[order][1:] != table.cases[order][:-1])
    return np.split(order, np.flatnonzero(breaks) + 1) if len(order) else []


def run_detection(table: SliceTable, judged: np.ndarray | None = None, reach: int = 1) -> RunDetection:
    """Detection by run of consecutive slices.

    Parameters
    ----------
    table : SliceTable
        Whole cases, as for `detection`.
    judged : bool array (slices,), optional
        A run counts, and as a whole, where it holds one of these; all by default.
    reach : int

    Returns
    -------
    RunDetection
    """
    judged = np.ones(len(table), bool) if judged is None else judged
    runs = [table.found[run] for run in lesion_runs(table) if judged[run].any()]
    covered = longest = 0
    for found in runs:
        near = np.convolve(found, np.ones(2 * reach + 1), "full")[reach : reach + len(found)] > 0.5
        covered += bool(near.all())
        ends = np.flatnonzero(np.concatenate([[True], found, [True]]))
        longest = max(longest, int(np.diff(ends).max()) - 1)
    return RunDetection(len(runs), sum(bool(found.any()) for found in runs), covered, longest, reach)


@dataclass(frozen=True)
class Interval:
    """A score with the range in which it falls for 95 % of drawings of patients.

    Parameters
    ----------
    score, low, high : float
        Low and high are nan with fewer than two patients: then nothing can be said of other patients.
    patients : int
    """

    score: float
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
        A property of `covidlab.metrics.Counts`.
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
    """How often pixels are lesion, by the probability that the model gave them.

    Parameters
    ----------
    probability, share : float arrays (bins,)
        Mean probability of a bin and the share of its pixels that are lesion; bins without pixels are left out.
    pixels : int array (bins,)
    """

    probability: np.ndarray
    share: np.ndarray
    pixels: np.ndarray

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


def volume_scores(table: SliceTable, score: str = "f1") -> Mapping[str, float]:
    """A score for each case with lesion; nan for a case without, which is judged by its negative slices instead.

    F1 would be 0 there for a single false pixel and undefined for none: neither says how the model did.
    """
    cases = table.by(table.cases)
    return {case: getattr(one, score) if one.tp + one.fn else float("nan") for case, one in cases.items()}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of what is defined; nan where nothing is.

    Infinite values count as what they are, larger than all others; then the quartiles are values that occur.
    """
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return (float("nan"),) * 3
    method = "linear" if np.isfinite(known).all() else "higher"
    return tuple(float(one) for one in np.percentile(known, [25, 50, 75], method=method))
