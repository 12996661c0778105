import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from covidlab.data.folders import patient_of
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


def test_what_is_no_weights_file_is_refused(tmp_path):
    (tmp_path / "text.weights.h5").write_text("hello")
    light_unet(widths=(2, 3)).save_weights(tmp_path / "foreign.weights.h5")
    for name, found in [
        ("absent", "no such file; expected"),
        ("text", "no readable HDF5 file"),
        ("foreign", "an HDF5 file without covidlab's description"),
    ]:
        with pytest.raises(WeightsError, match=f"{name}.weights.h5: found {found}"):
            read_info(tmp_path / f"{name}.weights.h5")


def describe(path, change):
    """Change the text in which a weights file describes itself."""
    with h5py.File(path, "a") as file:
        file.attrs["covidlab"] = change(file.attrs["covidlab"])


# Other widths than the weights have; an option that the builder does not know; a network that is none.
@pytest.mark.parametrize(
    "was, becomes, found",
    [
        ("[2, 3]", "[2, 4]", "do not fit light_unet"),
        ("widths", "filters", "do not fit light_unet"),
        ("light_unet", "u_net", "found weights of a model 'u_net'"),
    ],
)
def test_weights_that_do_not_fit_their_model_are_refused(saved, was, becomes, found):
    path, _ = saved
    describe(path, lambda text: text.replace(was, becomes))
    with pytest.raises(WeightsError, match=found):
        open_segmenter(path)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda text: json.dumps(json.loads(text) | {"pooling": "max"}), "field pooling is unknown here"),
        (lambda text: text.replace('"threshold"', '"cut"'), "field cut is unknown here"),
        (lambda text: text.replace('"threshold": 0.35, ', ""), "field threshold is missing"),
        (lambda text: text.replace("0.35", '"0.35"'), "field threshold is '0.35'"),
        (lambda text: text.replace("-1250", "-1000"), "field intensities is '.-1000, 250. HU as 0..1'"),
        (lambda text: text[: len(text) // 2], "Unterminated string|Expecting"),
        (lambda text: "[1, 2]", "no fields, but"),
    ],
)
def test_a_description_of_another_version_is_refused(saved, change, words):
    path, _ = saved
    describe(path, change)
    with pytest.raises(WeightsError, match=f"({words}).*another version of covidlab.*expected") as caught:
        read_info(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_lacks_a_layer_is_refused_and_no_random_weights_are_taken(saved):
    path, _ = saved
    with h5py.File(path, "a") as file:
        layers = file["layers"]
        del layers[next(name for name in layers if "vars" in layers[name] and len(layers[name]["vars"]))]
    with pytest.raises(WeightsError, match="do not fit light_unet"):
        open_segmenter(path)


def test_a_patient_is_known_by_the_names_that_copies_of_the_record_give(saved):
    info = replace(INFO, seen=("radiopaedia_10_85902_1", "coronacases_001"))
    for name in ("radiopaedia_org_covid-19-pneumonia-10_85902_3-dcm", "coronacases_org_001"):
        assert info.has_seen(name, patient_of(name))
    assert not info.has_seen("coronacases_org_002", patient_of("coronacases_org_002"))


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


def marked(smallest, probabilities):
    return Segmenter(None, WeightsInfo("light_unet", 8, 0.5, "nothing", smallest=smallest)).mark(probabilities)


def test_a_spot_counts_within_its_slice_and_by_the_sides_of_pixels():
    probabilities = np.full((2, 4, 4), 0.4, np.float32)
    probabilities[0, 0, :2] = probabilities[0, 1, 2] = 0.5  # two side by side, and one at their corner
    probabilities[1, 0, 0] = 0.9  # above one of them, in the next slice
    assert [int(marked(smallest, probabilities).sum()) for smallest in (1, 2, 3)] == [4, 2, 0]
    assert marked(2, probabilities)[0, 0, :2].all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_what_is_left_is_what_another_library_leaves(seed, smallest):
    probabilities = np.random.default_rng(seed).random((3, 9, 7))
    expected = np.zeros(probabilities.shape, bool)
    for slice_, kept in zip(probabilities >= 0.5, expected):
        spots = label(slice_, connectivity=1)
        for number in range(1, spots.max() + 1):
            kept |= (spots == number) & ((spots == number).sum() >= smallest)
    np.testing.assert_array_equal(marked(smallest, probabilities), expected)
