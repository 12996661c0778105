"""A finished run judged slice by slice: every slice predicted again, borders in mm where the spacing is known."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS, Split
from covidlab.errors import CovidlabError
from covidlab.evaluation.borders import border_shares, surface_scores
from covidlab.evaluation.counts import count_at
from covidlab.evaluation.detection import detection, run_detection
from covidlab.evaluation.patients import patient_interval, reliability
from covidlab.evaluation.slices import SliceTable, negative_slices, quartiles, slice_table, volume_scores
from covidlab.files import whole_file
from covidlab.models.segmenter import Segmenter
from covidlab.progress import track
from covidlab.training.runs import Run, rounded, write_json
from covidlab.training.thresholds import THRESHOLDS

Spacings = Mapping[str, tuple[float, float, float] | None]

# Of NSD: 3 mm is what the record's benchmark takes, yet never less than two pixels of a slice. Otherwise a shift by one
# pixel would score 1 for a patient whose pixels are a little smaller than 3 mm, and a third for the next.
TOLERANCE_MM, TOLERANCE_PIXELS = 3.0, 2.0


def nsd_tolerance(spacing: Sequence[float] | None) -> float:
    """Of NSD, in mm for a (slice, row, column) spacing, in pixels where none is known."""
    return max(TOLERANCE_MM, TOLERANCE_PIXELS * max(spacing[1:])) if spacing else TOLERANCE_PIXELS


def report_run(run: Run, cache: SliceCache, spacings: Spacings | None = None) -> dict:
    """Predict every slice of the cohort once, and judge the parts.

    Parameters
    ----------
    run : Run
        Finished. Its folder gains slices.csv, a line a slice, and evaluation.json, which is what is returned.
    cache : SliceCache
        Of the run's cohort and grid.
    spacings : mapping of case -> (slice, row, column) mm or None, optional
        See `covidlab.data.slices.grid_spacing`; cases that are missing are measured in pixels of the grid.

    Returns
    -------
    dict
        "setting", and under "parts" for each part: pooled scores, the interval over patients, F1 of volumes and of
        slices with quartiles, negative slices, detection by slice and by run, borders by unit, outlines; of the test
        part also curve and calibration. What is not defined is None, and so is an infinite HD95.

    Raises
    ------
    CovidlabError
        If the cohort's masks are not those that the run was scored with.
    """
    split, segmenter, spacings = run.config.split(cache), run.segmenter, spacings or {}
    probabilities = np.empty(cache.images.shape, np.float32)
    for rows, found in _predicted(segmenter, cache):
        probabilities[rows] = found
    marked = segmenter.mark(probabilities)
    table = slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)
    for part in PARTS:
        _check_same_masks(run, part, table[split.part(part)])
    borders, parts = slice_borders(cache, marked, spacings), {}
    for part in PARTS:
        which = split.part(part)
        positive = which[table.positive[which]]
        parts[part] = _judge_part(table, which) | {
            "borders": borders.summary(positive),
            "volume_borders_in_mm": _volume_borders(cache, marked, which, spacings),
            "outlines": asdict(border_shares(cache.masks[positive], marked[positive])),
        }
    references, test = cache.masks[split.test], probabilities[split.test]
    bins = reliability(references, test)
    found = rounded({
        "setting": run.config.sentence, "leak": run.leak, "threshold": run.threshold, "parts": parts,
        "test_curve": [
            {"threshold": float(threshold), "precision": one.precision, "recall": one.recall}
            for threshold, one in zip(THRESHOLDS, count_at(THRESHOLDS, references, test))
        ],
        "test_reliability": {name: values.tolist() for name, values in vars(bins).items()},
        "test_calibration_error": bins.expected_error,
    })  # fmt: skip
    _write_slices(run.folder / "slices.csv", table, borders, split)
    write_json(run.folder / "evaluation.json", found)
    return found


def judge_weights(segmenter: Segmenter, cache: SliceCache) -> SliceTable:
    """What weights get right and wrong on every slice of a cohort, such as one that their training never saw."""
    marked = np.empty(cache.images.shape, bool)
    for rows, found in _predicted(segmenter, cache):
        marked[rows] = segmenter.mark(found)
    return slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)


def _predicted(segmenter: Segmenter, cache: SliceCache) -> Iterator[tuple]:
    """Where a case's slices lie in the cache, and their probabilities, case after case."""
    for case in track(list(dict.fromkeys(cache.cases.tolist())), "predicting"):
        rows = cache.case(case)
        yield rows, segmenter.probabilities(cache.images[rows])


