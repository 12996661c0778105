"""Checks of the exercises of notebook 04: receptive fields."""

from collections.abc import Callable

import numpy as np

from covidlab.exercises import checking


def check_bottleneck_field(answer: int | None) -> str:
    """Check the receptive field at the end of the light U-Net's bottleneck (notebook 04).

    Parameters
    ----------
    answer : int
        Pixels a side, after four times (two 3 x 3 convolutions, one 2 x 2 pooling) and two more convolutions.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_bottleneck_field(16)
    'Not quite: that is the stride, how far two places lie apart. Each of them sees much more.'
    """
    from covidlab.models.receptive_field import reach_after  # TensorFlow takes seconds

    if problem := checking.no_number(answer):
        return problem
    levels = [(3, 1), (3, 1), (2, 2)] * 4
    right, stride = reach_after([*levels, (3, 1), (3, 1)])
    halfway = reach_after([*levels, (3, 1)])[0]
    mistakes = {
        stride: "that is the stride, how far two places lie apart. Each of them sees much more.",
        reach_after(levels)[0]: "that is before the bottleneck's own two convolutions, 2 x 16 pixels each.",
        halfway: "either one of the two convolutions is missing, or each adds 16 in place of (3 - 1) x 16.",
        1 + 2 * 10 + 4: "that forgets the strides: after a pooling, a step on the map is worth twice as many pixels.",
        reach_after(levels)[0] + 2 + 2: "a step in the bottleneck is worth its stride, 16 pixels.",
        1 + 2 * 10: "that forgets the poolings: they see a pixel more themselves, and double every later step.",
        reach_after([(3, 1), (3, 1), (1, 2)] * 4 + [(3, 1), (3, 1)])[0]: "a pooling of 2 x 2 sees a place more itself.",
        right - 1: "start from 1: a pixel sees itself.",
        reach_after(levels[:9] + [(3, 1), (3, 1)])[0]: "that is after three levels. There are four.",
        reach_after([(3, 1), (2, 2)] * 4 + [(3, 1), (3, 1)])[0]: "each level has two convolutions, not one.",
    }
    if answer == right:
        return "Right: 140 pixels, more than a slice of 128 has."
    return "Not quite: " + mistakes.get(answer, "add (kernel - 1) x stride layer by layer; poolings double the stride.")


def check_receptive_field(function: Callable[[list[tuple[int, int]]], int]) -> str:
    """Check a function that computes a receptive field from kernels and steps (notebook 04).

    Parameters
    ----------
    function : callable (list of (kernel, step)) -> int

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_receptive_field(lambda windows: 1 + sum(kernel - 1 for kernel, step in windows))
    'Not quite: that forgets the steps. After a pooling, one place further on the map is two pixels further.'
    """
    from covidlab.models.receptive_field import reach_after  # TensorFlow takes seconds

    windows = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 3), (5, 1)]  # a step of 3, for not every pooling halves
    found, problem = checking.ask_for_numbers(lambda: function(list(windows)))
    nothing, problem_without = checking.ask_for_numbers(lambda: function([]))
    if problem:
        return problem
    if np.ndim(found):
        return "Not quite: one number is expected. Return the field alone, without the stride."
    right, stride = reach_after(windows)
    too_early = with_kernel = step_before = 1
    for kernel, step in windows:
        too_early += (kernel - 1) * step_before * step
        with_kernel += kernel * step_before
        step_before *= step
    mistakes = [
        (1 + sum(k - 1 for k, _ in windows),
         "that forgets the steps. After a pooling, one place further on the map is two pixels further."),
        (too_early, "the stride grows too early: a layer's own step counts only for the layers after it."),
        (with_kernel, "a kernel of k places reaches k - 1 places further, not k."),
        (right - 1, "start from 1: without any layer, a pixel sees itself."),
        (stride, "that is the stride, not the field."),
        (1 + sum((k - 1) * step for k, step in windows),
         "each layer counts with its own step. What counts is the product of all steps before it."),
        (windows[0][0], "that is the first layer alone. Does `return` stand inside the loop?"),
    ]  # fmt: skip
    if mistake := checking.named(mistakes, lambda value: found == value):
        return mistake
    if found != right:
        return f"Not quite: {windows} sees {right} pixels; yours says {found:g}."
    if problem_without not in ("", checking.NOTHING_BACK):
        return problem_without.replace("it fails", "without any layer it fails")
    if not np.array_equal(nothing, 1):
        return f"Not quite: without any layer a pixel sees itself, 1; yours says {nothing}."
    return checking.right("also without any layer.", function, windows)
