"""FCN-8s of Long, Shelhamer and Darrell, which the paper compares with its U-Net (section II.A.1, reference [18]).

VGG16 without its dense layers: fc6 and fc7 are convolutions, a score layer makes one map a class of theirs, transposed
convolutions bring the scores up, and the scores of pool4 and pool3 are **added** on the way. The U-Net concatenates
instead; that is one of the two differences the paper names (section II.A.2).
"""

import numpy as np

from covidlab._tensorflow import keras
from covidlab.models.normalised import convolution
from covidlab.models.padding import CropLike, PadToMultiple

layers = keras.layers

# VGG16: feature maps and convolutions of each block; a pooling halves the slice after each.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))

CLASSIFIER_MAPS = 4096

STRIDES = (32, 16, 8)


@keras.saving.register_keras_serializable("covidlab")
class Bilinear(keras.initializers.Initializer):
    """Start a transposed convolution as bilinear interpolation, each class from itself alone.

    Examples
    --------
    >>> np.asarray(Bilinear()((4, 4, 1, 1)))[:, :, 0, 0][0].tolist()
    [0.0625, 0.1875, 0.1875, 0.0625]
    """

    def __call__(self, shape, dtype="float32"):
        size, _, outputs, inputs = shape
        if outputs != inputs or shape[1] != size:
            raise ValueError(f"bilinear interpolation needs a square kernel and as many maps out as in; found {shape}")
        stride = (size + 1) // 2
        middle = stride - 1 if size % 2 else stride - 0.5
        line = 1 - np.abs(np.arange(size) - middle) / stride
        kernel = np.zeros(shape)
        for one in range(outputs):
            kernel[:, :, one, one] = np.outer(line, line)
        return keras.ops.convert_to_tensor(kernel.astype(dtype))


def fcn8s(
    stride: int = 8, width: float = 1.0, classes: int = 1, channels: int = 1, dropout: float = 0.5,
    normalised: bool = False, name: str = "fcn8s",
) -> keras.Model:
    """Build FCN-8s, or FCN-16s or FCN-32s, with fresh weights.

    Parameters
    ----------
    stride : 32, 16 or 8
        How coarse the scores are before the last upsampling: without skips, with pool4, with pool4 and pool3.
    width : float
        Multiplies every number of feature maps. 1.0 is the published network; a CPU wants 0.25 or less.
    classes : int
        1 gives a sigmoid, more a softmax.
    channels : int
        1 for a slice; the published one takes the 3 colours of a photograph.
    dropout : float in 0..1
        After fc6 and after fc7.
    normalised : bool
        Whether batch normalisation follows every convolution but those that score: how it trains, see
        `models.normalised`.
    name : str

    Returns
    -------
    keras.Model
        float32 (batch, height, width, channels) in 0..1 -> float32 (batch, height, width, classes) in 0..1.

    Raises
    ------
    ValueError
        If the stride is none of the three.

    Examples
    --------
    >>> fcn8s(width=1 / 16).count_params()
    525807
    """
    if stride not in STRIDES:
        raise ValueError(f"stride must be 32, 16 or 8; found {stride}")
    slices = keras.Input((None, None, channels), name="slice")
    x = PadToMultiple(32, name="pad")(slices)
    # As in the light U-Net: lung near 0, soft tissue near 2.
    x = layers.Rescaling(4.0, offset=-1.2, name="scale")(x)
    x, pooled = _vgg16(x, width, dropout, normalised)
    # One pixel in eighty is lesion: start from that share.
    bias = keras.initializers.Constant(-4.0) if classes == 1 else "zeros"
    x = layers.Conv2D(classes, 1, bias_initializer=bias, name="score_fc7")(x)
    skips = {32: (), 16: (4,), 8: (4, 3)}[stride]
    for block in skips:
        x = _upsample(x, 2, classes, f"up2_to_pool{block}")
        # From zero: a skip adds nothing until it has learnt what to add.
        score = layers.Conv2D(classes, 1, kernel_initializer="zeros", name=f"score_pool{block}")(pooled[block])
        x = layers.Add(name=f"sum_pool{block}")([x, score])
    x = _upsample(x, stride, classes, f"up{stride}")
    x = layers.Activation("sigmoid" if classes == 1 else "softmax", name="probability")(x)
    return keras.Model(slices, CropLike(name="crop")([x, slices]), name=name)


def layer_weights(width: float = 1.0, classes: int = 1, channels: int = 1) -> dict[str, int]:
    """Count the weights of FCN-8s by hand, layer by layer: the full network has too many to be built for a number.

    Parameters
    ----------
    width, classes, channels
        Of `fcn8s`.

    Returns
    -------
    dict of layer name -> trainable numbers
        In the order of computation; layers without weights are left out.

    Examples
    --------
    >>> sum(layer_weights().values())
    134264547
    """
    counts: dict[str, int] = {}
    maps, pooled = channels, {}

    def convolution(name: str, kernel: int, wanted: float) -> int:
        after = _narrowed(wanted)
        counts[name] = kernel**2 * maps * after + after
        return after

    for block, (wanted, convolutions) in enumerate(BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            maps = convolution(f"conv{block}_{number}", 3, wanted * width)
        pooled[block] = maps
    for layer, kernel in (("fc6", 7), ("fc7", 1)):
        maps = convolution(layer, kernel, CLASSIFIER_MAPS * width)
    convolution("score_fc7", 1, classes)
    for block in (4, 3):
        counts[f"up2_to_pool{block}"] = 4**2 * classes**2
        maps = pooled[block]
        convolution(f"score_pool{block}", 1, classes)
    counts["up8"] = 16**2 * classes**2
    return counts


def carry_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Start a network from another one, as FCN-16s starts from FCN-32s: layers of the same name and shape.

    Parameters
    ----------
    source, target : keras.Model
        The target's weights are changed in place.

    Returns
    -------
    list of str
        Layers of the target that have weights, and keep their own: those which the source does not have.

    Examples
    --------
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


def _narrowed(maps: float) -> int:
    return max(1, round(maps))


def _vgg16(x, width: float, dropout: float, normalised: bool):
    """What comes out of fc7, and out of the pooling of each block."""
    pooled = {}
    for block, (maps, convolutions) in enumerate(BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            x = convolution(x, _narrowed(maps * width), 3, f"conv{block}_{number}", normalised)
        x = pooled[block] = layers.MaxPooling2D(name=f"pool{block}")(x)
    for layer, kernel in (("fc6", 7), ("fc7", 1)):
        x = convolution(x, _narrowed(CLASSIFIER_MAPS * width), kernel, layer, normalised)
        x = layers.Dropout(dropout, name=f"{layer}_dropout")(x)
    return x, pooled


def _upsample(x, factor: int, classes: int, name: str):
    return layers.Conv2DTranspose(
        classes, 2 * factor, strides=factor, padding="same", use_bias=False, kernel_initializer=Bilinear(), name=name
    )(x)
