import json
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.data.splits import split_by_slice
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import Counts, count
from covidlab.models import light_unet
from covidlab.models.inference import predict_cached, predict_slices
from covidlab.models.weights_file import load_model
from covidlab.training.configs import Config
from covidlab.training.recipe import Recipe, change_recipe, crop_for, options_for, recipe_for
from covidlab.training.runs import Run, read_run, rounded, run_experiment, score_mirrored
from covidlab.training.scores import summary_over_seeds
from covidlab.training.thresholds import THRESHOLDS
from tests.conftest import write_scan

RECIPE = Recipe(updates=2, updates_per_epoch=2)
CONFIG = Config("three scans", 32, "slice", 0, options={"widths": (2, 3)}, recipe=RECIPE)


def test_a_score_that_is_not_defined_is_null_in_json():
    nothing_found = Counts(tp=0, fp=0, fn=3, tn=1).scores()
    text = json.dumps(rounded(nothing_found), allow_nan=False)
    assert json.loads(text) == {"precision": None, "recall": 0.0, "accuracy": 0.25, "f1": 0.0}


@pytest.mark.parametrize(
    "validation, learnt",
    [
        (Counts(tp=0, fp=0, fn=10, tn=90), False),  # the empty mask: F1 0
        (Counts(tp=10, fp=90, fn=0, tn=0), False),  # everything marked: F1 2 x 10 / (10 + 100) = 0.18
        (Counts(tp=6, fp=50, fn=4, tn=40), False),  # F1 0.18, too
        (Counts(tp=6, fp=40, fn=4, tn=50), True),  # F1 0.21
        (Counts(tp=0, fp=3, fn=0, tn=97), True),  # without a lesion nothing could be learnt, or seen to be
    ],
)
def test_a_network_that_has_learnt_nothing_is_told_from_others(tmp_path, validation, learnt):
    run = Run(tmp_path / "a", CONFIG, {"validation": validation}, 0.5, (), "")
    assert (run.warning == "") == learnt
    assert learnt or "has learnt nothing" in run.warning


def test_a_run_that_has_learnt_nothing_is_not_kept_or_read_in_silence(cache, tmp_path):
    # At so low a rate two updates change nothing, and no probability reaches the lowest threshold.
    config = replace(CONFIG, recipe=replace(RECIPE, learning_rate=1e-9))
    with pytest.warns(RuntimeWarning, match="has learnt nothing"):
        run_experiment(config, cache, tmp_path / "run")
    with pytest.warns(RuntimeWarning, match="has learnt nothing"):
        read_run(tmp_path / "run")
    assert "has learnt nothing" in json.loads((tmp_path / "run" / "scores.json").read_text())["warning"]


def test_a_training_that_another_version_began_is_refused_in_one_line(cache, tmp_path):
    run_experiment(CONFIG, cache, tmp_path / "run")
    (tmp_path / "run" / "scores.json").unlink()
    (tmp_path / "run" / "history.csv").write_text("epoch,updates,loss,validation_f1,threshold,seconds\n")
    light_unet(widths=(2, 3)).save_weights(tmp_path / "run" / "state.weights.h5")
    with pytest.raises(CovidlabError, match="another version"):
        run_experiment(CONFIG, cache, tmp_path / "run")


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
    for rate in (0.0, float("nan")):
        with pytest.raises(CovidlabError, match="--rate"):
            change_recipe(RECIPE, rate=rate)
    with pytest.raises(CovidlabError, match="--augment"):
        change_recipe(RECIPE, augment=-1)
    for wrong in (-1, float("nan")):
        with pytest.raises(CovidlabError, match="--negatives"):
            change_recipe(RECIPE, negatives=wrong)


@pytest.mark.parametrize("model, crop", [("light_unet", 8), ("light_unet", 0), ("light_unet", 128), ("patch_cnn", 64)])
def test_squares_must_suit_the_slices_and_the_model(model, crop):
    assert crop_for("light_unet", 128, 64) == 64 and crop_for("patch_cnn", 128) is None
    with pytest.raises(CovidlabError, match=f"--crop: found {crop} for {model} on 128 px"):
        crop_for(model, 128, crop)


