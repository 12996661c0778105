import json
import shutil
from dataclasses import replace
from functools import cache as once

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from covidlab.data.cohorts import open_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import Counts
from covidlab.models import light_unet
from covidlab.training.lessons import LESSONS, beside_ours, kept_runs, lesson_run
from covidlab.training.recipe import Config, Recipe, recipe_for
from covidlab.training.runs import Run, read_run, rounded, run_experiment, run_name
from covidlab.training.thresholds import count_slices
from studies.lessons import CONTEST, LONG
from studies.tables import summary_over_seeds

RECIPE = Recipe(updates=2, updates_per_epoch=2, learning_rate=1e-9)
NAMES = ("radiopaedia_10_85902_1", "radiopaedia_10_85902_3", "someone_else")
CONFIG = Config("three scans", 32, "slice", 0, options={"widths": [2, 3]}, recipe=RECIPE, cases=NAMES)


def test_a_score_that_is_not_defined_is_null_in_json():
    nothing_found = Counts(tp=0, fp=0, fn=3, tn=1).scores()
    text = json.dumps(rounded(nothing_found), allow_nan=False)
    assert json.loads(text) == {"precision": None, "recall": 0.0, "accuracy": 0.25, "f1": 0.0}


def test_a_network_that_has_learnt_nothing_is_told_from_others(tmp_path):
    for validation, learnt in [
        (Counts(tp=0, fp=0, fn=10, tn=90), False),  # the empty mask: F1 0
        (Counts(tp=10, fp=90, fn=0, tn=0), False),  # everything marked: F1 2 x 10 / (10 + 100) = 0.18
        (Counts(tp=6, fp=50, fn=4, tn=40), False),  # F1 0.18, too
        (Counts(tp=6, fp=40, fn=4, tn=50), True),  # F1 0.21
        (Counts(tp=0, fp=3, fn=0, tn=97), True),  # without a lesion nothing could be learnt, or seen to be
    ]:
        run = Run(tmp_path / "a", CONFIG, {"validation": validation}, 0.5, (), "")
        assert (run.warning == "") == learnt, validation
        assert learnt or "has learnt nothing" in run.warning


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A run that has learnt nothing: at so low a rate two updates leave every probability below each threshold."""
    home = tmp_path_factory.mktemp("runs")
    with pytest.warns(RuntimeWarning, match="has learnt nothing"):
        return run_experiment(CONFIG, cache, home)


def copy_of(run, home):
    """A run's folder in a place of a test's own."""
    return shutil.copytree(run.folder, home / run.folder.name)


def test_a_run_that_has_learnt_nothing_is_not_kept_or_read_in_silence(finished):
    assert "has learnt nothing" in json.loads((finished.folder / "scores.json").read_text())["warning"]
    with pytest.warns(RuntimeWarning, match="has learnt nothing"):
        read_run(finished.folder)


@given(st.booleans(), st.integers(1, 10_000))
def test_every_number_of_updates_is_taken_as_it_is(is_phantom, updates):
    recipe, usual = recipe_for(is_phantom, updates), 100 if is_phantom else 250
    assert recipe.updates == recipe.updates_after(recipe.epochs) == updates > recipe.updates_after(recipe.epochs - 1)
    assert recipe.updates_per_epoch == min(usual, updates)
    with pytest.raises(ValueError, match=f"updates must be 1 or more; found -{updates}"):
        recipe_for(is_phantom, -updates, "patch_cnn")


def test_asked_the_same_a_finished_run_is_read_and_what_differs_lands_elsewhere(finished, cache):
    weights = finished.weights.stat().st_mtime_ns
    with FileLock(finished.folder / ".run.lock"):  # it is only read
        again = run_experiment(CONFIG, cache, finished.folder.parent)
    assert again == finished, "JSON knows no tuples, and still it is the same run"
    assert finished.weights.stat().st_mtime_ns == weights
    made = {path.name for path in finished.folder.iterdir()}
    assert made == {"config.json", "history.csv", "best.weights.h5", "scores.json", ".run.lock"}, "no scratch is left"
    other_slices = replace(cache, folder=cache.folder.with_name("three scans-32-0123456789abcdef"))
    changed = [replace(CONFIG, seed=1), replace(CONFIG, recipe=replace(RECIPE, loss="focal")),
               replace(CONFIG, options={"widths": (2, 4)})]  # fmt: skip
    names = [run_name(config, cache) for config in (CONFIG, *changed)] + [run_name(CONFIG, other_slices)]
    assert len(set(names)) == 5 and finished.folder.name == names[0] and names[0].startswith("light_unet-slice-seed0-")


def test_two_processes_do_not_train_in_one_folder(cache, tmp_path):
    folder = tmp_path / run_name(CONFIG, cache)
    folder.mkdir()
    with FileLock(folder / ".run.lock"), pytest.raises(CovidlabError, match="that another process is at work on"):
        run_experiment(CONFIG, cache, tmp_path)


def test_a_folder_without_a_finished_run_is_refused_with_those_below_it(finished, tmp_path):
    with pytest.raises(CovidlabError, match="no finished run.*finish it"):
        read_run(tmp_path)
    folder = copy_of(finished, tmp_path)
    with pytest.raises(CovidlabError, match=f"such as {folder}"):
        read_run(tmp_path)
    (folder / "scores.json").write_text("{}")
    with pytest.raises(CovidlabError, match="no finished run"):
        read_run(folder)


def test_a_training_that_another_version_began_is_refused(finished, cache, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "scores.json").unlink()
    (folder / "history.csv").write_text("epoch,updates,loss,validation_f1,threshold,seconds\n")
    light_unet(widths=(2, 3)).save_weights(folder / "state.weights.h5")
    with pytest.raises(CovidlabError, match="a training that another version"):
        run_experiment(CONFIG, cache, tmp_path)


def test_without_a_lesion_to_learn_from_nothing_is_written(cache, tmp_path):
    empty = replace(cache, positive_pixels=np.zeros(len(cache), int))
    with pytest.raises(CovidlabError, match="three scans.*found no training slice shows a lesion"):
        run_experiment(CONFIG, empty, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_several_seeds_are_summed_up_as_mean_and_range(tmp_path):
    accuracy = {0: Counts(tp=1, tn=2, fn=1), 1: Counts(tp=1, tn=8, fn=1)}
    runs = {
        seed: {"light_unet": Run(tmp_path, replace(CONFIG, seed=seed), {"test": counts}, 0.5, (), "")}
        for seed, counts in accuracy.items()
    }
    found = summary_over_seeds(runs)
    assert found["models"]["light_unet"]["test"] == {"precision": 1, "recall": 0.5, "accuracy": 0.825, "f1": 0.666667}
    assert found["ranges"]["light_unet"]["test"]["accuracy"] == [0.75, 0.9]
    assert found["seeds"] == [0, 1] and set(found["by_seed"]) == {"0", "1"} and "seed" not in found


# --- the runs that come along: found by their configs, and as good on this machine as where they were trained

ALL = LONG | CONTEST


@once
def phantom(size):
    return open_slice_cache(open_cohort(), size=size)


@pytest.mark.parametrize("name", ALL)
def test_a_lesson_s_run_comes_along_and_scores_here_as_it_did_there(name):
    slices = phantom(ALL[name].grid)
    run = lesson_run(ALL[name], slices)
    # A copy: what is written beside it does not touch the package.
    assert run.folder.name in kept_runs() and run.folder.parent != LESSONS
    assert run.warning == ""
    segmenter = run.segmenter
    test = run.config.split(slices).test
    found = count_slices(segmenter.network, slices, test, np.array([segmenter.threshold]))[0]
    assert found.f1 == pytest.approx(run.counts["test"].f1, abs=0.005)


def test_nothing_else_lies_beside_them_and_each_is_small():
    assert set(kept_runs()) == {name.lower().replace(" ", "-") for name in ALL}
    assert {path.name for path in LESSONS.iterdir()} == {"runs.json", *(f"{name}.weights.h5" for name in kept_runs())}
    for name, kept in kept_runs().items():
        assert (LESSONS / f"{name}.weights.h5").stat().st_size < 3e6 and "slices" not in kept["config"]


def test_another_config_is_trained(monkeypatch):
    asked = []
    monkeypatch.setattr("covidlab.training.lessons.run_experiment", lambda *what: asked.append(what) or "trained")
    config = replace(ALL["light U-Net"], seed=1)
    assert lesson_run(config, phantom(128)) == "trained"
    assert asked[0][0] == config


def test_a_reader_s_numbers_stand_behind_a_tilde():
    run = lesson_run(ALL["cross-entropy"], phantom(64))
    lines = beside_ours({"cross-entropy": run}, {"cross-entropy": run}).splitlines()
    assert lines[0] == "| F1 | train | validation | test | threshold |"
    assert lines[2].startswith("| cross-entropy, ours, 180 updates | 0.") and "~" not in lines[2]
    assert lines[3].startswith("| cross-entropy, yours, 180 updates | ~0.") and lines[3].count("~") == 4
