"""What is read from a network: its stages, as they are drawn, and how far each of them sees."""

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models import fcn8s, light_unet
from covidlab.models.cnn import patch_cnn
from covidlab.models.stages import Reach, reach_after, reaches, stages_of
from covidlab.plots.network import topology_figure

layers = keras.layers


def test_the_drawing_of_a_small_unet_can_be_checked_by_hand():
    stages = {stage.name: stage for stage in stages_of(light_unet(widths=(2, 3)))}
    assert list(stages) == [
        "down0_a", "down0_b", "pool0", "bottleneck_a", "bottleneck_b", "up0_grow", "up0_skip", "up0_a", "up0_b",
        "probability",
    ]  # fmt: skip
    assert [stage.stride for stage in stages.values()] == [1, 1, 2, 2, 2, 1, 1, 1, 1, 1]
    assert [stage.channels for stage in stages.values()] == [2, 2, 2, 3, 3, 2, 4, 2, 2, 1]
    assert stages["up0_skip"].inputs == ("up0_grow", "down0_b") and stages["down0_a"].inputs == ()


def test_a_pooling_carries_no_number_since_an_arrow_would_cross_it():
    (axes,) = topology_figure(light_unet(widths=(2, 3)), 128, "small").axes
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["2", "2", "3", "3", "2", "4", "2", "2", "1"]


def test_fcn_joins_by_sums_and_comes_back_to_full_size():
    stages = stages_of(fcn8s(width=1 / 64))
    assert [stage.kind for stage in stages].count("sum") == 2
    assert stages[-1].stride == 1 and max(stage.stride for stage in stages) == 32


def test_only_skips_are_dashed():
    """Two sums, two skips; an upsampling goes to its sum by a solid way, though a score layer lies between."""
    figure = topology_figure(fcn8s(width=1 / 64), 128, "FCN-8s")
    ways = [line.get_linestyle() for line in figure.axes[0].get_lines()]
    assert ways.count("--") == 2 and ways.count("-") == 2


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
