"""How sure is a network of each pixel? Monte-Carlo dropout: the same slice many times, each time other features gone.

Dropout is a part of training only; left on in prediction, it makes many slightly different networks of one (Gal and
Ghahramani 2016). Where they disagree, the answer hangs on a few features. Whether they disagree where they err is
something to measure, not to assume: see `error_ranking`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from covidlab._tensorflow import keras
from covidlab.models import predict_slices
from covidlab.progress import track


@dataclass(frozen=True)
class Passes:
    """What many passes with dropout say of each pixel."""

    # float32 arrays (slices, height, width) in 0..1; over the passes; the standard deviation is that of the passes
    # themselves (divided by their number)
    mean: np.ndarray
    deviation: np.ndarray
    number: int  # How many passes


class _DropoutLeftOn(keras.layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


def with_dropout_on(model: keras.Model) -> keras.Model:
    """The same network, with the same weights, whose dropout also works in prediction; everything else predicts.

    Calling the model with ``training=True`` is not the same: batch normalisation would then take its means from the
    batch, so that the answer to a slice would hang on the slices beside it.

    Parameters
    ----------
    model : keras.Model
        It stays as it is; the layers, and so the weights, are shared.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If it has no dropout.
    """
    left_on = []

    def clone(layer):
        if not isinstance(layer, keras.layers.Dropout):
            return layer
        left_on.append(_DropoutLeftOn(layer.rate, name=layer.name))
        return left_on[-1]

    copy = keras.models.clone_model(model, clone_function=clone)
    if not left_on:
        raise ValueError(f"{model.name} has no dropout to leave on")
    return copy


def predict_passes(
    model: keras.Model, images: np.ndarray, number: int = 20, seed: int = 0
) -> Passes:
    """Mean and standard deviation of many predictions with dropout.

    Parameters
    ----------
    model : keras.Model
        With dropout; it is switched on here.
    images : uint8 array (slices, height, width)
        On the model's grid.
    number : int
        Of passes.
    seed : int
        Pass k drops what `seed` and k say, so more passes begin with the same ones.

    Returns
    -------
    Passes

    Raises
    ------
    ValueError
        If there are fewer than two passes, or the model has no dropout.
    """
    if number < 2:
        raise ValueError(f"a spread needs at least two passes; found {number}")
    noisy = with_dropout_on(model)
    dropouts = [layer for layer in noisy.layers if isinstance(layer, _DropoutLeftOn)]
    # A dropout of nothing draws nothing.
    generators = [layer.seed_generator for layer in dropouts if layer.rate]
    total, squares = np.zeros(images.shape[:3]), np.zeros(images.shape[:3])
    for k in track(range(number), f"{number} passes"):
        for place, generator in enumerate(generators):
            generator.state.assign(np.random.default_rng([seed, k, place]).integers(0, 2**31, 2))
        found = predict_slices(noisy, images)
        total += found
        squares += found.astype(float) ** 2
    mean = total / number
    deviation = np.sqrt(np.maximum(squares / number - mean**2, 0))
    return Passes(mean.astype(np.float32), deviation.astype(np.float32), number)


def error_ranking(doubt: np.ndarray, wrong: np.ndarray) -> float:
    """How well a doubt finds errors: how often a wrong pixel has more of it than a right one, ties counted half.

    The area under the ROC curve: 0.5 where doubt says nothing, 1 where every error has more than any right pixel.

    Parameters
    ----------
    doubt : float array
        Of any unit: only its order counts.
    wrong : bool array of the same shape

    Returns
    -------
    float
        NaN where nothing is wrong, or everything.

    Examples
    --------
    >>> error_ranking(np.array([0.1, 0.4, 0.2, 0.3]), np.array([False, True, True, False]))
    0.75
    """
    doubt, wrong = np.ravel(doubt), np.ravel(wrong).astype(bool)
    errors = np.count_nonzero(wrong)
    pairs = errors * (wrong.size - errors)
    if not pairs:
        return float("nan")
    return float((stats.rankdata(doubt)[wrong].sum() - errors * (errors + 1) / 2) / pairs)
