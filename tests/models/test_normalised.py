"""A network trains with batch normalisation everywhere, and is kept without."""

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.models.builders import MODELS
from covidlab.models.normalised import fold

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
def test_folded_weights_answer_as_the_twin_does(name):
    learner, model = twins(name)
    slices = np.random.default_rng(1).random((2, 48, 40, 1)).astype(np.float32)
    assert not np.allclose(learner(slices), model(slices), atol=1e-3)
    fold(learner, model)
    np.testing.assert_allclose(learner(slices), model(slices), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_that_is_kept_is_the_published_one(name):
    learner, model = twins(name)
    kept = [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert kept == (["bottleneck_a_norm", "bottleneck_b_norm"] if "unet" in name else [])
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in learner.layers) > len(kept)
