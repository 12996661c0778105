import json
from dataclasses import replace

import numpy as np
import pytest

from covidlab.cohorts import read_cohort
from covidlab.errors import CovidlabError
from covidlab.experiment import (
    Config,
    change_recipe,
    options_for,
    read_run,
    rounded,
    run_experiment,
    score_mirrored,
    summary_over_seeds,
)
from covidlab.metrics import Counts, count
from covidlab.slice_cache import open_slice_cache
from covidlab.splits import split_by_slice
from covidlab.training import THRESHOLDS, Recipe, predict_cached, predict_slices
from covidlab.weights_file import load_model
from tests.conftest import write_scan

RECIPE = Recipe(updates=2, updates_per_epoch=2)
CONFIG = Config("three scans", 32, "slice", 0, options={"widths": (2, 3)}, recipe=RECIPE)


def test_a_score_that_is_not_defined_is_null_in_json():
    nothing_found = Counts(tp=0, fp=0, fn=3, tn=1).scores()
    text = json.dumps(rounded(nothing_found), allow_nan=False)
    assert json.loads(text) == {"precision": None, "recall": 0.0, "accuracy": 0.25, "f1": 0.0}


def test_a_run_from_before_a_field_of_the_recipe_existed_is_still_read(cache, tmp_path):
    run_experiment(CONFIG, cache, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    old = json.loads(path.read_text())
    del old["recipe"]["loss"]
    path.write_text(json.dumps(old))
    assert read_run(tmp_path / "run").config.recipe.loss == "cross_entropy_and_dice"
    assert run_experiment(CONFIG, cache, tmp_path / "run").config == read_run(tmp_path / "run").config


def test_a_recipe_is_changed_where_asked_and_kept_elsewhere():
    changed = change_recipe(RECIPE, "focal", 0.5)
    assert (changed.loss, changed.negatives_per_positive, changed.updates) == ("focal", 0.5, RECIPE.updates)
    assert change_recipe(RECIPE) == RECIPE and change_recipe(RECIPE, negatives=0.0).negatives_per_positive == 0
    assert change_recipe(RECIPE, augment=0).augment == 0
    assert change_recipe(RECIPE, crop=64, rate=1e-3) == replace(RECIPE, crop=64, learning_rate=1e-3)
    for wrong in ({"crop": 8}, {"rate": 0.0}, {"rate": float("nan")}):
        with pytest.raises(CovidlabError, match=f"--{next(iter(wrong))}"):
            change_recipe(RECIPE, **wrong)
    with pytest.raises(CovidlabError, match="--augment"):
        change_recipe(RECIPE, augment=-1)
    for wrong in (-1, float("nan")):
        with pytest.raises(CovidlabError, match="--negatives"):
            change_recipe(RECIPE, negatives=wrong)


def test_extra_cases_are_only_trained_on_and_cases_of_another_source_only_tested_on(cache):
    one, other, theirs = dict.fromkeys(cache.cases.tolist())
    extra = replace(CONFIG, extra_train=(theirs,)).split(cache)
    rows = cache.case(theirs)
    assert set(rows) <= set(extra.train) and not set(rows) & {*extra.validation, *extra.test}
    own = np.flatnonzero(cache.cases != theirs)
    np.testing.assert_array_equal(extra.test, own[split_by_slice(len(own), CONFIG.seed).test])
    with pytest.raises(CovidlabError, match="protocol patient"):
        replace(CONFIG, test_data=(theirs,)).split(cache)


def test_a_run_tests_on_the_other_source_and_says_so(tmp_path):
    for name in ("a", "b", "c", "d"):
        write_scan(tmp_path / "cohort", name)
    cohort = read_cohort(tmp_path / "cohort")
    cache = open_slice_cache(cohort, 32, root=tmp_path / "cache")
    config = replace(CONFIG, protocol="patient", test_data=("c",))
    split = config.split(cache)
    assert set(cache.cases[split.test]) == {"c"} and len(split.validation) and len(split.train)
    assert "tested on c" in config.sentence
    with pytest.raises(CovidlabError, match="leaks patients c"):
        # The same patient, scanned once to train and once to test.
        known = replace(cache, patients=np.where(cache.cases == "d", "c", cache.patients))
        run_experiment(replace(config, extra_train=("d",)), known, tmp_path / "run")


def test_training_starts_from_given_weights_of_the_same_model_only(cache, tmp_path):
    first = run_experiment(CONFIG, cache, tmp_path / "first")
    assert set(first.model()[1].seen) <= set(cache.cases)
    none = replace(RECIPE, learning_rate=0.0)
    second = run_experiment(
        replace(CONFIG, recipe=none), cache, tmp_path / "second", start=first.weights
    )
    for there, here in zip(first.model()[0].trainable_weights, second.model()[0].trainable_weights):
        np.testing.assert_allclose(there.numpy(), here.numpy(), atol=1e-6)
    assert "three scans" in second.config.pretrained and second.config.pretrained in second.config.sentence
    with pytest.raises(CovidlabError, match="weights of light_unet"):
        run_experiment(replace(CONFIG, options={"widths": (2, 4)}), cache, tmp_path / "third", start=first.weights)


def test_a_training_with_neighbours_starts_from_weights_that_know_none(cache, tmp_path):
    first = run_experiment(CONFIG, cache, tmp_path / "first")
    wide = replace(CONFIG, options={**CONFIG.options, **options_for("light_unet", "lesson", neighbours=1)})
    same = run_experiment(
        replace(wide, recipe=replace(RECIPE, learning_rate=0.0)), cache, tmp_path / "same", start=first.weights
    )
    model, rows = same.model()[0], np.arange(3)
    # Batch normalisation's moving means have moved on; nothing else has. At first no neighbour counts.
    alone = np.repeat(cache.images[rows][..., None], 3, axis=-1)
    np.testing.assert_allclose(predict_cached(model, cache, rows), predict_slices(model, alone), atol=1e-6)
    for there, here in zip(first.model()[0].trainable_weights[1:], model.trainable_weights[1:]):
        np.testing.assert_allclose(there.numpy(), here.numpy(), atol=1e-6)
    learnt = run_experiment(wide, cache, tmp_path / "learnt", start=first.weights).model()[0]
    assert np.abs(predict_cached(learnt, cache, rows) - predict_slices(learnt, alone)).max() > 0
    with pytest.raises(CovidlabError, match="0 for patch_cnn"):
        options_for("patch_cnn", "lesson", neighbours=1)


def test_a_threshold_is_chosen_on_training_slices_of_the_own_cohort_too_where_asked(cache, tmp_path):
    theirs = cache.cases[-1]
    config = replace(CONFIG, extra_train=(theirs,), pool_threshold=True)
    run = run_experiment(config, cache, tmp_path / "run")
    model, info = run.model()
    split = config.split(cache)
    own = np.union1d(split.validation, split.train[cache.cases[split.train] != theirs])
    assert len(own) < len(split.train) + len(split.validation)
    marked = [predict_slices(model, cache.images[own]) >= threshold for threshold in THRESHOLDS]
    best = max(np.nan_to_num([count(cache.masks[own], one).f1 for one in marked]))
    at_chosen = count(cache.masks[own], marked[THRESHOLDS.tolist().index(info.threshold)]).f1
    assert run.threshold == info.threshold and at_chosen == pytest.approx(best)
    assert read_run(tmp_path / "run").config.pool_threshold


def test_several_seeds_are_summed_up_as_mean_and_range(cache, tmp_path):
    configs = {seed: replace(CONFIG, seed=seed) for seed in (0, 1)}
    runs = {seed: {"light_unet": run_experiment(one, cache, tmp_path / str(seed))} for seed, one in configs.items()}
    found = summary_over_seeds(runs)
    accuracies = [runs[seed]["light_unet"].scores["test"]["accuracy"] for seed in (0, 1)]
    assert found["models"]["light_unet"]["test"]["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert found["ranges"]["light_unet"]["test"]["accuracy"] == pytest.approx(sorted(accuracies), abs=1e-6)
    assert found["seeds"] == [0, 1] and set(found["by_seed"]) == {"0", "1"} and "seed" not in found


def test_a_finished_run_is_read_again_although_json_knows_no_tuples(cache, tmp_path):
    first = run_experiment(CONFIG, cache, tmp_path / "run")
    assert run_experiment(CONFIG, cache, tmp_path / "run").counts == first.counts
    other = Config("three scans", 32, "slice", 0, options={"widths": (2, 4)}, recipe=RECIPE)
    with pytest.raises(CovidlabError, match="a run with another options"):
        run_experiment(other, cache, tmp_path / "run")


def test_mirrored_prediction_does_not_depend_on_which_side_is_left(cache, tmp_path):
    run = run_experiment(CONFIG, cache, tmp_path / "run")
    mirrored = score_mirrored(run, cache)
    assert score_mirrored(run, cache) == mirrored and mirrored.counts["test"].total == run.counts["test"].total
    model, info = load_model(tmp_path / "run" / "mirrored.weights.h5")
    assert info.mirror and info.threshold == mirrored.threshold
    slices = cache.images[:3]
    there, back = (predict_slices(model, one, mirror=True) for one in (slices, slices[:, :, ::-1]))
    np.testing.assert_allclose(there, back[:, :, ::-1], atol=1e-6)