def _check_same_masks(run: Run, part: str, table: SliceTable) -> None:
    """The reference does not depend on the machine, so its pixels tell whether this is the run's own cohort."""
    here, then = table.pooled(), run.counts[part]
    if (here.tp + here.fn, here.total) != (then.tp + then.fn, then.total):
        raise CovidlabError(
            run.folder,
            f"{here.tp + here.fn} lesion pixels of {here.total} in the {part} part of this cohort",
            f"{then.tp + then.fn} of {then.total}, as the run was scored with",
            "name the folder that the run was made with by --data",
        )


def _judge_part(table: SliceTable, which: np.ndarray) -> dict:
    """What the counts of a part's slices say; neighbours may be of other parts."""
    part, inside = table[which], np.isin(np.arange(len(table)), which)
    f1_by_volume = volume_scores(part)
    return {
        "pooled": part.pooled().scores(),
        "f1_interval": asdict(patient_interval(part)),
        "f1_by_volume": f1_by_volume,
        "f1_by_volume_quartiles": quartiles(list(f1_by_volume.values())),
        "f1_by_positive_slice_quartiles": quartiles(part.f1),
        "negative_slices": asdict(negative_slices(part)),
        "detection": asdict(detection(table, inside)),
        "runs": asdict(run_detection(table, inside)),
    }


@dataclass(frozen=True)
class SliceBorders:
    """How well borders agree on each slice; see `covidlab.evaluation.borders`."""

    # float arrays (slices,); nan on negative slices, which have no border to find. A positive slice on which nothing
    # is marked has an infinite HD95 and an NSD of 0: leaving it out would reward a model for marking nothing.
    hd95: np.ndarray
    nsd: np.ndarray
    # str array (slices,); "mm" or "pixels" of the grid, for HD95
    units: np.ndarray

    def summary(self, positive: np.ndarray) -> dict[str, dict]:
        """For each unit that occurs on some positive slices: numbers, HD95's quartiles, mean NSD."""
        summaries = {}
        for unit in sorted(set(self.units[positive].tolist())):
            hd95, nsd = (values[positive][self.units[positive] == unit] for values in (self.hd95, self.nsd))
            summaries[unit] = {
                "positive_slices": len(hd95),
                "nothing_marked": int(np.isinf(hd95).sum()),
                "hd95_quartiles": quartiles(hd95),
                "nsd_mean": float(nsd.mean()),
            }
        return summaries


def slice_borders(cache: SliceCache, marked: np.ndarray, spacings: Spacings) -> SliceBorders:
    """HD95 and NSD of each positive slice of bool masks (slices, size, size), within its plane."""
    hd95, nsd = np.full((2, len(cache)), np.nan)
    units = np.where([spacings.get(case) is None for case in cache.cases], "pixels", "mm")
    for k in np.flatnonzero(cache.positive):
        spacing = spacings.get(cache.cases[k])
        in_plane = tuple(spacing[1:]) if spacing else 1.0
        scores = surface_scores(cache.masks[k], marked[k], in_plane, nsd_tolerance(spacing))
        hd95[k], nsd[k] = scores.hd95, scores.nsd
    return SliceBorders(hd95, nsd, units)


def _volume_borders(cache: SliceCache, marked: np.ndarray, which: np.ndarray, spacings: Spacings) -> dict:
    """HD95 and NSD in space, of cases that lie wholly in a part, with lesion and with known spacing: slices drawn at
    random are no volume, and a distance across slices without millimetres is none."""
    scores = {}
    for case in dict.fromkeys(cache.cases[which].tolist()):
        whole = cache.case(case)
        if spacings.get(case) and np.isin(whole, which).all() and cache.positive[whole].any():
            one = surface_scores(cache.masks[whole], marked[whole], spacings[case], nsd_tolerance(spacings[case]))
            scores[case] = {"hd95": one.hd95, "nsd": one.nsd}
    return scores


def _write_slices(path: Path, table: SliceTable, borders: SliceBorders, split: Split) -> None:
    part_of = {int(k): part for part in PARTS for k in split.part(part)}
    with whole_file(path) as scratch, scratch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "slice", "part", "tp", "fp", "fn", "tn", "hd95", "nsd", "unit"])
        for k in range(len(table)):
            counts = (int(getattr(table, name)[k]) for name in ("tp", "fp", "fn", "tn"))
            at_borders = [round(float(borders.hd95[k]), 4), round(float(borders.nsd[k]), 4), borders.units[k]]
            row = [table.cases[k], table.patients[k], int(table.z[k]), part_of.get(k, ""), *counts]
            writer.writerow(row + (at_borders if table.positive[k] else [""] * 3))
