"""Patients held out, fold by fold: how their slices are judged, and what annotating a few of them gives."""

import json
from dataclasses import replace

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import SliceCache, open_slice_cache
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import count
from covidlab.models import light_unet, predict_slices
from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.training.recipe import Config, Recipe
from covidlab.training.report import case_rows
from covidlab.training.runs import run_experiment
from studies.adaptation import adaptation_curve, adaptation_rows
from studies.folds import by_fold, compare_rows, held_out_summary, judge_held_out, read_recipes
from tests.conftest import write_scan

RECIPE = Recipe(updates=2, updates_per_epoch=2)
CONFIG = Config("four scans", 32, "patient", 0, options={"widths": (2, 3)}, recipe=RECIPE)
HALVES = (("a", "b"), ("c", "d"))


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    for name in ("a", "b", "c", "d"):
        write_scan(folder / "cohort", name)
    cache = open_slice_cache(read_cohort(folder / "cohort"), 32, root=folder / "cache")
    return cache, [run_experiment(replace(CONFIG, test_patients=half), cache, folder / "runs") for half in HALVES]


def test_all_folds_together_judge_every_slice_once_by_the_run_that_did_not_see_it(folds):
    cache, runs = folds
    table = judge_held_out(by_fold(runs, cache), cache)
    assert table.cases.tolist() == cache.cases.tolist() and table.z.tolist() == cache.z.tolist()
    for run in runs:
        test = run.config.split(cache).test
        assert table[test].pooled() == run.counts["test"]
    assert table.pooled() == runs[0].counts["test"] + runs[1].counts["test"]


def test_the_summary_is_json_and_agrees_with_its_lines(folds):
    cache, runs = folds
    table = judge_held_out(by_fold(runs, cache), cache)
    found = held_out_summary(table)
    json.dumps(found, allow_nan=False)
    assert found["f1"] == pytest.approx(table.pooled().f1, abs=1e-6)
    known = [score for score in found["per_volume"].values() if score is not None]
    assert found["volume_mean"] == pytest.approx(np.mean(known), abs=1e-5)
    assert found["f1_interval"][0] <= found["f1"] <= found["f1_interval"][1]
    assert found["positives_only"]["recall"] == pytest.approx(found["recall"])
    rows = {row["case"]: row for row in case_rows(table)}
    assert rows["all, pooled"]["f1"] == f"{found['f1']:.3f}"
    assert rows["positive slices only"]["slices"] == str(int(cache.positive.sum()))


def test_runs_are_folds_if_they_test_other_patients_and_slices_drawn_at_random_are_none(folds):
    cache, runs = folds
    assert by_fold(runs, cache) == [[run] for run in runs]
    assert by_fold(runs[:1], cache) == [] == by_fold([runs[0]] * 2, cache)
    assert by_fold([*runs, runs[1]], cache) == [[runs[0]], [runs[1], runs[1]]]
    by_slice = [replace(run, config=replace(run.config, protocol="slice")) for run in runs]
    assert by_fold(by_slice, cache) == []
    overlapping = replace(runs[1], config=replace(runs[1].config, test_patients=("b", "c")))
    assert by_fold([*runs, overlapping], cache) == []


def test_seeds_that_go_around_the_folds_again_are_averaged(folds, tmp_path):
    cache, runs = folds
    again = run_experiment(replace(CONFIG, seed=4, test_patients=HALVES[0]), cache, tmp_path)
    rows = again.config.split(cache).test
    np.testing.assert_array_equal(rows, runs[0].config.split(cache).test)
    table = judge_held_out(by_fold([*runs, again], cache), cache)
    one, other = runs[0].segmenter, again.segmenter
    mean = (one.probabilities(cache.images[rows]) + other.probabilities(cache.images[rows])) / 2
    marked = mean >= (one.threshold + other.threshold) / 2
    assert table[rows].pooled() == count(cache.masks[rows], marked)
    assert table.cases.tolist() == cache.cases.tolist()


def test_recipes_stand_side_by_side_and_only_like_with_like(folds, tmp_path):
    cache, runs = folds
    scores = held_out_summary(judge_held_out(by_fold(runs, cache), cache)) | {"slice_specificity": None}
    found = {"data": "x", "seeds": [0, 1, 2, 3], "grid": 32, "held_out": {"light_unet": scores}}
    for name in ("plain", "richer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.json").write_text(json.dumps(found))
    rows = compare_rows(read_recipes([tmp_path / "plain", tmp_path / "richer"]))
    assert [row["recipe"] for row in rows] == ["plain", "richer"]
    assert rows[0]["negative slices left empty"] == "not defined"
    assert rows[0]["F1"] == f"{found['held_out']['light_unet']['f1']:.3f}"
    # Seeds may differ, what is held out may not.
    (tmp_path / "richer" / "scores.json").write_text(json.dumps(found | {"seeds": [0, 1, 2, 3, 4]}))
    assert len(read_recipes([tmp_path / "plain", tmp_path / "richer"])) == 2
    fewer = {"light_unet": scores | {"per_volume": dict(list(scores["per_volume"].items())[1:])}}
    for other in ({"grid": 64}, {"held_out": fewer}):
        (tmp_path / "richer" / "scores.json").write_text(json.dumps(found | other))
        with pytest.raises(CovidlabError, match="like with like"):
            read_recipes([tmp_path / "plain", tmp_path / "richer"])
    with pytest.raises(CovidlabError, match="no scores.json"):
        read_recipes([tmp_path])


def test_a_curve_scores_every_number_on_the_same_slices_and_none_is_the_network_itself(tmp_path):
    recipe = Recipe(updates=4, updates_per_epoch=2, batch_size=2, learning_rate=3e-3, augment=False)
    keras.utils.set_random_seed(0)
    model = light_unet(widths=(4, 8))
    masks = np.zeros((6, 16, 16), np.uint8)
    masks[:, 4:10, 5:11] = 1
    names = np.array(["a"] * 6)
    cache = SliceCache((60 + 150 * masks).astype(np.uint8), masks, names, names, np.arange(6),
                       masks.sum(axis=(1, 2)), 16, "squares", tmp_path)  # fmt: skip
    segmenter = Segmenter(model, WeightsInfo("light_unet", grid=16, threshold=0.5, trained_on="squares"))
    curve = adaptation_curve(segmenter, cache, np.arange(6), (0, 1, 2), recipe=recipe)
    assert list(curve) == [0, 1, 2] and len({counts.total for counts in curve.values()}) == 1
    rest = [1, 2, 3, 4]  # of six the first alone, or first and last, are annotated
    alone = count(cache.masks[rest], predict_slices(model, cache.images[rest]) >= 0.5)
    assert curve[0] == alone
    rows = adaptation_rows({"a": curve, "b": {number: curve[0] for number in curve}})
    assert rows[-1]["2 slices"] == f"{(curve[2].f1 - curve[0].f1) / 2:+.3f}" and rows[-1]["0 slices"] == "+0.000"
