"""A trained network fitted to one new patient, from a few annotated slices of that patient.

A few gradient steps from weights that know other patients, not a training: no validation, no choice of an epoch, and
the threshold stays what it was. What it does to other patients is for the caller to measure.
"""

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.progress import progress_bar
from covidlab.training.batches import training_batches
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Recipe

# Of a rate of 2e-3 that trains from scratch: small steps, as the weights are good already.
RECIPE = Recipe(updates=100, updates_per_epoch=10, batch_size=4, learning_rate=3e-4)


def spread_slices(slices: np.ndarray, positive: np.ndarray, number: int) -> np.ndarray:
    """Which slices to annotate first: evenly spaced ones among those with lesion.

    `slices` are one patient's positions in the cohort, from feet to head, int (n,); `positive` says of every slice of
    the cohort whether it shows lesion. All that do are taken, if they are fewer than `number`; `ValueError` if none
    does, or the number is below 1.

    >>> spread_slices(np.arange(10, 20), np.arange(20) % 2 == 0, 3).tolist()
    [10, 14, 18]
    """
    candidates = slices[positive[slices]]
    if number < 1 or not len(candidates):
        raise ValueError(f"{number} of {len(candidates)} slices with lesion: there is nothing to learn from")
    return candidates[np.linspace(0, len(candidates) - 1, min(number, len(candidates))).round().astype(int)]


def adapt(
    model: keras.Model, cache: SliceCache, slices: np.ndarray, seed: int = 0, recipe: Recipe = RECIPE
) -> keras.Model:
    """Go on training a copy of a network, on a few slices.

    Batch normalisation keeps the means and variances of the patients that it was trained on: those of a few slices
    would be too noisy to replace them.

    The model stays as it is. `slices`, 1-D int, are positions of the annotated ones; the seed is of their order, of how
    they are turned and shifted, and of dropout. The recipe's learning rate is the first, and falls to 0 along a cosine.
    """
    keras.utils.set_random_seed(seed)
    adapted = keras.models.clone_model(model)
    adapted.set_weights(model.get_weights())
    for layer in adapted.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    # Down to nothing, so that the last few slices seen do not decide where it ends.
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.updates)
    adapted.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss=LOSSES[recipe.loss]())
    with progress_bar(f"adapting {model.name}") as show:
        told = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: show(epoch + 1, recipe.epochs, f"loss {logs['loss']:.2f}")
        )
        adapted.fit(
            training_batches(cache, slices, recipe, seed), epochs=recipe.epochs,
            steps_per_epoch=recipe.updates_per_epoch, shuffle=False, verbose=0, callbacks=[told],
        )  # fmt: skip
    return adapted
