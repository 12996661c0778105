"""Is infection noticed at all? Detection by slice, by neighbours and by run of slices (paper, section III.C)."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

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


@dataclass(frozen=True)
class RunDetection:
    """Is each stretch of infected slices noticed somewhere along the way?"""

    runs: int  # Runs of consecutive positive slices of a case
    noticed: int  # Of those, how many have at least one found slice
    covered: int  # Of those, how many have a found slice within `reach` slices of each of theirs
    longest_miss: int  # The most slices in a row, within a run, none of which was found
    reach: int


def lesion_runs(table: SliceTable) -> list[np.ndarray]:
    """The positions of each run of consecutive positive slices of a case, from feet to head."""
    order = np.lexsort((table.z, table.cases))
    order = order[table.positive[order]]
    breaks = (np.diff(table.z[order]) != 1) | (table.cases[order][1:] != table.cases[order][:-1])
    return np.split(order, np.flatnonzero(breaks) + 1) if len(order) else []


def run_detection(table: SliceTable, judged: np.ndarray | None = None, reach: int = 1) -> RunDetection:
    """Detection by run of consecutive slices, as `detection`; a run counts, as a whole, where it holds a judged one."""
    judged = np.ones(len(table), bool) if judged is None else judged
    runs = [table.found[run] for run in lesion_runs(table) if judged[run].any()]
    near = [ndimage.maximum_filter1d(found.astype(int), 2 * reach + 1, mode="constant") for found in runs]
    # Between two found slices, or the ends of the run, lie the missed ones.
    ends = [np.flatnonzero(np.concatenate([[True], found, [True]])) for found in runs]
    return RunDetection(
        runs=len(runs),
        noticed=sum(bool(found.any()) for found in runs),
        covered=sum(bool(one.all()) for one in near),
        longest_miss=max((int(np.diff(one).max()) - 1 for one in ends), default=0),
        reach=reach,
    )
