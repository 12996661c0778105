"""Several finished runs side by side and over seeds: as tables, and as the numbers that `reproduce` writes."""

from collections.abc import Mapping, Sequence

import numpy as np

from covidlab.tables import mean_and_range
from covidlab.training.recipe import GRIDS
from covidlab.training.report import AVERAGED, Measure, borders_in, report_rows
from covidlab.training.runs import Run, rounded


def over_seeds(reports: Mapping[str, Sequence[dict]], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports of each model, a seed each, as a table: mean of the seeds, in brackets the range.

    Borders only where all were measured in one unit. A seed for which something is not defined, as an infinite HD95,
    is left out of that mean.
    """
    units = {unit for found in reports.values() for one in found for unit in one["parts"][part]["borders"]}
    measures = [*AVERAGED, *(borders_in(*units) if len(units) == 1 else ())]

    def cell(measure: Measure, found: Sequence[dict]) -> str:
        values = [measure.read(one["parts"][part]) for one in found]
        return mean_and_range([np.nan if value is None else value for value in values], measure.digits)

    return [
        {"measure": one.label, **{name: cell(one, found) for name, found in reports.items()}} for one in measures
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
