"""Everything that can be said of one finished run: slice by slice, volume by volume, at the borders, and how surely."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from covidlab.errors import CovidlabError
from covidlab.evaluation import (
    SliceTable,
    detection,
    negative_slices,
    patient_interval,
    quartiles,
    reliability,
    run_detection,
    slice_table,
    volume_scores,
)
from covidlab.experiment import Run, rounded, write_json
from covidlab.export import open_exported, predict_exported
from covidlab.metrics import Counts, count, count_at
from covidlab.models import channels_of
from covidlab.progress import Progress, silent
from covidlab.results import mean_and_range
from covidlab.slice_cache import SliceCache
from covidlab.splits import PARTS
from covidlab.surfaces import border_shares, surface_scores
from covidlab.tensorflow_quiet import keras
from covidlab.training import THRESHOLDS, predict_cached
from covidlab.weights_file import WeightsInfo
from covidlab.whole_file import whole_file

# 3 mm is what the record's benchmark takes. Where no spacing is known, as in reduced copies of the record, a pixel of
# the grid is all that can be said.
TOLERANCES = {"mm": 3.0, "pixels": 1.0}
UNITS = {"mm": "mm", "pixels": "px"}  # in short, for tables
Spacings = Mapping[str, tuple[float, float, float] | None]


def report_run(run: Run, cache: SliceCache, spacings: Spacings | None = None, progress: Progress = silent) -> dict:
    """Predict every slice of the cohort once, and judge the parts.

    Parameters
    ----------
    run : Run
        Finished. Its folder gains slices.csv, a line a slice, and evaluation.json, which is what is returned; of a
        committed run, whose weights are not kept, that file is read.
    cache : SliceCache
        Of the run's cohort and grid.
    spacings : mapping of case -> (slice, row, column) mm or None, optional
        See `covidlab.slice_cache.grid_spacing`; cases that are missing are measured in pixels of the grid.
    progress : callable (done, total, text)
        Counts cases.

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
    kept = run.folder / "evaluation.json"
    if kept.exists() and not run.weights.exists():
        return json.loads(kept.read_text())
    split = run.config.split(cache)
    model, info = run.model()
    probabilities = np.empty(cache.images.shape, np.float32)
    for rows, found in _predicted(model, cache, progress):
        probabilities[rows] = found
    marked = info.mark(probabilities)
    table = slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)
    for part in PARTS:
        _check_same_masks(run, part, table[split.part(part)])
    borders = slice_borders(cache, marked, spacings or {})
    found = {"setting": run.config.sentence, "leak": run.leak, "threshold": run.threshold, "parts": {}}
    for part in PARTS:
        which = split.part(part)
        inside = np.isin(np.arange(len(cache)), which)
        f1_by_volume = volume_scores(table[which])
        positive = which[table.positive[which]]
        found["parts"][part] = {
            "pooled": rounded(table[which].pooled().scores()),
            "f1_interval": _plain(asdict(patient_interval(table[which]))),
            "f1_by_volume": rounded(f1_by_volume),
            "f1_by_volume_quartiles": _plain(quartiles(list(f1_by_volume.values()))),
            "f1_by_positive_slice_quartiles": _plain(quartiles(table[which].f1)),
            "negative_slices": _plain(asdict(negative_slices(table[which]))),
            "detection": asdict(detection(table, inside)),
            "runs": asdict(run_detection(table, inside)),
            "borders": borders.summary(positive),
            "volume_borders_in_mm": _volume_borders(cache, marked, which, spacings or {}),
            "outlines": _plain(asdict(border_shares(cache.masks[positive], marked[positive]))),
        }
    references, test = cache.masks[split.test], probabilities[split.test]
    counts = count_at(THRESHOLDS, references, test)
    found["test_curve"] = [
        {"threshold": float(threshold), **rounded({"precision": one.precision, "recall": one.recall})}
        for threshold, one in zip(THRESHOLDS, counts)
    ]
    bins = reliability(references, test)
    found["test_reliability"] = _plain({name: values.tolist() for name, values in vars(bins).items()})
    found["test_calibration_error"] = round(bins.expected_error, 6)
    _write_slices(run.folder / "slices.csv", table, borders, split)
    write_json(kept, found)
    return found


