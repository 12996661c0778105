import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from covidlab.data.cohorts import open_cohort
from covidlab.data.folders import patient_of
from covidlab.data.slices import open_slice_cache
from covidlab.errors import CovidlabError
from covidlab.models import MODELS, light_unet
from covidlab.models.exported import OnnxNetwork
from covidlab.models.networks import save_weights
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.models.weights_file import WeightsInfo, read_info
from covidlab.weights import SHIPPED, find_weights, licence_of

INFO = WeightsInfo("light_unet", 32, 0.35, "a test", options={"widths": [2, 3]})


@pytest.fixture
def saved(tmp_path):
    model = light_unet(widths=(2, 3))
    path = tmp_path / "small.weights.h5"
    save_weights(path, model, INFO)
    return path, model


@pytest.mark.parametrize("name", ["light_unet", "patch_cnn"])
def test_a_weights_file_alone_rebuilds_its_model(tmp_path, name):
    path, model, info = tmp_path / "w.weights.h5", MODELS[name](widths=(2, 3)), replace(INFO, model=name)
    save_weights(path, model, info)
    again = open_segmenter(path)
    slices = np.random.default_rng(0).random((1, 16, 16, 1), np.float32)
    assert again.info == info
    np.testing.assert_array_equal(again.network(slices), model(slices))


def test_what_is_no_weights_file_is_refused(tmp_path):
    (tmp_path / "text.weights.h5").write_text("hello")
    light_unet(widths=(2, 3)).save_weights(tmp_path / "foreign.weights.h5")
    for name, found in [
        ("absent", "no such file; expected"),
        ("text", "no readable HDF5 file; expected"),
        ("foreign", "an HDF5 file without covidlab's description"),
    ]:
        with pytest.raises(CovidlabError, match=f"{name}.weights.h5: found {found}"):
            read_info(tmp_path / f"{name}.weights.h5")


def describe(path, change):
    """Change the text in which a weights file describes itself."""
    with h5py.File(path, "a") as file:
        file.attrs["covidlab"] = change(file.attrs["covidlab"])


FOREIGN = {  # how a description is changed, and what is said of it
    "do not fit light_unet": lambda text: text.replace("[2, 3]", "[2, 4]"),  # other widths than the weights have
    "do not fit light_unet .* unexpected keyword": lambda text: text.replace("widths", "filters"),
    "found weights of a model 'u_net'": lambda text: text.replace("light_unet", "u_net"),
} | {
    f"another version of covidlab .({words})": change
    for words, change in {
        ".*unexpected keyword argument 'pooling'": lambda text: json.dumps(json.loads(text) | {"pooling": "max"}),
        ".*unexpected keyword argument 'cut'": lambda text: text.replace('"threshold"', '"cut"'),
        ".*missing 1 required .*'threshold'": lambda text: text.replace('"threshold": 0.35, ', ""),
        "field threshold is '0.35'": lambda text: text.replace("0.35", '"0.35"'),
        "field intensities is '.-1000, 250. HU as 0..1'": lambda text: text.replace("-1250", "-1000"),
        "Unterminated string|Expecting": lambda text: text[: len(text) // 2],
        "'list' object has no": lambda text: "[1, 2]",
        "field options is .*3000000": lambda text: text.replace("[2, 3]", "[2, 3000000]"),
        "field fill is 0": lambda text: text.replace('"fill": null', '"fill": 0'),
        "field grid is 1000032": lambda text: text.replace("32", "1000032"),
    }.items()
}


def test_weights_that_do_not_fit_or_are_of_another_version_are_refused_in_one_line(saved):
    path, _ = saved
    whole = path.read_bytes()
    for words, change in FOREIGN.items():
        path.write_bytes(whole)
        describe(path, change)
        with pytest.raises(CovidlabError, match=f"{words}.*expected") as caught:
            open_segmenter(path)
        assert "\n" not in str(caught.value)


def test_weights_by_another_name_are_not_said_to_be_of_another_network(saved):
    for name in ("mine.h5", "BEST.WEIGHTS.H5"):
        path = saved[0].rename(saved[0].with_name(name))
        with pytest.raises(CovidlabError, match=f"{name}: found weights by another name.*; rename the file"):
            open_segmenter(path)
        path.rename(saved[0])


def test_a_file_that_lacks_a_layer_is_refused_and_no_random_weights_are_taken(saved):
    path, _ = saved
    with h5py.File(path, "a") as file:
        layers = file["layers"]
        del layers[next(name for name in layers if "vars" in layers[name] and len(layers[name]["vars"]))]
    with pytest.raises(CovidlabError, match="do not fit light_unet"):
        open_segmenter(path)


def test_arrays_that_claim_more_than_the_file_holds_are_not_allocated(saved):
    path, _ = saved
    with h5py.File(path, "a") as file:
        file.create_dataset("layers/claimed", shape=(30000, 30000), dtype="f4")  # nothing is written of it
    with pytest.raises(CovidlabError, match="its arrays claim 3,600,.* bytes, more than the file has"):
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
    assert model.count_params() == {"nano_unet": 23_595}.get(name, 486_441)
    assert path.stat().st_size < {"nano_unet": 0.2e6}.get(name, 2.2e6)
    assert f"{model.count_params():,} parameters" in card and "Not a medical device" in card
    assert ("MIT" if name == "phantom" else "CC BY-NC-SA") in licence_of(path)
    assert all(case.startswith("phantom") for case in info.seen) == (name == "phantom")


@pytest.mark.parametrize("name", SHIPPED)
def test_on_onnx_runtime_shipped_weights_mark_the_same_pixels_and_are_the_same_in_words(name):
    slow, quick = open_segmenter(name), open_segmenter(name, quick=True)
    assert quick.info == slow.info and isinstance(quick.network, OnnxNetwork)
    images = open_slice_cache(open_cohort()).images[::9]
    found, expected = quick.probabilities(images), slow.probabilities(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (quick.mark(found) == slow.mark(expected)).all() and expected.max() > slow.threshold


def test_weights_are_named_or_a_path(tmp_path):
    assert find_weights() == SHIPPED["light_unet"]
    with pytest.raises(CovidlabError, match="a folder that is no run"):
        find_weights(tmp_path)
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
