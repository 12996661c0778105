import json

import numpy as np
import pytest

from covidlab.errors import CovidlabError
from covidlab.experiment import Config, change_recipe, read_run, rounded, run_experiment, score_mirrored
from covidlab.metrics import Counts
from covidlab.training import Recipe, predict_slices
from covidlab.weights_file import load_model

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
    for wrong in (-1, float("nan")):
        with pytest.raises(CovidlabError, match="--negatives"):
            change_recipe(RECIPE, negatives=wrong)


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
