"""Tables over several runs: side by side, over seeds, before and after adaptation."""

from collections.abc import Mapping, Sequence

import numpy as np

from covidlab.evaluation.counts import Counts
from covidlab.tables import mean_and_range
from covidlab.training.report import border_labels, report_rows


def over_seeds(reports: Mapping[str, Sequence[dict]], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports of each model, a seed each, as a table: mean of the seeds, in brackets the range.

    Borders only where all were measured in one unit. A seed for which something is not defined, as an infinite HD95,
    is left out of that mean.
    """
    units = {unit for found in reports.values() for one in found for unit in one["parts"][part]["borders"]}
    [unit] = units if len(units) == 1 else [None]
    columns = {name: [_numbers(one["parts"][part], unit) for one in found] for name, found in reports.items()}

    def cell(seeds: Sequence[dict], label: str) -> str:
        values = [np.nan if one[label] is None else one[label] for one in seeds]
        return mean_and_range(values, DIGITS.get(label.split(",")[0], 3))

    labels = next(iter(columns.values()))[0]
    return [{"measure": label, **{name: cell(seeds, label) for name, seeds in columns.items()}} for label in labels]


# Of means over seeds, where they are not three.
DIGITS = {
    "false pixels on a negative slice": 1, "marked area / reference area": 2, "HD95": 1,
    "share of misses within 1 px of the border": 2, "roughness of outlines / reference's": 2,
}  # fmt: skip


def _numbers(values: dict, unit: str | None) -> dict[str, float | None]:
    """What of a part can be averaged; what stands as an interval or a count in one run's table is a number here."""
    slices, runs, negative, outlines = (values[name] for name in ("detection", "runs", "negative_slices", "outlines"))
    noticed, positive = slices["slices"]["tp"], slices["slices"]["tp"] + slices["slices"]["fn"]
    numbers = {name: values["pooled"][name] for name in ("precision", "recall", "accuracy")} | {
        "F1, pooled": values["pooled"]["f1"],
        "F1 of a volume, median": values["f1_by_volume_quartiles"][1],
        "F1 of a positive slice, median": values["f1_by_positive_slice_quartiles"][1],
        "negative slices left empty": negative["left_empty"],
        "false pixels on a negative slice": negative["false_pixels"],
        "share of positive slices noticed": noticed / positive if positive else None,
        "share of runs of positive slices noticed": runs["noticed"] / runs["runs"] if runs["runs"] else None,
        "marked area / reference area": outlines["area"],
        "share of misses within 1 px of the border": outlines["missed_at_border"],
        "roughness of outlines / reference's": outlines["roughness"],
    }
    if unit:
        borders = values["borders"][unit]
        numbers |= dict(zip(border_labels(unit), (borders["nsd_mean"], borders["hd95_quartiles"][1])))
    return numbers


def adaptation_rows(curves: Mapping[str, Mapping[int, Counts]]) -> list[dict[str, str]]:
    """F1 by number of annotated slices: a line a patient, the mean over patients, and the mean gain over none.

    `curves` holds what `covidlab.beyond.adaptation.adaptation_curve` gives for each patient: the same numbers of
    slices in each, 0 among them.
    """
    numbers = list(next(iter(curves.values())))
    scores = np.array([[counts[number].f1 for number in numbers] for counts in curves.values()])

    def line(name: str, values: Sequence[float], sign: str = "") -> dict[str, str]:
        return {"patient": name} | {f"{n} slices": f"{value:{sign}.3f}" for n, value in zip(numbers, values)}

    rows = [line(patient, values) for patient, values in zip(curves, scores)]
    rows.append(line("mean of patients", scores.mean(axis=0)))
    return [*rows, line("mean gain", (scores - scores[:, [numbers.index(0)]]).mean(axis=0), "+")]


def side_by_side(reports: Mapping[str, dict], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports as a table, a column a run; only what all of them measured."""
    columns = {name: {row[""]: row[part] for row in report_rows(found)} for name, found in reports.items()}
    first = next(iter(columns.values()))
    return [
        {"measure": what, **{name: column[what] for name, column in columns.items()}}
        for what in first
        if all(what in column for column in columns.values())
    ]
