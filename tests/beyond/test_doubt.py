import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from covidlab._tensorflow import keras
from covidlab.beyond.doubt import error_ranking, predict_passes, with_dropout_on
from covidlab.models import fcn8s, light_unet, predict_slices


def network(dropout):
    keras.utils.set_random_seed(0)
    return light_unet(widths=(4, 8), dropout=dropout)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 255, (3, 16, 16), dtype=np.uint8)


def test_without_a_share_to_drop_all_passes_are_the_prediction_itself(images):
    model = network(0.0)
    passes = predict_passes(model, images, number=3)
    np.testing.assert_allclose(passes.mean, predict_slices(model, images), atol=1e-6)
    assert passes.deviation.max() < 1e-4


def test_mean_and_deviation_are_those_of_the_passes(images):
    model = network(0.5)
    two, three = (predict_passes(model, images, number=number) for number in (2, 3))
    # Two numbers with mean m and deviation d are m - d and m + d; the third follows from the mean of three.
    third = 3 * three.mean - 2 * two.mean
    all_three = np.stack([two.mean - two.deviation, two.mean + two.deviation, third])
    np.testing.assert_allclose(three.deviation, all_three.std(axis=0), atol=1e-4)
    assert two.deviation.max() > 1e-3


def test_passes_repeat_with_the_seed_and_change_with_it_and_leave_the_model_without_dropout(images):
    model = network(0.5)
    before = predict_slices(model, images)
    one, same, other = (predict_passes(model, images, number=2, seed=seed).mean for seed in (1, 1, 2))
    np.testing.assert_array_equal(before, predict_slices(model, images))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_the_answer_to_a_slice_does_not_hang_on_the_slices_beside_it(images):
    """Called with training=True it would: batch normalisation takes its means from the batch."""
    model = network(0.0)
    noisy = with_dropout_on(model)
    alone, together = predict_slices(noisy, images[:1])[0], predict_slices(noisy, images)[0]
    np.testing.assert_allclose(alone, together, atol=1e-6)
    batch = images.astype(np.float32)[..., None] / 255
    assert np.abs(np.array(model(batch, training=True))[0, ..., 0] - together).max() > 1e-3


def test_a_model_without_dropout_and_a_single_pass_are_refused(images):
    plain = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    with pytest.raises(ValueError, match="no dropout"):
        with_dropout_on(plain)
    with pytest.raises(ValueError, match="at least two"):
        predict_passes(network(0.5), images, number=1)


def test_several_dropouts_are_all_left_on():
    noisy = with_dropout_on(fcn8s(width=1 / 64))
    assert sum(type(layer).__name__ == "_DropoutLeftOn" for layer in noisy.layers) == 2


@given(arrays(np.float64, 30, elements=st.integers(0, 5).map(float)), arrays(np.bool_, 30))
def test_ranking_is_the_area_under_the_roc_curve(doubt, wrong):
    if wrong.all() or not wrong.any():
        assert np.isnan(error_ranking(doubt, wrong))
    else:
        assert error_ranking(doubt, wrong) == pytest.approx(roc_auc_score(wrong, doubt))
