"""The light U-Net of the paper (section II.A.2 and Fig. 3): under 3 MB, trained from scratch.

An encoder of convolutions and max-pooling, a bottleneck of two convolutions with batch normalisation and dropout, a
symmetric decoder of transposed convolutions, and skips by concatenation. The paper does not print the widths; ours give
486,441 parameters, 2.1 MB on disk.
"""

from collections.abc import Sequence

from covidlab._tensorflow import keras
from covidlab.models.normalised import convolution
from covidlab.models.padding import CropLike, PadToMultiple

layers = keras.layers

JOINS = {"concatenate": layers.Concatenate, "sum": layers.Add}


def light_unet(
    widths: Sequence[int] = (8, 16, 32, 64, 128), dropout: float = 0.3, join: str = "concatenate", stride: int = 1,
    up_widths: Sequence[int] | None = None, without_skips: Sequence[int] = (), normalised: bool = False,
    name: str = "light_unet",
) -> keras.Model:
    """Build the light U-Net, with fresh weights.

    - `widths`, sequence of int: feature maps at each level, from the slice's own resolution down to the bottleneck.
    - `dropout`, float in 0..1: share of bottleneck features dropped in training; the paper names no rate.
    - `join`, "concatenate" or "sum": how a skip meets what comes up. The sum, as in FCN-8s, is here to be compared.
    - `stride`, int: of the first convolution, and of the last: see `nano_unet`.
    - `up_widths`, sequence of int or None: feature maps of each level on the way up, without the bottleneck; None for
      as many as on the way down, the symmetry of the paper. Others are here to be compared.
    - `without_skips`, sequence of int: skips that are left out, 1 the uppermost. Such networks are here to be compared.
    - `normalised`, bool: whether batch normalisation follows every convolution but the last: how it trains, see
      `models.normalised`.

    Returns keras.Model: float32 (batch, height, width, 1) in 0..1 -> the same. Any height and width: the slice is
    padded with air, and the probabilities are cropped back.

    >>> light_unet().count_params()
    486441
    """
    if len(widths) < 2:
        raise ValueError(f"a U-Net needs at least two widths, one above the bottleneck; found {tuple(widths)}")
    if join not in JOINS:
        raise ValueError(f"join must be one of {', '.join(JOINS)}; found {join!r}")
    *levels, deepest = widths
    rising = levels if up_widths is None else list(up_widths)
    if len(rising) != len(levels) or (join == "sum" and rising != levels):
        raise ValueError(f"the way up has {len(levels)} levels, as wide as the way down for a sum; found {rising}")
    if not set(without_skips) <= set(range(1, len(levels) + 1)):
        raise ValueError(f"skips are numbered from 1 to {len(levels)}; found {list(without_skips)}")
    slices = keras.Input((None, None, 1), name="slice")
    x = PadToMultiple(stride * 2 ** len(levels), name="pad")(slices)
    # Lung comes to lie near 0 and soft tissue near 2: inputs about 0 and of size 1 train faster than 0..1.
    x = layers.Rescaling(4.0, offset=-1.2, name="scale")(x)
    skips = []
    for depth, width in enumerate(levels):
        x = _two_convolutions(x, width, f"down{depth}", normalised, stride if depth == 0 else 1)
        skips.append(x)
        x = layers.MaxPooling2D(name=f"pool{depth}")(x)
    x = _two_convolutions(x, deepest, "bottleneck", normalised=True)
    x = layers.Dropout(dropout, name="bottleneck_dropout")(x)
    for depth, width in reversed(list(enumerate(rising))):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{depth}_grow")(x)
        if depth + 1 not in without_skips:
            x = JOINS[join](name=f"up{depth}_skip")([x, skips[depth]])
        x = _two_convolutions(x, width, f"up{depth}", normalised)
    # One pixel in eighty is lesion: start from that share, not from one half, and save the updates to learn it.
    rare = keras.initializers.Constant(-4.0)
    options = {"activation": "sigmoid", "bias_initializer": rare, "name": "probability"}
    last = layers.Conv2D(1, 1, **options) if stride == 1 else layers.Conv2DTranspose(1, stride, stride, **options)
    return keras.Model(slices, CropLike(name="crop")([last(x), slices]), name=name)


def nano_unet(widths: Sequence[int] = (8, 16, 32, 64), **options) -> keras.Model:
    """The light U-Net at a fifth of its arithmetic and a quarter of its size, for slow processors.

    Four fifths of a U-Net's time go into its upper levels, where maps are few and pixels many. So the first
    convolution takes every second row and column: eight maps on the half grid hold more numbers than the 2 x 2
    pixels that they stand for, so nothing need be lost. From there it is the light U-Net without its lowest level,
    and a transposed convolution gives each of the 2 x 2 pixels its own probability. At 630 x 630 that is 1.81
    GFLOP instead of 9.45; the file is 0.57 MB.

    >>> nano_unet().count_params()
    121089
    """
    return light_unet(widths=widths, stride=2, name="nano_unet", **options)


def _two_convolutions(x, width: int, name: str, normalised: bool, stride: int = 1):
    for half, step in zip("ab", (stride, 1)):
        x = convolution(x, width, 3, f"{name}_{half}", normalised, strides=step)
    return x
