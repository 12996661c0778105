"""Several finished runs side by side, over seeds: as a table, and as the numbers that `reproduce` writes."""

from collections.abc import Mapping, Sequence

import numpy as np

from covidlab.tables import mean_and_range
from covidlab.training.recipe import GRIDS
from covidlab.training.runs import Run, rounded
from studies.report import border_labels


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
    slices, negative, outlines = (values[name] for name in ("detection", "negative_slices", "outlines"))
    noticed, positive = slices["slices"]["tp"], slices["slices"]["tp"] + slices["slices"]["fn"]
    numbers = {name: values["pooled"][name] for name in ("precision", "recall", "accuracy")} | {
        "F1, pooled": values["pooled"]["f1"],
        "F1 of a volume, median": values["f1_by_volume_quartiles"][1],
        "F1 of a positive slice, median": values["f1_by_positive_slice_quartiles"][1],
        "negative slices left empty": negative["left_empty"],
        "false pixels on a negative slice": negative["false_pixels"],
        "share of positive slices noticed": noticed / positive if positive else None,
        "marked area / reference area": outlines["area"],
        "share of misses within 1 px of the border": outlines["missed_at_border"],
        "roughness of outlines / reference's": outlines["roughness"],
    }
    if unit:
        borders = values["borders"][unit]
        numbers |= dict(zip(border_labels(unit), (borders["nsd_mean"], borders["hd95_quartiles"][1])))
    return numbers


def summary(runs: Mapping[str, Run]) -> dict:
    """What `python -m studies reproduce` writes: the setting, and each model's scores by part."""
    first = next(iter(runs.values())).config
    profile = next((name for name, grid in GRIDS.items() if grid == first.grid), f"{first.grid} px")
    return {
        "data": first.cohort,
        "cases": list(first.cases),
        "protocol": first.protocol,
        "profile": profile,
        "grid": first.grid,
        "seed": first.seed,
        "models": {name: {part: rounded(scores) for part, scores in run.scores.items()} for name, run in runs.items()},
    }


def summary_over_seeds(by_seed: Mapping[int, Mapping[str, Run]]) -> dict:
    """As `summary`, with each score's mean and range over the seeds."""
    summaries = {str(seed): summary(runs) for seed, runs in by_seed.items()}
    first = next(iter(summaries.values()))
    setting = {key: value for key, value in first.items() if key not in ("seed", "models")}
    found = {**setting, "seeds": list(by_seed), "models": {}, "ranges": {}, "by_seed": {}}
    for name, parts in first["models"].items():
        for part, scores in parts.items():
            for score in scores:
                values = [one["models"][name][part][score] for one in summaries.values()]
                known = [value for value in values if value is not None]
                mean, ends = (round(float(np.mean(known)), 6), [min(known), max(known)]) if known else (None, None)
                found["models"].setdefault(name, {}).setdefault(part, {})[score] = mean
                found["ranges"].setdefault(name, {}).setdefault(part, {})[score] = ends
    return found | {"by_seed": {seed: one["models"] for seed, one in summaries.items()}}
