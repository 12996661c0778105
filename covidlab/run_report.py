"""Everything that can be said of one finished run: slice by slice, volume by volume, at the borders, and how surely."""

import csv
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlab.evaluation import (
    SliceTable,
    detection,
    negative_slices,
    patient_interval,
    quartiles,
    reliability,
    slice_table,
    volume_scores,
)
from covidlab.experiment import Run, make_split, rounded, write_json
from covidlab.slice_cache import SliceCache
from covidlab.splits import PARTS
from covidlab.surfaces import border_shares, surface_scores
from covidlab.training import predict_slices

TOLERANCE = 1.0  # pixels: the cache's slices have been resampled, and of the record's no spacing is known


def report_run(run: Run, cache: SliceCache) -> dict:
    """Predict every slice of the cohort once, and judge the parts.

    Parameters
    ----------
    run : Run
        Finished. Its folder gains slices.csv, a line a slice, and evaluation.json, which is what is returned.
    cache : SliceCache
        Of the run's cohort and grid.

    Returns
    -------
    dict
        "setting", and under "parts" for each part: pooled scores, the interval over patients, each volume's F1 with
        quartiles, negative slices, detection, borders (in pixels of the grid), and calibration of the test part.
    """
    split = make_split(cache, run.config.protocol, run.config.seed, run.config.test_patients)
    model, _ = run.model()
    probabilities = predict_slices(model, cache.images)
    marked = probabilities >= run.threshold
    table = slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)
    found = {"setting": run.config.sentence, "leak": run.leak, "threshold": run.threshold, "parts": {}}
    for part in PARTS:
        which = split.part(part)
        inside = np.isin(np.arange(len(cache)), which)
        f1_by_volume = volume_scores(table[which])
        found["parts"][part] = {
            "pooled": rounded(table[which].pooled().scores()),
            "f1_interval": _plain(asdict(patient_interval(table[which]))),
            "f1_by_volume": rounded(f1_by_volume),
            "f1_by_volume_quartiles": _plain(quartiles(list(f1_by_volume.values()))),
            "negative_slices": _plain(asdict(negative_slices(table[which]))),
            "detection": asdict(detection(table, inside)),
            "borders_in_pixels": _borders(cache.masks[which], marked[which]),
        }
    test = reliability(cache.masks[split.test], probabilities[split.test])
    found["test_calibration_error"] = round(test.expected_error, 6)
    _write_slices(run.folder / "slices.csv", table, split)
    write_json(run.folder / "evaluation.json", found)
    return found


def _borders(references: np.ndarray, marked: np.ndarray) -> dict:
    positive = references.any(axis=(1, 2))
    pairs = [surface_scores(one, other, 1.0, TOLERANCE) for one, other in zip(references[positive], marked[positive])]
    drawn = [pair.hd95 for pair in pairs if np.isfinite(pair.hd95)]
    return _plain({
        "tolerance": TOLERANCE,
        "positive_slices": len(pairs),
        "nothing_marked": len(pairs) - len(drawn),
        "hd95_median": float(np.median(drawn)) if drawn else float("nan"),
        "nsd_mean": float(np.mean([pair.nsd for pair in pairs])) if pairs else float("nan"),
        **asdict(border_shares(references[positive], marked[positive])),
    })  # fmt: skip


def _plain(values):
    """Rounded, and null where not defined, for JSON."""
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return (None if np.isnan(values) else round(values, 6)) if isinstance(values, float) else values


def _write_slices(path: Path, table: SliceTable, split) -> None:
    part_of = {int(k): part for part in PARTS for k in split.part(part)}
    scratch = path.with_name(f".{path.name}")
    with scratch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "slice", "part", "tp", "fp", "fn", "tn"])
        for k in range(len(table)):
            counts = (int(getattr(table, name)[k]) for name in ("tp", "fp", "fn", "tn"))
            writer.writerow([table.cases[k], table.patients[k], int(table.z[k]), part_of.get(k, ""), *counts])
    os.replace(scratch, path)


def report_rows(found: dict) -> list[dict[str, str]]:
    """The report as a table, a column a part."""
    parts = found["parts"]

    def line(what: str, read) -> dict[str, str]:
        return {"": what, **{part: read(values) for part, values in parts.items()}}

    def number(value, digits: int = 3) -> str:
        return "not defined" if value is None else f"{value:.{digits}f}"

    def interval(values: dict) -> str:
        at = values["f1_interval"]
        ends = "one patient" if at["low"] is None else f"{at['low']:.3f} to {at['high']:.3f}"
        return f"{number(at['score'])} ({ends})"

    def volumes(values: dict) -> str:
        low, middle, high = values["f1_by_volume_quartiles"]
        return "not defined" if middle is None else f"{middle:.3f} ({low:.3f} to {high:.3f})"

    def noticed(values: dict) -> str:
        counts = values["detection"]["slices"]
        return f"{counts['tp']} of {counts['tp'] + counts['fn']}"

    def neighbours(values: dict) -> str:
        return f"{values['detection']['caught_by_neighbour']} of {values['detection']['missed']}"

    borders = "borders_in_pixels"
    return [
        *(line(name, lambda v, name=name: number(v["pooled"][name])) for name in ("precision", "recall", "accuracy")),
        line("F1, pooled (95 % over patients)", interval),
        line("F1 of a volume, median (quartiles)", volumes),
        line("negative slices left empty", lambda v: number(v["negative_slices"]["left_empty"])),
        line("false pixels on a negative slice", lambda v: number(v["negative_slices"]["false_pixels"], 1)),
        line("positive slices noticed", noticed),
        line("missed ones with a noticed neighbour", neighbours),
        line("NSD at 1 px, mean over positive slices", lambda v: number(v[borders]["nsd_mean"])),
        line("HD95, px, median", lambda v: number(v[borders]["hd95_median"], 1)),
        line("marked area / reference area", lambda v: number(v[borders]["area"], 2)),
        line("share of misses within 1 px of the border", lambda v: number(v[borders]["missed_at_border"], 2)),
        line("roughness of outlines / reference's", lambda v: number(v[borders]["roughness"], 2)),
    ]