@pytest.mark.parametrize("is_phantom, usual", [(True, 100), (False, 250)])
def test_every_number_of_updates_is_taken_as_it_is(is_phantom, usual):
    for updates in (1, 149, 374, 380, 1600, 4 * usual):
        recipe = recipe_for(is_phantom, updates)
        assert recipe.updates == recipe.updates_after(recipe.epochs) == updates
        assert recipe.updates_per_epoch == min(usual, updates)
    assert recipe_for(is_phantom, 4 * usual).epochs == 4
    for updates in (0, -5):
        with pytest.raises(CovidlabError, match=f"--updates: found {updates}; expected 1 or more"):
            recipe_for(is_phantom, updates, "patch_cnn")


def three_scans(folder, root):
    return open_slice_cache(read_cohort(folder), 32, root)


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_is_tied_to_the_content_of_its_data(tmp_path, finished):
    for seed, name in enumerate("abc"):
        write_scan(tmp_path / "data", name, seed)
    before, run = three_scans(tmp_path / "data", tmp_path / "cache"), tmp_path / "run"
    run_experiment(CONFIG, before, run)
    if not finished:
        (run / "scores.json").unlink()
    write_scan(tmp_path / "data", "c", seed=9)
    after = three_scans(tmp_path / "data", tmp_path / "cache")
    with pytest.raises(CovidlabError, match="run: found a run of other slices"):
        run_experiment(CONFIG, after, run)
    assert (run / "scores.json").exists() == finished
    # A run from before this was written down is taken as it is.
    config = json.loads((run / "config.json").read_text())
    del config["slices"]
    (run / "config.json").write_text(json.dumps(config))
    assert run_experiment(CONFIG, after, run).counts == read_run(run).counts


def test_two_processes_do_not_train_in_one_folder(cache, tmp_path):
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".run.lock"):
        with pytest.raises(CovidlabError, match="run: found a run that another process is at work on"):
            run_experiment(CONFIG, cache, tmp_path / "run")
    finished = run_experiment(CONFIG, cache, tmp_path / "run")
    with FileLock(tmp_path / "run" / ".run.lock"):  # a finished run is only read
        assert run_experiment(CONFIG, cache, tmp_path / "run").counts == finished.counts
    hidden = {path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")}
    assert hidden == {".run.lock"}, "no scratch file is left"


@pytest.mark.parametrize("theirs", ["{", "[]", "{}", '{"covidlab": "1", "recipe": {"epochs": 3}}'])
def test_a_folder_with_somebody_elses_config_is_refused_and_left_alone(cache, tmp_path, theirs):
    (tmp_path / "config.json").write_text(theirs)
    with pytest.raises(CovidlabError, match="config.json: found a file that no run of covidlab wrote"):
        run_experiment(CONFIG, cache, tmp_path)
    assert (tmp_path / "config.json").read_text() == theirs
    (tmp_path / "scores.json").write_text("{}")
    for read in (read_run, lambda folder: run_experiment(CONFIG, cache, folder)):
        with pytest.raises(CovidlabError):
            read(tmp_path)


def test_a_finished_run_whose_updates_were_once_rounded_is_not_taken_for_what_is_asked(cache, tmp_path):
    config = replace(CONFIG, recipe=replace(RECIPE, updates=3))
    run_experiment(config, cache, tmp_path / "run")
    history = tmp_path / "run" / "history.csv"
    history.write_text("".join(history.read_text().splitlines(keepends=True)[:2]))  # as if it had ended after 2
    assert read_run(tmp_path / "run").history[-1].updates == 2
    with pytest.raises(CovidlabError, match="a run of another number of updates, made by an older covidlab"):
        run_experiment(config, cache, tmp_path / "run")


def test_without_a_lesion_to_learn_from_nothing_is_written(cache, tmp_path):
    empty = replace(cache, positive_pixels=np.zeros(len(cache), int))
    with pytest.raises(CovidlabError, match="three scans.*found no training slice shows a lesion"):
        run_experiment(CONFIG, empty, tmp_path / "run")
    assert not (tmp_path / "run").exists()


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
