"""Is infection noticed at all? Detection by slice, and by neighbours of a missed one (paper, section III.C)."""

from dataclasses import dataclass

import numpy as np

from covidlab.evaluation.counts import Counts, count
from covidlab.evaluation.slices import SliceTable


@dataclass(frozen=True)
class Detection:
    """Is infection noticed at all?"""

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