def _predicted(model: keras.Model, cache: SliceCache, progress: Progress, mirror: bool = False) -> Iterator[tuple]:
    """Where a case's slices lie in the cache, and their probabilities, case after case."""
    cases = list(dict.fromkeys(cache.cases.tolist()))
    for done, case in enumerate(cases):
        progress(done, len(cases), case)
        rows = cache.case(case)
        yield rows, predict_cached(model, cache, rows, mirror)
    progress(len(cases), len(cases), "judging")


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


@dataclass(frozen=True)
class SliceBorders:
    """How well borders agree on each slice; see `covidlab.surfaces`.

    Parameters
    ----------
    hd95, nsd : float arrays (slices,)
        nan on negative slices, which have no border to find. A positive slice on which nothing is marked has an
        infinite HD95 and an NSD of 0: leaving it out would reward a model for marking nothing.
    units : str array (slices,)
        "mm" or "pixels" of the grid, for HD95 and for the tolerance of NSD (`TOLERANCES`).
    """

    hd95: np.ndarray
    nsd: np.ndarray
    units: np.ndarray

    def summary(self, positive: np.ndarray) -> dict[str, dict]:
        """For each unit that occurs on some positive slices: tolerance, numbers, HD95's quartiles, mean NSD."""
        summaries = {}
        for unit in sorted(set(self.units[positive].tolist())):
            hd95, nsd = (values[positive][self.units[positive] == unit] for values in (self.hd95, self.nsd))
            summaries[unit] = _plain({
                "tolerance": TOLERANCES[unit],
                "positive_slices": len(hd95),
                "nothing_marked": int(np.isinf(hd95).sum()),
                "hd95_quartiles": quartiles(hd95),
                "nsd_mean": float(nsd.mean()),
            })  # fmt: skip
        return summaries


def slice_borders(cache: SliceCache, marked: np.ndarray, spacings: Spacings) -> SliceBorders:
    """HD95 and NSD of each positive slice, within its plane.

    Parameters
    ----------
    cache : SliceCache
    marked : bool array (slices, size, size)
    spacings : as for `report_run`

    Returns
    -------
    SliceBorders
    """
    hd95, nsd = np.full((2, len(cache)), np.nan)
    units = np.where([spacings.get(case) is None for case in cache.cases], "pixels", "mm")
    for k in np.flatnonzero(cache.positive):
        _, *in_plane = spacings.get(cache.cases[k]) or (1.0, 1.0, 1.0)
        scores = surface_scores(cache.masks[k], marked[k], tuple(in_plane), TOLERANCES[units[k]])
        hd95[k], nsd[k] = scores.hd95, scores.nsd
    return SliceBorders(hd95, nsd, units)


def _volume_borders(cache: SliceCache, marked: np.ndarray, which: np.ndarray, spacings: Spacings) -> dict:
    """HD95 and NSD in space, of cases that lie wholly in a part, with lesion and with known spacing: slices drawn at
    random are no volume, and a distance across slices without millimetres is none."""
    scores = {}
    for case in dict.fromkeys(cache.cases[which].tolist()):
        whole = cache.case(case)
        if spacings.get(case) and np.isin(whole, which).all() and cache.positive[whole].any():
            one = surface_scores(cache.masks[whole], marked[whole], spacings[case], TOLERANCES["mm"])
            scores[case] = _plain({"hd95": one.hd95, "nsd": one.nsd})
    return scores


def _plain(values):
    """Rounded, and null where not defined or infinite, for JSON, which knows neither."""
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return (round(values, 6) if np.isfinite(values) else None) if isinstance(values, float) else values


