"""Everything that can be said of a run: slice by slice, volume by volume, at the borders, and how surely."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS
from covidlab.errors import CovidlabError
from covidlab.evaluation.borders import border_shares, surface_scores
from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable, detection, negative_slices, quartiles, volume_scores
from covidlab.files import whole_file
from covidlab.training.report import case_by_case, count_marked, interval_ends
from covidlab.training.runs import Run, rounded, write_json

# Of NSD: 3 mm is what the record's benchmark takes, yet never less than two pixels of a slice. Otherwise a shift by one
# pixel would score 1 for a patient whose pixels are a little smaller than 3 mm, and a third for the next.
TOLERANCE_MM, TOLERANCE_PIXELS = 3.0, 2.0
# In short, and NSD's tolerance, for tables.
PIXELS = f"{TOLERANCE_PIXELS:g} px"
UNITS = {"mm": ("mm", f"{TOLERANCE_MM:g} mm, at least {PIXELS}"), "pixels": ("px", PIXELS)}

Spacings = Mapping[str, tuple[float, float, float] | None]


def nsd_tolerance(spacing: Sequence[float] | None) -> float:
    """Of NSD, in mm for a (slice, row, column) spacing, in pixels where none is known."""
    return max(TOLERANCE_MM, TOLERANCE_PIXELS * max(spacing[1:])) if spacing else TOLERANCE_PIXELS


def report_run(run: Run, cache: SliceCache, spacings: Spacings | None = None) -> dict:
    """Predict every slice of the cohort once, and judge the parts.

    - `run`, Run: finished. Its folder gains slices.csv, a line a slice, and evaluation.json, which is what is returned.
    - `cache`, SliceCache: of the run's cohort and grid.
    - `spacings`, mapping of case -> (slice, row, column) mm or None: see `covidlab.data.slices.grid_spacing`; cases
      that are missing are measured in pixels of the grid.

    Returns dict: "setting", and under "parts" for each part: pooled scores, the interval over patients, F1 of volumes
    and of slices with quartiles, negative slices, detection by slice, borders by unit, outlines. What is not
    defined is None, and so is an infinite HD95.

    Raises CovidlabError: if the cohort's masks are not those that the run was scored with.
    """
    split, spacings = run.config.split(cache), spacings or {}
    (marked,) = case_by_case(cache, lambda slices: (run.segmenter.mask(slices),))
    table = count_marked(cache, marked)
    for part in PARTS:
        # The reference does not depend on the machine, so its pixels tell whether this is the run's own cohort.
        here, then = table[split.part(part)].pooled(), run.counts[part]
        if (here.tp + here.fn, here.total) != (then.tp + then.fn, then.total):
            raise CovidlabError(
                run.folder, f"{here.tp + here.fn} lesion pixels of {here.total} in the {part} part of this cohort",
                f"{then.tp + then.fn} of {then.total}, as the run was scored with",
                "name the folder that the run was made with by --data",
            )  # fmt: skip
    hd95, nsd, units = slice_borders(cache, marked, spacings)
    parts = {}
    for part in PARTS:
        which = split.part(part)
        positive = which[table.positive[which]]
        parts[part] = _judge(table, which) | {
            "borders": border_summary(hd95[positive], nsd[positive], units[positive]),
            "volume_borders_in_mm": _volume_borders(cache, marked, which, spacings),
            "outlines": asdict(border_shares(cache.masks[positive], marked[positive])),
        }
    found = {"setting": run.config.sentence, "leak": run.leak, "threshold": run.threshold, "parts": parts}
    write_json(run.folder / "evaluation.json", found := rounded(found))
    part_of = {int(k): part for part in PARTS for k in split.part(part)}
    with whole_file(run.folder / "slices.csv") as scratch, scratch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "slice", "part", "tp", "fp", "fn", "tn", "hd95", "nsd", "unit"])
        for k, (case, patient, z, *counts) in enumerate(zip(*vars(table).values())):
            borders = [hd95[k].round(4), nsd[k].round(4), units[k]] if table.positive[k] else [""] * 3
            writer.writerow([case, patient, z, part_of.get(k, ""), *counts, *borders])
    return found


def _judge(table: SliceTable, which: np.ndarray) -> dict:
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
    }


def slice_borders(cache: SliceCache, marked: np.ndarray, spacings: Spacings) -> tuple[np.ndarray, ...]:
    """HD95 and NSD of each positive slice of bool masks (slices, size, size), within its plane, and in which unit.

    Returns float arrays (slices,) and str array (slices,) of `UNITS`: nan on negative slices, which have no border to
    find. A positive slice on which nothing is marked has an infinite HD95 and an NSD of 0: leaving it out would reward
    a model for marking nothing.
    """
    hd95, nsd = np.full((2, len(cache)), np.nan)
    units = np.where([spacings.get(case) is None for case in cache.cases], "pixels", "mm")
    for k in np.flatnonzero(cache.positive):
        spacing = spacings.get(cache.cases[k])
        in_plane = tuple(spacing[1:]) if spacing else 1.0
        scores = surface_scores(cache.masks[k], marked[k], in_plane, nsd_tolerance(spacing))
        hd95[k], nsd[k] = scores.hd95, scores.nsd
    return hd95, nsd, units


def border_summary(hd95: np.ndarray, nsd: np.ndarray, units: np.ndarray) -> dict[str, dict]:
    """What `slice_borders` found on some positive slices, for each unit that occurs."""
    summaries = {}
    for unit in np.unique(units).tolist():
        distances = hd95[units == unit]
        summaries[unit] = {
            "positive_slices": len(distances),
            "nothing_marked": int(np.isinf(distances).sum()), "hd95_quartiles": quartiles(distances),
            "nsd_mean": float(nsd[units == unit].mean()),
        }  # fmt: skip
    return summaries


def _volume_borders(cache: SliceCache, marked: np.ndarray, which: np.ndarray, spacings: Spacings) -> dict:
    """HD95 and NSD in space, of cases that lie wholly in a part, with lesion and with known spacing: slices drawn at
    random are no volume, and a distance across slices without millimetres is none."""
    scores = {}
    for case in dict.fromkeys(cache.cases[which].tolist()):
        whole = cache.case(case)
        if spacings.get(case) and np.isin(whole, which).all() and cache.positive[whole].any():
            one = surface_scores(cache.masks[whole], marked[whole], spacings[case], nsd_tolerance(spacings[case]))
            scores[case] = asdict(one)
    return scores


def report_rows(found: dict) -> list[dict[str, str]]:
    """What `report_run` found as a table, a column a part; borders by unit where a part was measured in it, and in
    space where a part has whole volumes."""
    parts = found["parts"]
    units = [unit for unit in UNITS if any(unit in values["borders"] for values in parts.values())]
    in_space = any(values["volume_borders_in_mm"] for values in parts.values())
    columns = {part: _column(values, units, in_space) for part, values in parts.items()}
    return [{"": label} | {part: column[label] for part, column in columns.items()} for label in columns[PARTS[0]]]


def border_labels(unit: str) -> tuple[str, str]:
    """What NSD and HD95 of slices are called in tables."""
    short, tolerance = UNITS[unit]
    return f"NSD at {tolerance}, mean over positive slices", f"HD95, {short}, median over positive slices"


def _column(values: dict, units: Sequence[str], in_space: bool) -> dict[str, str]:
    """A part's values as text, by what they are."""
    interval, negative, found = values["f1_interval"], values["negative_slices"], values["detection"]
    outlines, volumes = values["outlines"], values["volume_borders_in_mm"].values()
    column = {name: _number(values["pooled"][name]) for name in ("precision", "recall", "accuracy")} | {
        "F1, pooled (95 % over patients)": f"{_number(interval['score'])} ({interval_ends(interval)})",
        "F1 of a volume, median (quartiles)": _spread(values["f1_by_volume_quartiles"]),
        "F1 of a positive slice, median (quartiles)": _spread(values["f1_by_positive_slice_quartiles"]),
        "negative slices left empty": _number(negative["left_empty"]),
        "false pixels on a negative slice": _number(negative["false_pixels"], 1),
        "positive slices noticed": f"{found['slices']['tp']} of {found['slices']['tp'] + found['slices']['fn']}",
        "missed ones with a noticed neighbour": f"{found['caught_by_neighbour']} of {found['missed']}",
    }
    for unit in units:
        nsd, hd95 = border_labels(unit)
        borders = values["borders"].get(unit)
        column[nsd] = _number(borders["nsd_mean"]) if borders else "none"
        # Quartiles are defined wherever a slice was measured, so None is infinite here.
        column[f"{hd95} (quartiles)"] = _spread(borders["hd95_quartiles"], 1, "infinite") if borders else "none"
    if in_space:
        label = f"NSD at {UNITS['mm'][1]}, in space, mean over whole volumes"
        column[label] = _number(float(np.mean([one["nsd"] for one in volumes]))) if volumes else "none whole"
    return column | {
        "marked area / reference area": _number(outlines["area"], 2),
        "share of misses within 1 px of the border": _number(outlines["missed_at_border"], 2),
        "roughness of outlines / reference's": _number(outlines["roughness"], 2),
    }


def _number(value: float | None, digits: int = 3, nothing: str = "not defined") -> str:
    return nothing if value is None else f"{value:.{digits}f}"


def _spread(quartiles: Sequence[float | None], digits: int = 3, nothing: str = "not defined") -> str:
    low, middle, high = (_number(value, digits, nothing) for value in quartiles)
    return middle if middle == "not defined" else f"{middle} ({low} to {high})"
