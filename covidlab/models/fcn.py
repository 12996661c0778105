"""FCN-8s of Long, Shelhamer and Darrell, which the paper compares with its U-Net (section II.A.1, reference [18]).

VGG16 without its dense layers: fc6 and fc7 are convolutions, a score layer makes one map of theirs, transposed
convolutions bring the scores up, and the scores of pool4 and pool3 are **added** on the way. The U-Net concatenates
instead; that is one of the two differences the paper names (section II.A.2).
"""

from collections.abc import Iterator

import numpy as np

from covidlab._tensorflow import keras
from covidlab.models.normalised import convolution
from covidlab.models.padding import CropLike, PadToMultiple

layers = keras.layers

# VGG16: feature maps and convolutions of each block; a pooling halves the slice after each.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
CLASSIFIER, CLASSIFIER_MAPS = {"fc6": 7, "fc7": 1}, 4096  # its kernels, and the maps of each

# Pixels that a score stands for before the last upsampling, and the poolings whose scores were added on the way.
SKIPS = {32: (), 16: (4,), 8: (4, 3)}


@keras.saving.register_keras_serializable("covidlab")
class Bilinear(keras.initializers.Initializer):
    """Start a transposed convolution of one map, with a square kernel, as bilinear interpolation.

    >>> np.asarray(Bilinear()((4, 4, 1, 1)))[:, :, 0, 0][0].tolist()
    [0.0625, 0.1875, 0.1875, 0.0625]
    """

    def __call__(self, shape, dtype="float32"):
        size = shape[0]
        stride = (size + 1) // 2
        middle = stride - 1 if size % 2 else stride - 0.5
        line = 1 - np.abs(np.arange(size) - middle) / stride
        return keras.ops.convert_to_tensor(np.outer(line, line).reshape(shape).astype(dtype))


def fcn8s(stride: int = 8, width: float = 1.0, dropout: float = 0.5, normalised: bool = False) -> keras.Model:
    """Build FCN-8s, or FCN-16s or FCN-32s, with fresh weights.

    - `stride`, 32, 16 or 8: how coarse the scores are before the last upsampling: without skips, with pool4, with pool4
      and pool3.
    - `width`, float: multiplies every number of feature maps. 1.0 is the published network; a CPU wants 0.25 or less.
    - `dropout`, float in 0..1: after fc6 and after fc7.
    - `normalised`, bool: whether batch normalisation follows every convolution but those that score: how it trains, see
      `models.normalised`.

    Returns keras.Model: float32 (batch, height, width, 1) in 0..1 -> the same. Any height and width: the slice is
    padded with air, and the probabilities are cropped back.

    >>> fcn8s(width=1 / 16).count_params()
    525807
    """
    if stride not in SKIPS:
        raise ValueError(f"stride must be 32, 16 or 8; found {stride}")
    slices = keras.Input((None, None, 1), name="slice")
    x = PadToMultiple(32, name="pad")(slices)
    # As in the light U-Net: lung near 0, soft tissue near 2.
    x = layers.Rescaling(4.0, offset=-1.2, name="scale")(x)
    pooled = {}
    for layer, kernel, maps, pooling in _convolutions(width):
        x = convolution(x, maps, kernel, layer, normalised)
        if pooling:
            x = pooled[pooling] = layers.MaxPooling2D(name=f"pool{pooling}")(x)
        elif layer in CLASSIFIER:
            x = layers.Dropout(dropout, name=f"{layer}_dropout")(x)
    # One pixel in eighty is lesion: start from that share.
    x = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-4.0), name="score_fc7")(x)
    for block in SKIPS[stride]:
        x = _upsample(x, 2, f"up2_to_pool{block}")
        # From zero: a skip adds nothing until it has learnt what to add.
        score = layers.Conv2D(1, 1, kernel_initializer="zeros", name=f"score_pool{block}")(pooled[block])
        x = layers.Add(name=f"sum_pool{block}")([x, score])
    x = layers.Activation("sigmoid", name="probability")(_upsample(x, stride, f"up{stride}"))
    return keras.Model(slices, CropLike(name="crop")([x, slices]), name="fcn8s")


def layer_weights(width: float = 1.0) -> dict[str, int]:
    """Count the weights of `fcn8s` by hand: the full network has too many to be built for a number.

    Returns dict of layer name -> trainable numbers: in the order of computation; layers without weights are left out.

    >>> sum(layer_weights().values())
    134264547
    """
    counts, pooled, before = {}, {}, 1
    for layer, kernel, maps, pooling in _convolutions(width):
        counts[layer] = kernel**2 * before * maps + maps
        before = pooled[pooling] = maps
    counts["score_fc7"] = before + 1
    for block in SKIPS[8]:
        counts[f"up2_to_pool{block}"] = 4**2
        counts[f"score_pool{block}"] = pooled[block] + 1
    return counts | {"up8": 16**2}


def carry_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Start a network, in place, from another one, as FCN-16s from FCN-32s: layers of the same name and shape.

    Returns list of str: layers of the target that have weights, and keep their own: those which the source does not
    have.

    >>> carry_weights(fcn8s(stride=32, width=1 / 64), fcn8s(stride=16, width=1 / 64))
    ['up2_to_pool4', 'score_pool4', 'up16']
    """
    weights = {layer.name: layer.get_weights() for layer in source.layers}
    kept = []
    for layer in target.layers:
        own, theirs = layer.get_weights(), weights.get(layer.name, [])
        if [array.shape for array in own] == [array.shape for array in theirs]:
            layer.set_weights(theirs)
        elif own:
            kept.append(layer.name)
    return kept


def _convolutions(width: float) -> Iterator[tuple[str, int, int, int]]:
    """Name, kernel and feature maps of each convolution on the way down, and the pooling that follows, or 0."""
    for block, (maps, number) in enumerate(BLOCKS, start=1):
        for place in range(1, number + 1):
            yield f"conv{block}_{place}", 3, max(1, round(maps * width)), block if place == number else 0
    for layer, kernel in CLASSIFIER.items():
        yield layer, kernel, max(1, round(CLASSIFIER_MAPS * width)), 0


def _upsample(x, factor: int, name: str):
    return layers.Conv2DTranspose(
        1, 2 * factor, strides=factor, padding="same", use_bias=False, kernel_initializer=Bilinear(), name=name
    )(x)
