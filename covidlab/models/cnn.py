"""The patch CNN, the paper's baseline (section II): is the pixel in the middle of an 11 x 11 patch lesion?

One network in two forms. `patch_cnn` takes patches. `dense_patch_cnn` takes whole slices and does the same arithmetic
once for each pixel instead of once for each patch that holds it.
"""

from collections.abc import Sequence

from covidlab import paper
from covidlab._tensorflow import keras

layers = keras.layers


def patch_cnn(widths: Sequence[int] = (16, 32, 32), dropout: float = 0.2) -> keras.Model:
    """Build the classifier of patches, with fresh weights.

    Convolutions of 3 x 3 without padding, of so many feature maps each, shrink the patch by two pixels each; one more,
    as large as what is left, is the dense layer in the form of a convolution. Without pooling, so that the dense form
    is exact. The paper gives no layers: these are our choice.

    Returns keras.Model: float32 (batch, 11, 11, 1) in 0..1 -> float32 (batch, 1, 1, 1): the probability that the centre
    is lesion. A larger input gives the probabilities of all centres of patches inside it.
    """
    left = paper.PATCH_SIZE - 2 * len(widths)
    if left < 1:
        raise ValueError(f"{len(widths)} convolutions of 3 x 3 need an odd patch of {2 * len(widths) + 1} or more")
    patches = keras.Input((None, None, 1), name="patch")
    x = layers.Rescaling(4.0, offset=-1.2, name="scale")(patches)
    for number, width in enumerate(widths, start=1):
        x = layers.Conv2D(width, 3, activation="relu", kernel_initializer="he_normal", name=f"conv{number}")(x)
    x = layers.Conv2D(64, left, activation="relu", kernel_initializer="he_normal", name="dense1")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(1, 1, activation="sigmoid", name="probability")(x)
    return keras.Model(patches, x, name="patch_cnn")


def dense_patch_cnn(**options) -> keras.Model:
    """The patch CNN, with options of `patch_cnn`, as what all other models are from the start: a model of slices, which
    are reflected beyond their border. The classifier in it shares its weights.

    Returns keras.Model: float32 (batch, height, width, 1) in 0..1 -> float32 of the same shape, the probability at each
    pixel.
    """
    classifier, half = patch_cnn(**options), paper.PATCH_SIZE // 2
    slices = keras.Input((None, None, 1), name="slice")
    reflected = keras.ops.pad(slices, [(0, 0), (half, half), (half, half), (0, 0)], mode="reflect")
    return keras.Model(slices, classifier(reflected), name=f"{classifier.name}_dense")


def classifier_in(model: keras.Model) -> keras.Model | None:
    """The classifier of patches that a dense form runs; None for a model that has none."""
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)