def _write_slices(path: Path, table: SliceTable, borders: SliceBorders, split) -> None:
    part_of = {int(k): part for part in PARTS for k in split.part(part)}
    with whole_file(path) as scratch, scratch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "slice", "part", "tp", "fp", "fn", "tn", "hd95", "nsd", "unit"])
        for k in range(len(table)):
            counts = (int(getattr(table, name)[k]) for name in ("tp", "fp", "fn", "tn"))
            at_borders = [round(float(borders.hd95[k]), 4), round(float(borders.nsd[k]), 4), borders.units[k]]
            row = [table.cases[k], table.patients[k], int(table.z[k]), part_of.get(k, ""), *counts]
            writer.writerow(row + (at_borders if table.positive[k] else [""] * 3))


@dataclass(frozen=True)
class Measure:
    """A number of a part's report.

    Parameters
    ----------
    label : str
    read : callable
        Takes it out of the part's values; None is not defined.
    digits : int
    """

    label: str
    read: Callable[[dict], float | None]
    digits: int = 3


SCORES = tuple(Measure(name, lambda v, name=name: v["pooled"][name]) for name in ("precision", "recall", "accuracy"))
NEGATIVES = (
    Measure("negative slices left empty", lambda v: v["negative_slices"]["left_empty"]),
    Measure("false pixels on a negative slice", lambda v: v["negative_slices"]["false_pixels"], 1),
)
OUTLINES = (
    Measure("marked area / reference area", lambda v: v["outlines"]["area"], 2),
    Measure("share of misses within 1 px of the border", lambda v: v["outlines"]["missed_at_border"], 2),
    Measure("roughness of outlines / reference's", lambda v: v["outlines"]["roughness"], 2),
)
# What stands with an interval, quartiles or a count in one run's table is a number in the mean over seeds.
AVERAGED = (
    *SCORES,
    Measure("F1, pooled", lambda v: v["pooled"]["f1"]),
    Measure("F1 of a volume, median", lambda v: v["f1_by_volume_quartiles"][1]),
    Measure("F1 of a positive slice, median", lambda v: v["f1_by_positive_slice_quartiles"][1]),
    *NEGATIVES,
    Measure("share of positive slices noticed",
            lambda v: _share(v["detection"]["slices"]["tp"], v["detection"]["missed"])),
    Measure("share of runs of positive slices noticed",
            lambda v: _share(v["runs"]["noticed"], v["runs"]["runs"] - v["runs"]["noticed"])),
    *OUTLINES,
)  # fmt: skip


def _borders(unit: str) -> tuple[Measure, Measure]:
    """NSD and HD95 where borders were measured in a unit."""
    short = UNITS[unit]
    return (
        Measure(f"NSD at {TOLERANCES[unit]:g} {short}, mean over positive slices",
                lambda v: v["borders"][unit]["nsd_mean"]),
        Measure(f"HD95, {short}, median over positive slices", lambda v: v["borders"][unit]["hd95_quartiles"][1], 1),
    )  # fmt: skip


def _ends(interval: Mapping) -> str:
    """An interval over patients, of which one has none."""
    return "one patient" if interval["low"] is None else f"{interval['low']:.3f} to {interval['high']:.3f}"


