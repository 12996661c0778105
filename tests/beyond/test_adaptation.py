import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.beyond.adaptation import adapt, spread_slices
from covidlab.data.slices import SliceCache
from covidlab.models import light_unet, predict_slices
from covidlab.training.recipe import Recipe

RECIPE = Recipe(updates=20, updates_per_epoch=10, batch_size=2, learning_rate=3e-3, augment=False)


@pytest.fixture
def cache(tmp_path):
    """Four slices of 16 x 16 with a bright square, which is the lesion."""
    masks = np.zeros((4, 16, 16), np.uint8)
    masks[:, 4:10, 5:11] = 1
    images = (60 + 150 * masks).astype(np.uint8)
    names = np.array(["a"] * 4)
    return SliceCache(images, masks, names, names, np.arange(4), masks.sum(axis=(1, 2)), 16, "squares", tmp_path)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return light_unet(widths=(4, 8))


def of_norm(network):
    return [np.array(value) for layer in network.layers if "norm" in layer.name for value in layer.get_weights()]


def test_adaptation_learns_repeats_and_leaves_the_old_network_and_the_means_of_its_patients(cache, model):
    before = [value.copy() for value in model.get_weights()]
    adapted, again = (adapt(model, cache, np.array([0, 3]), recipe=RECIPE) for _ in range(2))
    for left, right in zip(adapted.get_weights(), again.get_weights()):
        np.testing.assert_allclose(left, right, atol=1e-6)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(of_norm(model), of_norm(adapted)):
        np.testing.assert_array_equal(old, new)
    lesion = cache.masks[1].astype(bool)
    gap = [(found := predict_slices(one, cache.images[1:2])[0])[lesion].mean() - found[~lesion].mean()
           for one in (model, adapted)]  # fmt: skip
    assert gap[1] > gap[0] + 0.1


def test_slices_are_spread_over_those_that_show_lesion_and_nothing_to_learn_from_is_refused():
    positive = np.array([False, True, True, True, True, True, False])
    assert spread_slices(np.arange(7), positive, 3).tolist() == [1, 3, 5]
    assert spread_slices(np.arange(7), positive, 9).tolist() == [1, 2, 3, 4, 5]
    for slices, number in (([0, 6], 2), ([1, 2], 0)):
        with pytest.raises(ValueError, match="nothing to learn from"):
            spread_slices(np.array(slices), positive, number)
