"""Batch normalisation for training, folded away for everything else.

With one lesion pixel in a hundred, a network that is not normalised starts on a plateau: what it answers everywhere,
the share of lesion, is nearly the best constant, and its first updates may switch off the features that would lead on.
Short trainings then end with a mask of nothing (studies/collapse.py). Normalised after every convolution, the same
network trains at once. What prediction needs of that is a factor and an offset for each feature map, and they go into
the kernels and the biases. So the network that is kept, timed and exported is the published one.
"""

import numpy as np

from covidlab._tensorflow import keras

layers = keras.layers

# Of the means and variances that prediction uses. Keras' own, 0.99, still holds a sixth of its first guess after the
# 180 updates of a lesson's training.
MOMENTUM = 0.9


def convolution(x, maps: int, kernel: int, name: str, normalised: bool, strides: int = 1):
    """A convolution that keeps height and width, then ReLU: with batch normalisation between them, or with a bias."""
    x = layers.Conv2D(
        maps, kernel, strides=strides, padding="same", kernel_initializer="he_normal", name=name,
        use_bias=not normalised, activation=None if normalised else "relu",
    )(x)  # fmt: skip
    if not normalised:
        return x
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def settle(learner: keras.Model, images: np.ndarray, batch: int = 16) -> None:
    """Measure what a normalised network has to subtract and divide by, on slices as they are when it is used.

    What Keras keeps while it learns is the mean of the last ten small batches, of turned and brightened slices: it
    wanders, and with it what the network answers. The weights that learn stay as they are; the moving means and
    variances of all normalisations are replaced. `images` are uint8 (slices, height, width) of the training part.
    """
    norms = [layer for layer in learner.layers if isinstance(layer, layers.BatchNormalization)]
    dropouts = {layer: layer.rate for layer in learner.layers if isinstance(layer, layers.Dropout)}
    for norm in norms:
        norm.momentum = 0.0  # the next batch alone
    for dropout in dropouts:
        dropout.rate = 0.0  # as when it is used
    found = []
    for part in np.array_split(images, max(1, len(images) // batch)):
        learner(part[..., None].astype(np.float32) / 255, training=True)
        found.append([(norm.moving_mean.numpy(), norm.moving_variance.numpy()) for norm in norms])
    for norm, of_batches in zip(norms, zip(*found)):
        means, variances = np.array(of_batches).swapaxes(0, 1)
        norm.momentum = MOMENTUM
        norm.moving_mean.assign(means.mean(axis=0))
        # Variances of batches and of their means add up to that of all.
        norm.moving_variance.assign(variances.mean(axis=0) + means.var(axis=0))
    for dropout, rate in dropouts.items():
        dropout.rate = rate


def fold(learner: keras.Model, model: keras.Model) -> None:
    """Give a network the weights of its twin that was built with `normalised=True`, so that both answer alike.

    What the network normalises itself it keeps as it is.
    """
    own = {layer.name for layer in model.layers}
    norms = {layer.name: layer for layer in learner.layers if isinstance(layer, layers.BatchNormalization)}
    for layer in model.layers:
        twin = learner.get_layer(layer.name)
        norm = norms.get(f"{layer.name}_norm")
        if norm is None or norm.name in own:
            layer.set_weights(twin.get_weights())
            continue
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / (variance + norm.epsilon) ** 0.5
        layer.set_weights([twin.get_weights()[0] * factor, beta - mean * factor])
