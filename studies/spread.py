"""Where the trainings that a reader runs in the notebooks end: each recipe, on imitated processors, from other weights.

    python -m studies.spread            # go on until studies/results/runs/spread.csv holds every training
    python -m studies.spread --table    # only write studies/results/spread.md and .csv again

A training is a row, written as soon as it has ended; a second call trains what is missing. The split is the notebook's
own. What differs is the kernels that compute, and the weights that training starts from.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from covidlab.data.slices import SliceCache, open_slice_cache
from covidlab.tables import mean_and_range, read_table, write_table
from covidlab.training.recipe import Config
from covidlab.training.runs import Run, run_experiment
from studies.lessons import CONTEST, LONG, contestant, lesson

ROOT = Path(__file__).resolve().parents[1]
STEM = ROOT / "studies" / "results" / "spread"
TRAININGS = ROOT / "studies" / "results" / "runs" / "spread.csv"
STARTS = 10
# What a reader trains beside the long runs that come along.
SHORT = 300
# What negative slices cost, or what fewer updates of positive ones do: twice the updates, for both recipes of 06.
TWICE = {
    f"{name}, 360 updates": replace(CONTEST[name], recipe=replace(CONTEST[name].recipe, updates=360))
    for name in ("as many negative", "positive only")
}
RECIPES = {
    **CONTEST,
    **TWICE,
    # As many positive slices an update as "positive only", and as many negative ones beside them.
    "as many negative, batches of 16": contestant(batch_size=16),
    "Dice alone": contestant(loss="dice"),  # what a learner of 06 trains as an exercise: F1 itself as the loss
    "nano U-Net by slice": lesson("nano_unet", SHORT, "slice"),
    "nano U-Net by patient": lesson("nano_unet", SHORT),
    **{
        name: replace(LONG[name], recipe=replace(LONG[name].recipe, updates=SHORT))
        for name in ("patch CNN", "FCN-8s", "light U-Net", "light U-Net with sums")
    },
}
# One thread each, because two trainings run side by side. On a processor without AVX-512 the first two are the same.
# SSE4.1, three times as slow, is left to `make test-processors`.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
LANES = {
    "oneDNN": {},
    "oneDNN, AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "oneDNN, 2 threads": {"TF_NUM_INTRAOP_THREADS": "2"},
    "no oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}
NUMBERS = ("train_f1", "validation_f1", "test_f1", "threshold", "left_empty")
COLUMNS = ("recipe", "lane", "start", *NUMBERS)


def one_training(config: Config, cache: SliceCache, start: int) -> dict[str, str]:
    """Train from the weights of a start, on the config's own split, and say where it ended."""
    from covidlab._tensorflow import keras

    first = keras.utils.set_random_seed
    # Only the first weights: the split, the order of slices and how they are turned follow from the config's seed.
    keras.utils.set_random_seed = lambda seed: first(seed + 1000 * start)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = run_experiment(config, cache, Path(folder))
            ends = {f"{part}_f1": scores["f1"] for part, scores in run.scores.items()}
            ends |= {"threshold": run.threshold, "left_empty": left_empty(run, cache)}
    finally:
        keras.utils.set_random_seed = first
    return {name: f"{ends[name]:.4f}" for name in NUMBERS}


def left_empty(run: Run, cache: SliceCache) -> float:
    """Share of the negative test slices on which the run marks nothing."""
    test = run.config.split(cache).test
    negative = test[~cache.positive[test]]
    return float(np.mean(~run.segmenter.mask(cache.images[negative]).any(axis=(1, 2))))


def train_lane(recipe: str, lane: str, starts: list[int]) -> None:
    """In a process of the lane's own: train a recipe from some starts, a row on standard output for each."""
    from covidlab.data.cohorts import open_cohort

    config = RECIPES[recipe]
    cache = open_slice_cache(open_cohort(), size=config.grid)
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    for start in starts:
        writer.writerow({"recipe": recipe, "lane": lane, "start": start, **one_training(config, cache, start)})
        sys.stdout.flush()


def in_a_lane(recipe: str, lane: str, starts: list[int]) -> None:
    """Start such a process, and add each of its rows to the table when it comes."""
    command = [sys.executable, "-m", "studies.spread", "--one", recipe, lane, *map(str, starts)]
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | ONE_THREAD | LANES[lane], stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            with TRAININGS.open("a") as file:
                file.write(line)
            print(f"{time.perf_counter() - began:5.0f} s  {line}", end="", flush=True)
    if process.returncode:
        raise SystemExit(f"{recipe}, {lane}: ended with status {process.returncode}; call again to go on")


def collapsed(rows: list[Mapping[str, str]]) -> int:
    """How many trainings of a recipe end with a validation F1 below half of the recipe's median."""
    f1 = np.array([float(row["validation_f1"]) for row in rows])
    return int((f1 < np.median(f1) / 2).sum())


def summary(rows: list[Mapping[str, str]]) -> list[dict[str, str]]:
    """A row a recipe: how many trainings, how many collapsed, the range of each number."""
    found = []
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        own = [row for row in rows if row["recipe"] == recipe]
        ends = {name: mean_and_range([float(row[name]) for row in own], 2) for name in NUMBERS}
        found.append({"recipe": recipe, "trainings": str(len(own)), "collapsed": str(collapsed(own)), **ends})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="trainings side by side")
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=list(LANES), help="all by default")
    parser.add_argument("--starts", type=int, default=STARTS, help="of each lane and recipe; %(default)s by default")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        recipe, lane, *starts = asked.one
        return train_lane(recipe, lane, [int(start) for start in starts])
    if not TRAININGS.exists():
        TRAININGS.write_text(",".join(COLUMNS) + "\n")
    rows = list(csv.DictReader(TRAININGS.read_text().splitlines()))
    done = {(row["recipe"], row["lane"], int(row["start"])) for row in rows}
    # Half of everything first, so that a table that is not complete yet says something of each recipe.
    jobs = [
        (recipe, lane, starts)
        for half in np.array_split(range(asked.starts), 2) for recipe in RECIPES for lane in asked.lanes
        if (starts := [int(start) for start in half if (recipe, lane, start) not in done])
    ]  # fmt: skip
    if not asked.table:
        with ThreadPoolExecutor(asked.workers) as pool:
            list(pool.map(lambda job: in_a_lane(*job), jobs))
    rows = read_table(TRAININGS)
    lanes = ", ".join(sorted({row["lane"] for row in rows}))
    write_table(
        STEM, "Where the trainings of the notebooks end", summary(rows),
        "F1, threshold and the share of negative test slices left empty: mean, lowest and highest. Collapsed: "
        "validation F1 below half of the recipe's median.",
        command="python -m studies.spread", data="phantom-lesson", protocol="patient, or as named; slice in 06",
        grid="128; 64 in 06",
        seeds=f"split of seed 0; {len(rows)} trainings from different first weights; kernels: {lanes}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
