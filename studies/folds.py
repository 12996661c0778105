"""Every patient held out once: what the runs of all folds say together.

A fold's score is that of two or three patients. Each slice of the cohort is here judged by the one run that did not
train on its patient, and the counts of all folds are pooled (not in the paper, which does not say how it split).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.errors import CovidlabError, refused
from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable, negative_slices, slice_table, volume_scores
from covidlab.models.segmenter import portions
from covidlab.progress import track
from covidlab.training.runs import Run, rounded

AVERAGED = "Where several seeds hold out the same patients, the mean of their probabilities is judged."


def by_fold(runs: Sequence[Run], cache: SliceCache) -> list[list[Run]]:
    """Runs of the protocol "patient", grouped by the patients that they test; one group has several where seeds go
    around the folds more than once.

    Empty if these are no folds: another protocol, fewer than two groups, or a slice in two groups' test parts.
    """
    if any(run.config.protocol != "patient" for run in runs):
        return []
    groups: dict[tuple[int, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.config.split(cache).test.tolist()), []).append(run)
    tested = [row for rows in groups for row in rows]
    return list(groups.values()) if len(groups) > 1 and len(tested) == len(set(tested)) else []


def judge_held_out(folds: Sequence[Sequence[Run]], cache: SliceCache) -> SliceTable:
    """What the run of each fold gets right and wrong on its own test part, at its own threshold, as one table in the
    order of the cache.

    Where a fold has several runs, the mean of their probabilities is judged, at the mean of their thresholds and
    smallest spots: each was chosen on patients that its run did not train on.
    """
    marked, tests = np.zeros(cache.images.shape, bool), []
    for runs in track(folds, "judging folds"):
        tests.append(runs[0].config.split(cache).test)
        segmenters = [run.segmenter for run in runs]
        infos = [segmenter.info for segmenter in segmenters]
        threshold, smallest = (float(np.mean([getattr(i, name) for i in infos])) for name in ("threshold", "smallest"))
        judge = replace(segmenters[0], info=replace(infos[0], threshold=threshold, smallest=round(smallest)))
        for portion in portions(tests[-1], 64):
            answers = [segmenter.probabilities(cache.images[portion]) for segmenter in segmenters]
            marked[portion] = judge.mark(sum(answers) / len(answers))
    rows = np.sort(np.concatenate(tests))
    return slice_table(cache.masks[rows], marked[rows], cache.cases[rows], cache.patients[rows], cache.z[rows])


def held_out_summary(table: SliceTable) -> dict:
    """A table of held-out slices in numbers, for JSON.

    The paper's four scores pooled over all slices; "f1_interval", 95 % over patients; "per_volume" F1 and its mean;
    "positives_only", the scores without negative slices; "slice_specificity", the share of those that stay empty. What
    is not defined is None.
    """
    volumes, interval = volume_scores(table), patient_interval(table)
    known = [score for score in volumes.values() if not np.isnan(score)]
    return rounded({
        **table.pooled().scores(), "f1_interval": [interval.low, interval.high], "per_volume": volumes,
        "volume_mean": float(np.mean(known)) if known else np.nan,
        "slice_specificity": negative_slices(table).left_empty,
        "positives_only": table[table.positive].pooled().scores(),
    })  # fmt: skip


def read_recipes(folders: Sequence[Path]) -> list[tuple[str, dict]]:
    """What `python -m studies reproduce --seeds` wrote of several recipes: the folder's name, and its scores.json.

    Seeds may differ: they say which patients are held out, and those must be the same. A `CovidlabError` if a folder
    has no such file, or the recipes were not asked the same: other data, cases or held-out patients.
    """
    recipes, asked = [], set()
    for folder in folders:
        with refused(
            folder, "no scores.json with held-out patients", "a folder that `reproduce --seeds` wrote",
            "run `python -m studies reproduce --protocol patient --seeds 0,1,2,3 --out FOLDER` first",
        ):  # fmt: skip
            found = json.loads((folder / "scores.json").read_text())
            cases = (tuple(scores["per_volume"]) for scores in found["held_out"].values())
            asked.add((found["data"].split("+")[0], found["grid"], *cases))
            compare_rows([(folder.name, found)])  # all of it is there
        recipes.append((folder.name, found))
    if len(asked) > 1:
        raise CovidlabError(
            "FOLDER", "recipes with other data, held-out cases or grids", "the same in each",
            "compare like with like",
        )  # fmt: skip
    return recipes


def compare_rows(recipes: Sequence[tuple[str, dict]]) -> list[dict[str, str]]:
    """Recipes from `read_recipes` side by side: a line a recipe and model, as column -> text."""
    return [
        {"recipe": name, "model": model, **_as_text(scores)}
        for name, found in recipes
        for model, scores in found["held_out"].items()
    ]


def _as_text(scores: Mapping) -> dict[str, str]:
    def text(value) -> str:
        return "not defined" if value is None else f"{value:.3f}"

    low, high = scores["f1_interval"]
    return {
        "F1": text(scores["f1"]), "95 % over patients": "one patient" if low is None else f"{low:.3f} to {high:.3f}",
        "precision": text(scores["precision"]), "recall": text(scores["recall"]),
        "negative slices left empty": text(scores["slice_specificity"]),
        "F1, positive slices only": text(scores["positives_only"]["f1"]),
        "F1 of a volume, mean": text(scores["volume_mean"]),
    }  # fmt: skip
