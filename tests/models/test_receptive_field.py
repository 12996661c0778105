import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models import light_unet
from covidlab.models.cnn import patch_cnn
from covidlab.models.fcn import fcn8s
from covidlab.models.stages import Reach, reach_after, reaches

layers = keras.layers


def test_reach_by_hand():
    known = {(): (1, 1), ((3, 1),): (3, 1), ((2, 2), (2, 2)): (4, 4), ((3, 2), (3, 1)): (7, 2)}
    assert {windows: reach_after(windows) for windows in known} == known


def test_vgg16_as_it_is_known():
    """Its poolings see 6, 16, 44, 100 and 212 pixels, and fc6 sees 404 (Long et al., section 4)."""
    way = {reach.layer: reach for reach in reaches(fcn8s(width=1 / 64), "score_fc7")}
    assert [way[f"pool{k}"].field for k in range(1, 6)] == [6, 16, 44, 100, 212]
    assert [way[f"pool{k}"].stride for k in range(1, 6)] == [2, 4, 8, 16, 32]
    assert way["fc6"] == Reach("fc6", 404, 32)
    assert way["score_fc7"].field == 404


def test_the_patch_network_sees_its_window_and_no_more():
    assert reaches(patch_cnn(), "probability")[-1] == Reach("probability", 11, 1)


def test_the_field_is_what_can_change_one_place():
    """Another way to find it: raise one pixel after the other, and see which raise the place in the middle."""
    slices = keras.Input((48, 48, 1))
    x = slices
    for name, layer in (("a", layers.Conv2D), ("p", None), ("b", layers.Conv2D), ("q", None), ("c", layers.Conv2D)):
        x = layer(1, 3, padding="same", kernel_initializer="ones", name=name)(x) if layer else layers.MaxPooling2D()(x)
    model = keras.Model(slices, x)
    raised = np.zeros((48, 48, 48, 1), np.float32)
    raised[np.arange(48), 24, np.arange(48)] = 1  # all weights are positive, so nothing cancels
    answers = model(raised).numpy()[:, 6, 6, 0]
    assert np.count_nonzero(answers) == reaches(model, "c")[-1].field


def test_two_ways_and_growing_layers_are_refused():
    model = light_unet(widths=(2, 3))
    assert reaches(model, "bottleneck_b")[-1].stride == 2
    with pytest.raises(ValueError, match="makes its map larger"):
        reaches(model, "up0_grow")
    with pytest.raises(ValueError, match="several ways"):
        reaches(model, "up0_a")
    with pytest.raises(ValueError):
        reaches(model, "nothing of that name")