def report_rows(found: dict) -> list[dict[str, str]]:
    """The report as a table, a column a part."""
    parts = found["parts"]

    def line(what: str, read) -> dict[str, str]:
        return {"": what, **{part: read(values) for part, values in parts.items()}}

    def number(value, digits: int = 3) -> str:
        return "not defined" if value is None else f"{value:.{digits}f}"

    def numbers(measures: Sequence[Measure]) -> list[dict[str, str]]:
        return [line(one.label, lambda v, one=one: number(one.read(v), one.digits)) for one in measures]

    def interval(values: dict) -> str:
        return f"{number(values['f1_interval']['score'])} ({_ends(values['f1_interval'])})"

    def spread(quartiles: list) -> str:
        low, middle, high = quartiles
        return "not defined" if middle is None else f"{middle:.3f} ({low:.3f} to {high:.3f})"

    def noticed(values: dict) -> str:
        counts = values["detection"]["slices"]
        return f"{counts['tp']} of {counts['tp'] + counts['fn']}"

    def neighbours(values: dict) -> str:
        return f"{values['detection']['caught_by_neighbour']} of {values['detection']['missed']}"

    def at_borders(unit: str, read):
        return lambda values: read(values["borders"][unit]) if unit in values["borders"] else "none"

    def distance(borders: dict) -> str:
        # Quartiles are defined wherever a slice was measured, so None is infinite here.
        low, middle, high = ("infinite" if one is None else f"{one:.1f}" for one in borders["hd95_quartiles"])
        return f"{middle} ({low} to {high})"

    def in_space(values: dict) -> str:
        return number(float(np.mean([one["nsd"] for one in values["volume_borders_in_mm"].values()])))

    borders = []
    for unit in UNITS:
        if any(unit in values["borders"] for values in parts.values()):
            nsd, hd95 = _borders(unit)
            borders.append(line(nsd.label, at_borders(unit, lambda at: number(at["nsd_mean"]))))
            borders.append(line(f"{hd95.label} (quartiles)", at_borders(unit, distance)))
    if any(values["volume_borders_in_mm"] for values in parts.values()):
        what = f"NSD at {TOLERANCES['mm']:g} mm in space, mean over whole volumes"
        borders.append(line(what, lambda values: in_space(values) if values["volume_borders_in_mm"] else "none whole"))
    return [
        *numbers(SCORES),
        line("F1, pooled (95 % over patients)", interval),
        line("F1 of a volume, median (quartiles)", lambda v: spread(v["f1_by_volume_quartiles"])),
        line("F1 of a positive slice, median (quartiles)", lambda v: spread(v["f1_by_positive_slice_quartiles"])),
        *numbers(NEGATIVES),
        line("positive slices noticed", noticed),
        line("missed ones with a noticed neighbour", neighbours),
        line("runs of positive slices noticed", lambda v: f"{v['runs']['noticed']} of {v['runs']['runs']}"),
        line("runs with a found slice next to each", lambda v: f"{v['runs']['covered']} of {v['runs']['runs']}"),
        *borders,
        *numbers(OUTLINES),
    ]


def side_by_side(reports: Mapping[str, dict], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports as a table, a column a run; only what all of them measured."""
    columns = {name: {row[""]: row[part] for row in report_rows(found)} for name, found in reports.items()}
    first = next(iter(columns.values()))
    return [
        {"measure": what, **{name: column[what] for name, column in columns.items()}}
        for what in first
        if all(what in column for column in columns.values())
    ]


def over_seeds(reports: Mapping[str, Sequence[dict]], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports of each model as a table: mean of the seeds, in brackets the range.

    Parameters
    ----------
    reports : mapping of model -> reports, a seed each
    part : str

    Returns
    -------
    list of dict of column -> text
        Borders only where all were measured in one unit. A seed for which something is not defined, as an infinite
        HD95, is left out of that mean.
    """
    units = {unit for found in reports.values() for one in found for unit in one["parts"][part]["borders"]}
    measures = [*AVERAGED, *(_borders(*units) if len(units) == 1 else ())]

    def cell(measure: Measure, found: Sequence[dict]) -> str:
        values = [measure.read(one["parts"][part]) for one in found]
        return mean_and_range([np.nan if value is None else value for value in values], measure.digits)

    return [
        {"measure": one.label, **{name: cell(one, found) for name, found in reports.items()}} for one in measures
    ]


def _share(hits: int, misses: int) -> float | None:
    return hits / (hits + misses) if hits + misses else None


def score_exported(path: Path, run: Run, cache: SliceCache) -> Counts:
    """What an exported file of a run's weights gets right and wrong on the run's test part, at the run's threshold.

    Parameters
    ----------
    path : Path
        Takes slices of the run's grid.
    run : Run
    cache : SliceCache
        Of the run's cohort and grid.

    Returns
    -------
    Counts
        Pooled over all slices of the part; `run.counts["test"]` are Keras' own.
    """
    test = run.config.split(cache).test
    model, info = run.model()
    found = predict_exported(open_exported(path), cache.inputs(test, channels_of(model)))
    return count(cache.masks[test], info.mark(found))


def judge_weights(model: keras.Model, info: WeightsInfo, cache: SliceCache, progress: Progress = silent) -> SliceTable:
    """What weights get right and wrong on every slice of a cohort, such as one that their training never saw.

    Parameters
    ----------
    model, info
        See `covidlab.weights_file.load_model`; the threshold is the weights' own.
    cache : SliceCache
        On the weights' grid.
    progress : callable (done, total, text)
        Counts cases.

    Returns
    -------
    SliceTable
    """
    marked = np.empty(cache.images.shape, bool)
    for rows, found in _predicted(model, cache, progress, info.mirror):
        marked[rows] = info.mark(found)
    return slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)


