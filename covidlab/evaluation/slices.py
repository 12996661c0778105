"""A finished model judged slice by slice: what pooled scores hide.

Pooled pixels are the paper's measure (section III.C). Beside them stand here each volume's score, and the negative
slices, which have no F1: they are judged by how many stay empty and how much is marked on the others. And whether
infection is noticed at all: detection by slice, and by neighbours of a missed one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covidlab.evaluation.counts import Counts, count


@dataclass(frozen=True)
class SliceTable:
    """What a model got right and wrong on each slice: arrays (slices,)."""

    cases: np.ndarray  # str
    patients: np.ndarray  # str
    z: np.ndarray  # int; slice number within the case
    tp: np.ndarray  # int, as the others
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
        return Counts(*(int(part.sum()) for part in (self.tp, self.fp, self.fn, self.tn)))

    def by(self, names: np.ndarray) -> dict[str, Counts]:
        """Pooled counts for each name, such as `cases` or `patients`, in order of appearance."""
        return {str(name): self[names == name].pooled() for name in dict.fromkeys(names.tolist())}


def slice_table(
    references: np.ndarray, predictions: np.ndarray, cases: np.ndarray, patients: np.ndarray, z: np.ndarray
) -> SliceTable:
    """Count the pixels of each slice of bool or 0/1 masks (slices, height, width); the others are arrays (slices,)."""
    if references.shape != predictions.shape:
        raise ValueError(f"references have shape {references.shape}, predictions {predictions.shape}: must be equal")
    references, predictions = np.asarray(references, bool), np.asarray(predictions, bool)
    tp = (references & predictions).sum(axis=(1, 2))
    fp, fn = predictions.sum(axis=(1, 2)) - tp, references.sum(axis=(1, 2)) - tp
    return SliceTable(cases, patients, z, tp, fp, fn, references[0].size - tp - fp - fn)


@dataclass(frozen=True)
class NegativeSlices:
    """How a model behaves where there is nothing to find."""

    slices: int  # Negative slices; where there is none, the others are nan
    left_empty: float  # Share of them on which nothing is marked
    false_pixels: float  # Mean number of pixels marked on a negative slice


def negative_slices(table: SliceTable) -> NegativeSlices:
    """Judge the negative slices of a table."""
    negative = table[~table.positive]
    if not len(negative):
        return NegativeSlices(0, float("nan"), float("nan"))
    return NegativeSlices(len(negative), float(1 - negative.marked.mean()), float(negative.fp.mean()))


def volume_scores(table: SliceTable) -> Mapping[str, float]:
    """F1 of each case with lesion; nan for a case without, which is judged by its negative slices instead.

    F1 would be 0 there for a single false pixel and undefined for none: neither says how the model did.
    """
    return {case: one.f1 if one.tp + one.fn else float("nan") for case, one in table.by(table.cases).items()}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of what is defined; nan where nothing is.

    Infinite values count as what they are, larger than all others; then the quartiles are values that occur.
    """
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return (float("nan"),) * 3
    method = "linear" if np.isfinite(known).all() else "higher"
    return tuple(float(one) for one in np.percentile(known, [25, 50, 75], method=method))


@dataclass(frozen=True)
class Detection:
    """Is infection noticed at all (paper, section III.C)?"""

    slices: Counts  # Slices instead of pixels: a positive slice counts as found if a lesion pixel in it is marked
    missed: int  # Positive slices that were not found
    # Of those, how many have a found positive slice within `reach` slices of the same case: the paper's closing
    # argument (section III.C) is that these are many
    caught_by_neighbour: int
    reach: int


def detection(table: SliceTable, judged: np.ndarray | None = None, reach: int = 1) -> Detection:
    """Detection by slice, and by neighbours at most `reach` slices away.

    The table holds whole cases: under the slice protocol the neighbours of a test slice mostly stand in training. Only
    the slices that `judged`, bool (slices,), names are counted, by default all; the others only serve as neighbours.
    """
    judged = np.ones(len(table), bool) if judged is None else judged
    found = table.found
    slices = count(table.positive[judged], np.where(table.positive, found, table.marked)[judged])
    missed = np.flatnonzero(judged & table.positive & ~found)
    caught = [
        bool((found & (table.cases == table.cases[k]) & (np.abs(table.z - table.z[k]) <= reach)).any()) for k in missed
    ]
    return Detection(slices, len(missed), sum(caught), reach)
