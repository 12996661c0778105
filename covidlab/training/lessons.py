"""The networks that the lessons show, trained beforehand: what a notebook says of one is true on every computer.

A training ends a little differently on each kind of processor. So the course brings its own runs along, each in a
folder as `run_experiment` writes it.
"""

import json
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from covidlab.data.slices import SliceCache
from covidlab.tables import markdown
from covidlab.training.recipe import Config
from covidlab.training.runs import Run, asked_for, read_run, run_experiment
from covidlab.weights import FOLDER

LESSONS = FOLDER / "lessons"


def lesson_run(config: Config, cache: SliceCache) -> Run:
    """The run that comes along for a config; where there is none, as for other data, it is trained now.

    Scores of one that comes along are those of the training that was shipped, on the phantom as it was drawn then.
    """
    wanted = asked_for(config, cache)
    for kept in LESSONS.glob("*/config.json"):
        if json.loads(kept.read_text()) == wanted:
            return read_run(kept.parent)
    return run_experiment(config, cache, Path(_scratch().name))


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory:
    """A folder for this process, removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="lessons-")


def beside_ours(ours: Mapping[str, Run], yours: Mapping[str, Run]) -> str:
    """Runs that came along and runs that a reader has trained, by name, as a Markdown table of F1.

    Numbers of `yours` stand behind a tilde: they differ a little from one kind of processor to the next.
    """
    rows = []
    for owner, runs, mark in (("ours", ours, ""), ("yours", yours, "~")):
        for name, run in runs.items():
            f1 = {part: f"{mark}{counts.f1:.2f}" for part, counts in run.counts.items()}
            row = {"F1": f"{name}, {owner}, {run.config.recipe.updates:,} updates", **f1}
            rows.append(row | {"threshold": f"{mark}{run.threshold:.3f}".rstrip("0")})
    return markdown(rows)