# So few positive slices say nothing of their case, yet their false pixels weigh in the pool.
NEARLY_EMPTY = 2


def case_rows(table: SliceTable, seen: Sequence[str] = ()) -> list[dict[str, str]]:
    """Slices by case and pooled: F1 with its interval over patients, and negative slices left empty.

    Parameters
    ----------
    table : SliceTable
    seen : sequence of str
        Cases whose patients were in training: they are marked, and the others pooled on a line of their own.

    Returns
    -------
    list of dict of column -> text
        A line a case; all slices pooled; the same without cases of hardly any positive slices, where there are such;
        positive slices only.
    """

    def line(name: str, part: SliceTable, interval: bool = False) -> dict[str, str]:
        pooled, empty = part.pooled(), negative_slices(part).left_empty
        scores = {score: mean_and_range([getattr(pooled, score)]) for score in ("precision", "recall", "f1")}
        return {
            "case": name, "slices": str(len(part)), "positive": str(int(part.positive.sum())), **scores,
            "95 % over patients": _ends(_plain(asdict(patient_interval(part)))) if interval else "",
            "negative slices left empty": "none" if np.isnan(empty) else f"{empty:.3f}",
        }  # fmt: skip

    cases = list(dict.fromkeys(table.cases.tolist()))
    rows = [line(f"{case} (seen)" if case in seen else case, table[table.cases == case]) for case in cases]
    if set(seen) & set(cases) and set(cases) - set(seen):
        rows.append(line("not seen, pooled", table[~np.isin(table.cases, list(seen))], interval=True))
    rows.append(line("all, pooled", table, interval=True))
    if few := [case for case in cases if table[table.cases == case].positive.sum() <= NEARLY_EMPTY]:
        rows.append(line(f"without {', '.join(few)}", table[~np.isin(table.cases, few)], interval=True))
    return [*rows, line("positive slices only", table[table.positive], interval=True)]


def adaptation_rows(curves: Mapping[str, Mapping[int, Counts]]) -> list[dict[str, str]]:
    """F1 by number of annotated slices: a line a patient, the mean over patients, and the mean gain over none.

    Parameters
    ----------
    curves : mapping of patient -> what `covidlab.adaptation.adaptation_curve` gives
        The same numbers of slices in each, 0 among them.

    Returns
    -------
    list of dict of column -> text
    """
    numbers = list(next(iter(curves.values())))
    scores = np.array([[counts[number].f1 for number in numbers] for counts in curves.values()])

    def line(name: str, values: Sequence[float], sign: str = "") -> dict[str, str]:
        return {"patient": name} | {f"{n} slices": f"{value:{sign}.3f}" for n, value in zip(numbers, values)}

    rows = [line(patient, values) for patient, values in zip(curves, scores)]
    rows.append(line("mean of patients", scores.mean(axis=0)))
    return [*rows, line("mean gain", (scores - scores[:, [numbers.index(0)]]).mean(axis=0), "+")]
