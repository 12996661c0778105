"""The lessons' networks: what each was asked for, and the command that trains them again.

    python -m studies.lessons           # train what is missing into covidlab/weights/lessons
    python -m studies.lessons --again   # train all of them anew

The notebooks write the same configs out and find these runs by them (`covidlab.training.lessons`).
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from covidlab.data.cohorts import open_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.training.fit import HISTORY
from covidlab.training.lessons import LESSONS, kept_runs
from covidlab.training.recipe import Config, Recipe, recipe_for
from covidlab.training.runs import run_experiment, write_json

COHORT, UPDATES = "phantom-lesson", 1500
NARROW = {"width": 1 / 16, "dropout": 0.2}


def lesson(model: str, updates: int = UPDATES, protocol: str = "patient", **options) -> Config:
    """What notebooks 02 to 05 and 07 ask of a network, at 128 px."""
    recipe = replace(recipe_for(True, updates, model), updates_per_epoch=100)
    return Config(COHORT, 128, protocol, seed=0, model=model, options=options, recipe=recipe)


def contestant(**changes) -> Config:
    """What notebook 06 asks of its contestants, at 64 px."""
    recipe = Recipe(updates=180, updates_per_epoch=90, learning_rate=5e-3, augment=0, negatives_per_positive=1)
    return Config(COHORT, 64, "slice", seed=0, options={"widths": [8, 16, 32, 64]}, recipe=replace(recipe, **changes))


CONTEST = {
    "positive only": contestant(negatives_per_positive=0),
    "as many negative": contestant(),
    "cross-entropy": contestant(loss="cross_entropy"),
    "weighted cross-entropy": contestant(loss="weighted_cross_entropy"),
}
LONG = {
    "patch CNN": lesson("patch_cnn"),
    "FCN-32s": lesson("fcn8s", stride=32, **NARROW),
    "FCN-16s": lesson("fcn8s", stride=16, **NARROW),
    "FCN-8s": lesson("fcn8s", **NARROW),
    "light U-Net": lesson("light_unet"),
    "light U-Net with sums": lesson("light_unet", join="sum"),
    "light U-Net without skip 1": lesson("light_unet", without_skips=[1]),
}


def keep(name: str, config: Config) -> None:
    """Train a run and keep what a reader of it needs: nothing of this machine's slices, no figures, no lock."""
    cache = open_slice_cache(open_cohort(), size=config.grid)
    with tempfile.TemporaryDirectory() as scratch:
        run = run_experiment(config, cache, Path(scratch))
        shutil.copyfile(run.weights, LESSONS / f"{name}.weights.h5")
        asked, scores = (json.loads((run.folder / f"{what}.json").read_text()) for what in ("config", "scores"))
        history = (run.folder / HISTORY).read_text().splitlines()
    write_json(LESSONS / "runs.json", kept_runs() | {name: {"config": asked, "scores": scores, "history": history}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="also those that are there")
    parser.add_argument("--only", nargs="+", help="names of runs", metavar="NAME")
    asked = parser.parse_args()
    for name, config in (LONG | CONTEST).items():
        short = name.lower().replace(" ", "-")
        if (asked.again or short not in kept_runs()) and name in (asked.only or [name]):
            keep(short, config)


if __name__ == "__main__":
    main()
