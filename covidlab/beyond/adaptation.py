"""A trained network fitted to one new patient, from a few annotated slices of that patient.

A few gradient steps from weights that know other patients, not a training: no validation, no choice of an epoch, and
the threshold stays what it was. What it does to other patients is for the caller to measure.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count
from covidlab.models.segmenter import Segmenter
from covidlab.progress import progress_bar
from covidlab.training.batches import training_batches
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Recipe

# Of a rate of 2e-3 that trains from scratch: small steps, as the weights are good already.
RECIPE = Recipe(updates=100, updates_per_epoch=10, batch_size=4, learning_rate=3e-4)


def spread_slices(slices: np.ndarray, positive: np.ndarray, number: int) -> np.ndarray:
    """Which slices to annotate first: evenly spaced ones.

    Parameters
    ----------
    slices : 1-D ndarray of int
        Positions of one patient's slices, from feet to head.
    positive : bool array
        For every slice of the cohort, whether it shows any lesion.
    number : int
        How many; all that show lesion, if they are fewer.

    Returns
    -------
    1-D ndarray of int

    Raises
    ------
    ValueError
        If none shows lesion, or the number is below 1.

    Examples
    --------
    >>> spread_slices(np.arange(10, 20), np.arange(20) % 2 == 0, 3).tolist()
    [10, 14, 18]
    """
    candidates = slices[positive[slices]]
    if number < 1 or not len(candidates):
        raise ValueError(f"{number} of {len(candidates)} slices with lesion: there is nothing to learn from")
    return candidates[np.linspace(0, len(candidates) - 1, min(number, len(candidates))).round().astype(int)]


def adapt(
    model: keras.Model,
    cache: SliceCache,
    slices: np.ndarray,
    seed: int = 0,
    recipe: Recipe = RECIPE,
) -> keras.Model:
    """Go on training a copy of a network, on a few slices.

    Parameters
    ----------
    model : keras.Model
        float32 (batch, height, width, 1) in 0..1 -> probabilities. It stays as it is.
    cache : SliceCache
    slices : 1-D ndarray of int
        Positions of the annotated slices.
    seed : int
        Of their order, of how they are turned and shifted, and of dropout.
    recipe : Recipe
        Its learning rate is the first, and falls to 0 along a cosine.

    Returns
    -------
    keras.Model

    Notes
    -----
    Batch normalisation keeps the means and variances of the patients that it was trained on: those of a few slices
    would be too noisy to replace them.
    """
    keras.utils.set_random_seed(seed)
    adapted = keras.models.clone_model(model)
    adapted.set_weights(model.get_weights())
    for layer in adapted.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    epochs = recipe.epochs
    # Down to nothing, so that the last few slices seen do not decide where it ends.
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.updates)
    adapted.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss=LOSSES[recipe.loss]())
    with progress_bar(f"adapting {model.name}") as show:
        told = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: show(epoch + 1, epochs, f"loss {logs['loss']:.2f}")
        )
        adapted.fit(
            training_batches(cache, slices, replace(recipe, annotated=None), seed),
            steps_per_epoch=recipe.updates_per_epoch, epochs=epochs, shuffle=False, verbose=0, callbacks=[told],
        )  # fmt: skip
    return adapted


def adaptation_curve(
    segmenter: Segmenter,
    cache: SliceCache,
    slices: np.ndarray,
    numbers: Sequence[int],
    seed: int = 0,
    recipe: Recipe = RECIPE,
) -> dict[int, Counts]:
    """What more annotated slices of one new patient bring on that patient's other slices.

    Parameters
    ----------
    segmenter : Segmenter
        That has never seen the patient. Its threshold, and how small a spot it drops, stay.
    cache : SliceCache
    slices : 1-D ndarray of int
        Positions of the patient's slices.
    numbers : sequence of int
        Annotated slices: 0 is the network as it is.
    seed : int
    recipe : Recipe

    Returns
    -------
    dict of number -> Counts
        Pooled over the same slices for each number: all that none of the numbers takes for annotation. They lie
        between annotated ones, so this says how well a patient is completed.
    """
    chosen = {number: spread_slices(slices, cache.positive, number) if number else slices[:0] for number in numbers}
    rest = np.setdiff1d(slices, np.concatenate(list(chosen.values())))
    found = {}
    for number, annotated in chosen.items():
        network = adapt(segmenter.network, cache, annotated, seed, recipe) if number else segmenter.network
        found[number] = count(cache.masks[rest], replace(segmenter, network=network).mask(cache.images[rest]))
    return found
