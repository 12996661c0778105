"""The networks that the lessons show, trained beforehand: what a notebook says of one is true on every computer.

A training ends a little differently on each kind of processor. So the course brings its own runs along: the weights of
each in a file, and config, scores and history of all in runs.json. Their model card lies beside them.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from covidlab.data.slices import SliceCache
from covidlab.tables import markdown
from covidlab.training.fit import HISTORY
from covidlab.training.recipe import Config
from covidlab.training.runs import Run, asked_for, read_run, run_experiment, write_json
from covidlab.weights import BEST, FOLDER

LESSONS = FOLDER / "lessons"


def lesson_run(config: Config, cache: SliceCache) -> Run:
    """The run that comes along for a config; where there is none, as for other data, it is trained now.

    Scores of one that comes along are those of the training that was shipped, on the phantom as it was drawn then.
    """
    wanted, folder = asked_for(config, cache), Path(_scratch().name)
    for name, kept in kept_runs().items():
        if wanted.items() <= kept["config"].items():
            return read_run(unpack(name, kept, folder / name))
    return run_experiment(config, cache, folder)


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory:
    """A folder for this process, removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="lessons-")


def kept_runs() -> dict[str, dict]:
    """What is kept of the runs that come along, by name: "config", "scores" and the lines of "history"."""
    return json.loads((LESSONS / "runs.json").read_text(encoding="utf-8"))


def unpack(name: str, kept: Mapping, folder: Path) -> Path:
    """Write such a run into a folder as `run_experiment` does: it gains reports, and the package may not be written."""
    folder.mkdir(exist_ok=True)
    write_json(folder / "config.json", kept["config"])
    write_json(folder / "scores.json", kept["scores"])
    (folder / HISTORY).write_text("\n".join(kept["history"]) + "\n", encoding="utf-8")
    shutil.copyfile(LESSONS / f"{name}.weights.h5", folder / BEST)
    return folder


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
