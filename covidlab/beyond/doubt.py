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
    """What many passes with dropout say of each pixel: float32 arrays (slices, height, width) in 0..1."""

    mean: np.ndarray
    deviation: np.ndarray  # The standard deviation of the passes themselves (divided by their number)


class _DropoutLeftOn(keras.layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


def with_dropout_on(model: keras.Model) -> keras.Model:
    """A network of the same layers, and so weights, whose dropout also works in prediction; everything else predicts.

    Calling the model with ``training=True`` is not the same: batch normalisation would then take its means from the
    batch, so that the answer to a slice would hang on the slices beside it. `ValueError` if there is no dropout.
    """

    def clone(layer):
        is_dropout = isinstance(layer, keras.layers.Dropout)
        return _DropoutLeftOn(layer.rate, name=layer.name) if is_dropout else layer

    copy = keras.models.clone_model(model, clone_function=clone)
    if not any(isinstance(layer, _DropoutLeftOn) for layer in copy.layers):
        raise ValueError(f"{model.name} has no dropout to leave on")
    return copy


def predict_passes(model: keras.Model, images: np.ndarray, number: int = 20, seed: int = 0) -> Passes:
    """Mean and standard deviation of many predictions with dropout, which is switched on here.

    `images` are uint8 (slices, height, width) on the model's grid. Pass k drops what `seed` and k say, so more passes
    begin with the same ones. `ValueError` if there are fewer than two passes, or the model has no dropout.
    """
    if number < 2:
        raise ValueError(f"a spread needs at least two passes; found {number}")
    noisy = with_dropout_on(model)
    # A dropout of nothing draws nothing.
    generators = [layer.seed_generator for layer in noisy.layers if isinstance(layer, _DropoutLeftOn) and layer.rate]
    total, squares = np.zeros((2, *images.shape))
    for k in track(range(number), f"{number} passes"):
        for place, generator in enumerate(generators):
            generator.state.assign(np.random.default_rng([seed, k, place]).integers(0, 2**31, 2))
        found = predict_slices(noisy, images)
        total += found
        squares += found.astype(float) ** 2
    mean = total / number
    deviation = np.sqrt(np.maximum(squares / number - mean**2, 0))
    return Passes(mean.astype(np.float32), deviation.astype(np.float32))


def error_ranking(doubt: np.ndarray, wrong: np.ndarray) -> float:
    """How well a doubt finds errors: how often a wrong pixel has more of it than a right one, ties counted half.

    The area under the ROC curve: 0.5 where doubt says nothing, 1 where every error has more than any right pixel; NaN
    where nothing is wrong, or everything. Of the doubt, a float array, only the order counts; `wrong` is bool.

    >>> error_ranking(np.array([0.1, 0.4, 0.2, 0.3]), np.array([False, True, True, False]))
    0.75
    """
    doubt = doubt.astype(float)  # or SciPy counts pairs in float32
    errors, rest = doubt[wrong], doubt[~wrong]
    if not errors.size or not rest.size:
        return float("nan")
    return float(stats.mannwhitneyu(errors, rest, method="asymptotic").statistic / (errors.size * rest.size))
