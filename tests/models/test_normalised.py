"""A network trains with batch normalisation everywhere, and is kept without."""

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models import MODELS
from covidlab.models.normalised import fold, settle

NETWORKS = {
    "light_unet": {"widths": (4, 8, 8)},
    "nano_unet": {"widths": (4, 8)},
    "fcn8s": {"width": 1 / 32},
}


def twins(name):
    """A network and its normalised twin, whose means, variances, factors and offsets are not those of a fresh one."""
    random = np.random.default_rng(0)
    learner = MODELS[name](**NETWORKS[name], normalised=True)
    for layer in learner.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])
    return learner, MODELS[name](**NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_weights_answer_as_the_twin_does_and_the_network_that_is_kept_is_the_published_one(name):
    learner, model = twins(name)
    slices = np.random.default_rng(1).random((2, 48, 40, 1)).astype(np.float32)
    assert not np.allclose(learner(slices), model(slices), atol=1e-3)
    fold(learner, model)
    np.testing.assert_allclose(learner(slices), model(slices), atol=1e-5)
    kept = [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert kept == (["bottleneck_a_norm", "bottleneck_b_norm"] if "unet" in name else [])


def test_settled_means_and_variances_are_those_of_all_slices_and_nothing_else_changes():
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16)).astype(np.uint8)
    learner, _ = twins("light_unet")
    norms = [layer for layer in learner.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [weights.numpy() for weights in learner.trainable_weights]
    momenta, dropout = [norm.momentum for norm in norms], learner.get_layer("bottleneck_dropout").rate
    settle(learner, images, batch=5)
    for was, weights in zip(before, learner.trainable_weights):
        np.testing.assert_array_equal(was, weights.numpy())
    assert [norm.momentum for norm in norms] == momenta and learner.get_layer("bottleneck_dropout").rate == dropout
    # The first normalisation sees what does not depend on any other: its numbers can be had at once.
    first = keras.Model(learner.input, norms[0].input)(images[..., None].astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(norms[0].moving_mean.numpy(), first.mean(axis=(0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(norms[0].moving_variance.numpy(), first.var(axis=(0, 1, 2)), rtol=1e-4)


def test_a_settled_network_answers_in_use_as_it_does_while_it_learns():
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16)).astype(np.uint8)
    learner, _ = twins("nano_unet")
    slices = images[..., None].astype(np.float32) / 255
    learner.get_layer("bottleneck_dropout").rate = 0.0
    settle(learner, images, batch=8)
    np.testing.assert_allclose(learner(slices), learner(slices, training=True), atol=1e-4)
