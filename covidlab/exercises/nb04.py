"""The exercises of notebook 04: a receptive field, and the stamp that interpolates."""

import numpy as np

from covidlab.exercises.checking import Function, Number


def _field(windows):
    # As `models.stages.reach_after` does; that module brings TensorFlow, which takes seconds.
    field = 1
    for kernel, stride in reversed(windows):
        field = (field - 1) * stride + kernel
    return field


_LEVEL, _BOTTLENECK = [(3, 1), (3, 1), (2, 2)], [(3, 1), (3, 1)]

check_bottleneck_field = Number(
    asked="The receptive field at the end of the light U-Net's bottleneck, pixels a side.",
    right=_field(4 * _LEVEL + _BOTTLENECK),
    praise="140 pixels, more than a slice of 128 has.",
    otherwise="add (kernel - 1) x total stride layer by layer; poolings double the total stride.",
    mistakes={
        "that is the total stride, how far two positions lie apart. Each of them sees much more.": 2**4,
        "that is before the bottleneck's own two convolutions, 2 x 16 pixels each.": _field(4 * _LEVEL),
        "either one of the two convolutions is missing, or each adds 16 in place of (3 - 1) x 16.":
            _field(4 * _LEVEL + [(3, 1)]),
        "that forgets the strides: after a pooling, a step on the map is worth twice as many pixels.": 1 + 2 * 10 + 4,
        "a step in the bottleneck is worth the total stride, 16 pixels.": _field(4 * _LEVEL) + 2 + 2,
        "that forgets the poolings: they see a pixel more themselves, and double every later step.": 1 + 2 * 10,
        "a pooling of 2 x 2 sees a position more itself.": _field(4 * [(3, 1), (3, 1), (1, 2)] + _BOTTLENECK),
        "start from 1: a pixel sees itself.": _field(4 * _LEVEL + _BOTTLENECK) - 1,
        "that is after three levels. There are four.": _field(3 * _LEVEL + _BOTTLENECK),
        "each level has two convolutions, not one.": _field(4 * [(3, 1), (2, 2)] + _BOTTLENECK),
    },
)  # fmt: skip


def _apart(factor, middle=0.5):
    """Of each pixel of the stamp from the place that lies so far before pixel `factor`."""
    return np.abs(np.arange(2 * factor) - (factor - middle))


def _stamp(factor):
    return 1 - _apart(factor) / factor


check_stamp = Function(
    asked="A function (factor) -> the 2 x factor weights of a line of the stamp that interpolates.",
    right=_stamp,
    inputs=[(2,), (8,)],
    praise="the weights rise to the middle and fall, and stamps that overlap add up to a straight line.",
    otherwise="for a factor of {0} the weights must rise evenly to the middle of 2 x {0} pixels and fall again.",
    mistakes={
        "a stamp of ones only repeats each score, and twice at that: overlapping stamps add.":
            lambda f: np.ones(2 * f),
        "that repeats each score. Straight lines need weights that fall with the distance from the middle.":
            lambda f: np.full(2 * f, 0.5),
        "the peak lies on a pixel. The middle of 2 x factor pixels lies *between* two: at factor - 0.5.":
            [lambda f: 1 - _apart(f, 0) / f, lambda f: 1 - _apart(f, 1) / f],
        "divide the distance by the factor: there the neighbour's stamp has its middle.":
            [lambda f: 1 - _apart(f) / (2 * f), lambda f: 1 - _apart(f)],
        "that is the distance. The weight is 1 where it is 0, and falls.": lambda f: _apart(f) / f,
        "these weights sum to 1, so flat scores come out too low: each pixel lies under two stamps, whose weights sum "
        "to 1 there.": lambda f: _stamp(f) / _stamp(f).sum(),
        "one entry too few: a stamp spans 2 x factor pixels.": lambda f: _stamp(f)[:-1],
        "that is half of the stamp. It reaches to both sides.": lambda f: _stamp(f)[:f],
        "the square has both directions in it. One line is asked for.": lambda f: np.outer(_stamp(f), _stamp(f)),
        "that is the stamp for a factor of 2, whatever is asked.": lambda f: _stamp(2),
    },
)  # fmt: skip
