"""Hidden tests of core_1_layers: a convolution, a pooling, weights."""

import numpy as np
from scipy import signal

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def convolve(image, kernel, stride):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)[::stride, ::stride]
    return np.einsum("ijkl,kl->ij", windows, kernel)


def max_pool(maps):
    return _blocks(maps).max((1, 3))


def weights(layers):
    return sum(kernel * kernel * inputs * outputs + outputs for kernel, inputs, outputs in layers)


def _blocks(maps):
    rows, columns = maps.shape[0] // 2, maps.shape[1] // 2
    return maps[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1)


def parts(random):
    images = [(random.normal(size=(11, 12)), random.normal(size=(k, k)), stride)
              for k, stride in ((3, 1), (3, 2), (5, 3))]  # fmt: skip
    maps = [random.normal(size=shape) for shape in ((8, 6, 3), (4, 10, 5))]
    layers = [[[3, 1, 8], [3, 8, 8], [1, 8, 1]], [[5, 3, 16], [3, 16, 7]], [[int(k) for k in random.integers(2, 9, 3)]]]
    return (
        Part("convolve", 4, Function(
            asked="(image, kernel, stride) -> what a layer without padding gives, the kernel not turned round.",
            right=convolve, inputs=images, praise="", otherwise="with a stride of {2} other numbers are expected.",
            edges={"for an image as large as the kernel": (images[0][1], images[1][1], 1)},
            mistakes={
                "the kernel is turned round, as in mathematics. A network's layer leaves it as it is.":
                    Worth(3, lambda i, k, s: convolve(i, k[::-1, ::-1], s)),
                "the kernel's rows and columns have changed places.": Worth(2, lambda i, k, s: convolve(i, k.T, s)),
                "the stride is left out.": Worth(2, lambda i, k, s: convolve(i, k, 1)),
                "the image is padded, so there are too many places.":
                    Worth(2, lambda i, k, s: signal.correlate2d(i, k, "same")[::s, ::s]),
                "that is the mean of the products; their sum is asked.":
                    Worth(2, lambda i, k, s: convolve(i, k, s) / k.size),
                "negative sums are cut off: that is an activation, which was not asked.":
                    Worth(3, lambda i, k, s: convolve(i, k, s).clip(0)),
            })),
        Part("max_pool", 3, Function(
            asked="(maps) -> the largest of each 2 x 2 block, map by map; arrays of rows, columns, maps.",
            right=max_pool, inputs=[(one,) for one in maps], praise="", otherwise="other numbers are expected.",
            edges={"for an odd number of rows, whose last is dropped": (random.normal(size=(5, 6, 2)),),
                   "for an odd number of columns, whose last is dropped": (random.normal(size=(6, 7, 2)),)},
            mistakes={
                "that is the mean of each block.": Worth(1, lambda m: _blocks(m).mean((1, 3))),
                "that is the first of each block.": lambda m: m[::2, ::2],
                "each map is pooled by itself: the largest over all maps is there.":
                    lambda m: np.broadcast_to(max_pool(m).max(-1, keepdims=True), max_pool(m).shape),
                "blocks overlap: a block begins at every second pixel.":
                    Worth(1, lambda m: np.lib.stride_tricks.sliding_window_view(m, (2, 2), (0, 1)).max((-1, -2))),
            })),
        Part("weights", 3, Function(
            asked="(layers) -> weights and biases of convolutions, a list of [kernel, maps in, maps out].",
            right=weights, inputs=[(one,) for one in layers], praise="", otherwise="it gives {found:g} for {right:g}.",
            edges={"without any layer": ([],)},
            mistakes={
                "biases are not in it: one for each new map.": Worth(2, lambda n: sum(k * k * i * o for k, i, o in n)),
                "a kernel of 3 x 3 has nine weights.": lambda n: sum(k * i * o + o for k, i, o in n),
                "there is one bias for each new map, not one for each old one.":
                    Worth(2, lambda n: sum(k * k * i * o + i for k, i, o in n)),
                "each new map has a kernel for each old one.": lambda n: sum(k * k * o + o for k, i, o in n),
                "only the last layer is counted.": Worth(1, lambda n: weights(n[-1:])),
                "there is one bias for each new map, not one for each layer.":
                    Worth(2, lambda n: sum(k * k * i * o + 1 for k, i, o in n)),
            })),
    )  # fmt: skip
