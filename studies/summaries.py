"""Scores of finished runs, for programs: what `python -m studies reproduce` writes."""

from collections.abc import Mapping

import numpy as np

from covidlab.training.recipe import GRIDS
from covidlab.training.runs import Run, rounded


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
