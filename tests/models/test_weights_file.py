from dataclasses import replace

import h5py
import numpy as np
import pytest

from covidlab.errors import WeightsError
from covidlab.models import MODELS, light_unet
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.models.weights_file import WeightsInfo, read_info, save_weights
from covidlab.weights import SHIPPED, find_weights, licence_of

INFO = WeightsInfo("light_unet", 32, 0.35, "a test", options={"widths": [2, 3]})


@pytest.fixture
def saved(tmp_path):
    model = light_unet(widths=(2, 3))
    path = tmp_path / "small.weights.h5"
    save_weights(path, model, INFO)
    return path, model


def test_a_weights_file_alone_rebuilds_its_model(saved):
    path, model = saved
    segmenter = open_segmenter(path)
    again, info = segmenter.network, segmenter.info
    slices = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    assert info == INFO
    np.testing.assert_array_equal(again(slices), model(slices))


def test_the_patch_cnn_is_rebuilt_in_its_dense_form(tmp_path):
    model = MODELS["patch_cnn"](widths=(2, 3))
    save_weights(tmp_path / "p.weights.h5", model, WeightsInfo("patch_cnn", 32, 0.9, "a test", {"widths": [2, 3]}))
    again = open_segmenter(tmp_path / "p.weights.h5").network
    slices = np.random.default_rng(0).random((1, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(again(slices), model(slices))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="absent.weights.h5: found no such file; expected"):
        open_segmenter(tmp_path / "absent.weights.h5")


def test_a_text_file_is_no_weights_file(tmp_path):
    (tmp_path / "w.weights.h5").write_text("hello")
    with pytest.raises(WeightsError, match="no readable HDF5 file"):
        read_info(tmp_path / "w.weights.h5")


def test_weights_of_another_program_are_refused(tmp_path):
    light_unet(widths=(2, 3)).save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(WeightsError, match="without covidlab's description"):
        read_info(tmp_path / "w.weights.h5")


def test_weights_that_do_not_fit_their_model_are_refused(saved):
    path, _ = saved
    with h5py.File(path, "a") as file:
        file.attrs["covidlab"] = file.attrs["covidlab"].replace("[2, 3]", "[2, 4]")
    with pytest.raises(WeightsError, match="do not fit light_unet"):
        open_segmenter(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_load_and_say_what_they_have_seen(name):
    path = find_weights(name)
    segmenter = open_segmenter(name)
    model, info = segmenter.network, segmenter.info
    card = path.with_name(path.name.removesuffix(".weights.h5") + ".md").read_text(encoding="utf-8")
    assert info.grid == 128 and info.seen
    assert model.count_params() == {"nano_unet": 121_089}.get(name, 486_441)
    assert path.stat().st_size < {"nano_unet": 0.6e6}.get(name, 2.2e6)
    assert f"{model.count_params():,} parameters" in card and "Not a medical device" in card
    assert ("MIT" if name == "phantom" else "CC BY-NC-SA") in licence_of(path)
    assert all(case.startswith("phantom") for case in info.seen) == (name == "phantom")


def test_weights_are_named_or_a_path(tmp_path):
    assert find_weights() == SHIPPED["light_unet"].path
    assert find_weights(tmp_path / "phantom") == tmp_path / "phantom" and licence_of(tmp_path) is None


def test_specks_are_dropped_on_the_grid_and_nothing_else_changes():
    info = WeightsInfo("light_unet", grid=8, threshold=0.5, trained_on="", smallest=3)
    probabilities = np.full((1, 8, 8), 0.4, np.float32)
    probabilities[0, 0, :2], probabilities[0, 4, :4] = 0.9, 0.6
    marked = Segmenter(None, info).mark(probabilities)
    assert marked.sum() == 4 and marked[0, 4, :4].all()
    assert Segmenter(None, replace(info, smallest=1)).mark(probabilities).sum() == 6
