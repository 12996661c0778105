import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models.builders import MODELS
from covidlab.models.fcn8s import Bilinear, carry_weights, fcn8s, layer_weights
from covidlab.training.recipe import OPTIONS


def parameters_by_hand(classes, channels, width=1):
    """VGG16's convolutions, fc6 and fc7 as convolutions, three score layers, three upsamplings without bias."""
    total, inputs = 0, channels
    for maps, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            total += 9 * inputs * maps // width + maps // width
            inputs = maps // width
    fc = 4096 // width
    total += 49 * inputs * fc + fc + fc * fc + fc
    total += sum((maps // width + 1) * classes for maps in (4096, 512, 256))
    return total + (2 * 4**2 + 16**2) * classes**2


PUBLISHED = [(1, 3, 134_265_699), (1, 1, 134_264_547), (21, 3, 134_489_759)]


@pytest.mark.parametrize("classes, channels, published", PUBLISHED)
def test_the_count_by_hand_is_the_published_one_and_the_models_own(classes, channels, published):
    assert parameters_by_hand(classes, channels) == published
    # An eighth of the width, for the full one fills half a gigabyte with random numbers; it is built once, below.
    narrow = fcn8s(classes=classes, channels=channels, width=1 / 8)
    assert narrow.count_params() == parameters_by_hand(classes, channels, width=8)


@pytest.mark.parametrize("width, classes, channels", [(1 / 8, 1, 1), (1 / 64, 3, 2), (3 / 16, 1, 1)])
def test_the_count_layer_by_layer_is_the_models_own(width, classes, channels):
    model = fcn8s(width=width, classes=classes, channels=channels)
    own = {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}
    assert layer_weights(width, classes, channels) == own


@pytest.mark.parametrize("classes, channels, published", PUBLISHED)
def test_the_count_layer_by_layer_sums_to_the_published_one(classes, channels, published):
    assert sum(layer_weights(classes=classes, channels=channels).values()) == published


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


def test_the_full_width_has_the_published_number_of_parameters():
    assert fcn8s().count_params() == 134_264_547


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("size", [(64, 64), (37, 50)])
def test_probabilities_have_the_slices_own_size(stride, size):
    slices = np.random.default_rng(0).random((2, *size, 1), np.float32)
    probabilities = fcn8s(stride=stride, width=1 / 32)(slices).numpy()
    assert probabilities.shape == slices.shape
    assert 0 <= probabilities.min() and probabilities.max() <= 1


def test_each_skip_adds_a_score_layer_and_halves_the_stride():
    names = {stride: {layer.name for layer in fcn8s(stride=stride, width=1 / 64).layers} for stride in (32, 16, 8)}
    assert names[16] - names[32] >= {"score_pool4", "sum_pool4", "up2_to_pool4", "up16"}
    assert names[8] - names[16] >= {"score_pool3", "sum_pool3", "up2_to_pool3", "up8"}


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
    assert fcn8s(**OPTIONS["lesson"]["fcn8s"]).count_params() == 8_395_155
    assert "fcn8s" not in OPTIONS["paper"]


def test_a_stride_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="32, 16 or 8; found 4"):
        fcn8s(stride=4)


def test_more_classes_give_probabilities_that_sum_to_one():
    slices = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    probabilities = fcn8s(width=1 / 64, classes=3)(slices).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
