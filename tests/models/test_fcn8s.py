import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models import MODELS
from covidlab.models.fcn import Bilinear, carry_weights, fcn8s, layer_weights
from covidlab.training.recipe import OPTIONS


def test_the_count_layer_by_layer_is_the_models_own_and_the_published_one():
    """The full width is not built: it would fill half a gigabyte with random numbers."""
    for width in (1 / 64, 3 / 16):
        own = {layer.name: layer.count_params() for layer in fcn8s(width=width).layers if layer.count_params()}
        assert layer_weights(width) == own and list(layer_weights(width)) == list(own)
    assert sum(layer_weights().values()) == 134_264_547
    assert layer_weights()["fc6"] == 7 * 7 * 512 * 4096 + 4096


def test_a_finer_network_starts_with_the_weights_of_the_coarser():
    coarse, fine = fcn8s(stride=16, width=1 / 64), fcn8s(stride=8, width=1 / 64)
    coarse.get_layer("score_pool4").set_weights([np.ones((1, 1, 8, 1)), np.ones(1)])
    assert carry_weights(coarse, fine) == ["up2_to_pool3", "score_pool3", "up8"]
    for name in ("conv1_1", "fc7", "score_fc7", "score_pool4", "up2_to_pool4"):
        for theirs, own in zip(coarse.get_layer(name).get_weights(), fine.get_layer(name).get_weights()):
            np.testing.assert_array_equal(theirs, own)


def test_a_layer_of_another_shape_keeps_its_own_weights():
    narrow, wide = fcn8s(stride=32, width=1 / 64), fcn8s(stride=32, width=1 / 32)
    before = wide.get_layer("fc7").get_weights()[0]
    kept = carry_weights(narrow, wide)
    assert "fc7" in kept and "up32" not in kept
    np.testing.assert_array_equal(wide.get_layer("fc7").get_weights()[0], before)


def test_a_skip_that_has_learnt_nothing_yet_hardly_changes_the_answer():
    """Twice bilinear is nearly once bilinear, and a new skip adds zero."""
    coarse, fine = fcn8s(stride=16, width=1 / 16), fcn8s(stride=8, width=1 / 16)
    carry_weights(coarse, fine)
    slices = np.random.default_rng(0).random((1, 128, 128, 1), np.float32)
    difference = np.abs(coarse(slices).numpy() - fine(slices).numpy())
    assert difference.max() < 0.2 and difference.mean() < 0.01


def test_probabilities_have_the_slices_own_size_and_each_skip_adds_a_score_and_halves_the_stride():
    slices, names = np.random.default_rng(0).random((1, 37, 50, 1), np.float32), {}
    for stride in (32, 16, 8):
        model = fcn8s(stride=stride, width=1 / 64)
        probabilities = model(slices).numpy()
        assert probabilities.shape == slices.shape and 0 <= probabilities.min() and probabilities.max() <= 1
        names[stride] = {layer.name for layer in model.layers}
    assert names[16] - names[32] >= {"score_pool4", "sum_pool4", "up2_to_pool4", "up16"}
    assert names[8] - names[16] >= {"score_pool3", "sum_pool3", "up2_to_pool3", "up8"}
    with pytest.raises(ValueError, match="32, 16 or 8; found 4"):
        fcn8s(stride=4)


@pytest.mark.parametrize("factor", [2, 8])
def test_a_fresh_upsampling_interpolates_a_ramp(factor):
    layer = keras.layers.Conv2DTranspose(
        1, 2 * factor, strides=factor, padding="same", use_bias=False, kernel_initializer=Bilinear()
    )
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[None, None, :, None], (1, 8, 8, 1))
    up = layer(ramp).numpy()[0, :, :, 0]
    places = (np.arange(8 * factor) + 0.5) / factor - 0.5
    inner = slice(factor, -factor)
    np.testing.assert_allclose(up[inner, inner], np.broadcast_to(places, up.shape)[inner, inner], atol=1e-5)


def test_the_lesson_profile_trains_it_at_a_quarter_of_its_width():
    assert MODELS["fcn8s"] is fcn8s
    assert sum(layer_weights(**OPTIONS["lesson"]["fcn8s"]).values()) == 8_395_155
    assert "fcn8s" not in OPTIONS["paper"]
