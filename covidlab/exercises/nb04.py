"""The exercises of notebook 04: receptive fields."""

from math import prod

from covidlab.exercises.checking import Function, Number


def _field(windows):
    # As `models.reach_after` does; that module brings TensorFlow, which takes seconds.
    field = 1
    for kernel, step in reversed(windows):
        field = (field - 1) * step + kernel
    return field


_LEVEL, _BOTTLENECK = [(3, 1), (3, 1), (2, 2)], [(3, 1), (3, 1)]

check_bottleneck_field = Number(
    asked="The receptive field at the end of the light U-Net's bottleneck, pixels a side.",
    right=_field(4 * _LEVEL + _BOTTLENECK),
    praise="140 pixels, more than a slice of 128 has.",
    otherwise="add (kernel - 1) x stride layer by layer; poolings double the stride.",
    mistakes={
        "that is the stride, how far two places lie apart. Each of them sees much more.": 2**4,
        "that is before the bottleneck's own two convolutions, 2 x 16 pixels each.": _field(4 * _LEVEL),
        "either one of the two convolutions is missing, or each adds 16 in place of (3 - 1) x 16.":
            _field(4 * _LEVEL + [(3, 1)]),
        "that forgets the strides: after a pooling, a step on the map is worth twice as many pixels.": 1 + 2 * 10 + 4,
        "a step in the bottleneck is worth its stride, 16 pixels.": _field(4 * _LEVEL) + 2 + 2,
        "that forgets the poolings: they see a pixel more themselves, and double every later step.": 1 + 2 * 10,
        "a pooling of 2 x 2 sees a place more itself.": _field(4 * [(3, 1), (3, 1), (1, 2)] + _BOTTLENECK),
        "start from 1: a pixel sees itself.": _field(4 * _LEVEL + _BOTTLENECK) - 1,
        "that is after three levels. There are four.": _field(3 * _LEVEL + _BOTTLENECK),
        "each level has two convolutions, not one.": _field(4 * [(3, 1), (2, 2)] + _BOTTLENECK),
    },
)  # fmt: skip


def _with_each_step(windows, add):
    """Adds up `add(kernel, step, stride of all layers before)`, from 1 on."""
    return 1 + sum(add(*window, prod(step for _, step in windows[:k])) for k, window in enumerate(windows))


check_receptive_field = Function(
    asked="A function (list of (kernel, step)) -> int, the receptive field of these layers in a row.",
    right=_field,
    inputs=[([(3, 1), (3, 1), (2, 2), (3, 1), (3, 3), (5, 1)],)],  # a step of 3, for not every pooling halves
    edges={"without any layer. There a pixel sees itself, 1.": ([],)},
    praise="also without any layer.",
    otherwise="{0} sees {right:g} pixels; yours says {found:g}.",
    mistakes={
        "that forgets the steps. After a pooling, one place further on the map is two pixels further.":
            lambda windows: _with_each_step(windows, lambda kernel, step, stride: kernel - 1),
        "the stride grows too early: a layer's own step counts only for the layers after it.":
            lambda windows: _with_each_step(windows, lambda kernel, step, stride: (kernel - 1) * stride * step),
        "a kernel of k places reaches k - 1 places further, not k.":
            lambda windows: _with_each_step(windows, lambda kernel, step, stride: kernel * stride),
        "start from 1: without any layer, a pixel sees itself.": lambda windows: _field(windows) - 1,
        "that is the stride, not the field.": lambda windows: prod(step for _, step in windows),
        "one number is expected. Return the field alone, without the stride.":
            lambda windows: (_field(windows), prod(step for _, step in windows)),
        "each layer counts with its own step. What counts is the product of all steps before it.":
            lambda windows: _with_each_step(windows, lambda kernel, step, stride: (kernel - 1) * step),
        "that is the first layer alone. Does `return` stand inside the loop?": lambda windows: windows[0][0],
    },
)  # fmt: skip
