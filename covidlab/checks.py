"""Answers to the exercises, checked: right, or what kind of mistake it looks like.

A check takes an answer and returns one sentence; it never raises for a wrong answer and never shows the solution.
"""

from collections.abc import Callable

import numpy as np

from covidlab import paper
from covidlab.metrics import count
from covidlab.patches import patch_count
from covidlab.receptive_field import reach_after

NOT_YET = "Not yet: there is no answer to check."


def check_bottleneck_weights(answer: int | None) -> str:
    """Check the number of weights of the second convolution in the light U-Net's bottleneck (notebook 05).

    Parameters
    ----------
    answer : int
        Trainable numbers of a 3 x 3 convolution from 128 to 128 feature maps without bias.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_bottleneck_weights(128 * 128)
    'Not quite: that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.'
    """
    if answer is None or answer is Ellipsis:
        return NOT_YET
    maps = 128
    mistakes = {
        3 * 3 * maps * maps + maps: "that counts a bias. The batch normalisation that follows brings its own.",
        maps * maps: "that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.",
        3 * 3 * maps: "that is one kernel for each map. Each of the 128 new maps looks at all 128 old ones.",
        3 * 3 * 64 * maps: "that is the first of the two convolutions: 64 maps go in. 128 go into the second.",
        3 * maps * maps: "a kernel of 3 x 3 pixels has nine weights, not three.",
    }
    if answer == 3 * 3 * maps * maps:
        return "Right: 3 x 3 pixels, 128 maps in, 128 maps out."
    return "Not quite: " + mistakes.get(answer, "multiply pixels of the kernel, maps that go in, maps that come out.")


def check_f1(function: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check a function that computes F1 from two masks (notebook 05).

    Parameters
    ----------
    function : callable (reference, prediction) -> float
        Both masks are bool arrays of the same shape. Where neither holds a pixel, it must return nan.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_f1(lambda reference, prediction: (reference == prediction).mean())
    'Not quite: that is accuracy. F1 leaves true negatives out.'
    """
    random = np.random.default_rng(7)
    reference, prediction = random.random((2, 12, 12)) < np.array([0.2, 0.35])[:, None, None]
    nothing = np.zeros((12, 12), bool)
    try:
        found = function(reference.copy(), prediction.copy())
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if found is None or found is Ellipsis:
        return NOT_YET
    if np.size(found) != 1:
        return f"Not quite: one number is expected, and it returns {np.size(found)}."
    pooled = count(reference, prediction)
    mistakes = [
        (pooled.accuracy, "that is accuracy. F1 leaves true negatives out."),
        (pooled.iou, "that is IoU. F1 counts the pixels that both masks hold twice."),
        (pooled.precision, "that is precision: it never asks what was missed."),
        (pooled.recall, "that is recall: it never asks what was marked falsely."),
        ((pooled.precision + pooled.recall) / 2, "that is the plain mean of precision and recall. F1 is the harmonic."),
        (pooled.f1 / 2, "a factor of two is missing."),
    ]
    for value, sentence in mistakes:
        if np.isclose(found, value):
            return f"Not quite: {sentence}"
    if not np.isclose(found, pooled.f1):
        return f"Not quite: two masks with an F1 of {pooled.f1:.3f} give {float(found):.3f}."
    try:
        with np.errstate(all="ignore"):
            empty, missed = function(nothing, nothing), function(reference, nothing)
    except ZeroDivisionError:
        return "Not quite: two masks without a pixel divide by zero. Return nan: such a pair has no F1."
    if not np.isnan(empty):
        return f"Not quite: two masks without a pixel give {float(empty):.3f}. Return nan: such a pair has no F1."
    if missed != 0:
        return f"Not quite: a prediction without a pixel gives {float(missed):.3f} where all of a lesion is missed."
    return "Right: also where one mask or both hold no pixel."


def check_window_count(answer: int | None) -> str:
    """Check how many windows of 11 x 11 lie wholly inside a slice of 128 x 128 (notebook 03).

    Parameters
    ----------
    answer : int

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_window_count(128 * 128)
    'Not quite: that is a window around every pixel. Near the border a window would stick out.'
    """
    if answer is None or answer is Ellipsis:
        return NOT_YET
    right = patch_count(128, 128)
    mistakes = {
        128**2: "that is a window around every pixel. Near the border a window would stick out.",
        117**2: "one short on each side: 128 - 11 counts the steps between windows, not the windows.",
        123**2: "5 pixels are lost at one edge, and 5 more at the edge across.",
        106**2: "that takes 11 pixels away at each edge. The centre is only 5 pixels from its window's edge.",
        (128 // 11) ** 2: "that many fit beside each other. But they overlap: each starts one pixel further.",
        118: "that is one row of windows.",
        paper.PATCHES_PER_SLICE: "that is the paper's slice of 630 x 630. This one has 128 x 128 pixels.",
    }
    if answer == right:
        return "Right: 118 rows of 118 windows."
    return "Not quite: " + mistakes.get(answer, "count the rows in which a window's centre may lie, then the columns.")


def check_true_share(function: Callable[[np.ndarray, float], np.ndarray]) -> str:
    """Check a function that takes a probability learnt from balanced windows back to the true share (notebook 03).

    Parameters
    ----------
    function : callable (balanced, share) -> probability
        `balanced` is an array of probabilities from a model half of whose training windows were lesion, `share` the
        share of lesion where the model is used.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_true_share(lambda balanced, share: balanced * share)
    'Not quite: the two classes no longer sum to one. Divide by their sum.'
    """
    balanced, share = np.linspace(0.1, 0.9, 9), 0.2
    try:
        found = function(balanced.copy(), share)
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if found is None or found is Ellipsis:
        return NOT_YET
    if np.shape(found) != balanced.shape:
        return f"Not quite: {len(balanced)} probabilities go in, and something of shape {np.shape(found)} comes out."
    lesion, healthy = balanced * share, (1 - balanced) * (1 - share)
    mistakes = [
        (lesion, "the two classes no longer sum to one. Divide by their sum."),
        (balanced, "nothing changes. Among balanced windows lesion is far more frequent than in a slice."),
        (balanced * (1 - share) / (balanced * (1 - share) + (1 - balanced) * share), "the shares are swapped."),
        (lesion / healthy, "that is the odds, lesion against healthy. A probability is lesion against both."),
        (lesion / (lesion + 1 - balanced), "only lesion has been weighed. Healthy windows became more frequent too."),
        (balanced * 2 * share, "that may rise above one. Weigh both classes, then divide by their sum."),
    ]
    for value, sentence in mistakes:
        if np.allclose(found, value):
            return f"Not quite: {sentence}"
    if not np.allclose(found, lesion / (lesion + healthy)):
        return f"Not quite: 0.5 at a share of 0.2 must become 0.2; yours becomes {float(np.asarray(found)[4]):.3f}."
    return "Right: and at a share of one half it changes nothing."


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
    if answer is None or answer is Ellipsis:
        return NOT_YET
    levels = [(3, 1), (3, 1), (2, 2)] * 4
    right, stride = reach_after([*levels, (3, 1), (3, 1)])
    mistakes = {
        stride: "that is the stride, how far two places lie apart. Each of them sees much more.",
        reach_after(levels)[0]: "that is before the bottleneck's own two convolutions, 2 x 16 pixels each.",
        reach_after([*levels, (3, 1)])[0]: "one more: the bottleneck has two convolutions.",
        1 + 2 * 10 + 4: "that forgets the strides: after a pooling, a step on the map is worth twice as many pixels.",
        1 + 2 * 10: "that forgets the poolings: they see a pixel more themselves, and double every later step.",
        reach_after([(3, 1), (3, 1), (1, 2)] * 4 + [(3, 1), (3, 1)])[0]: "a pooling of 2 x 2 sees a place more itself.",
    }
    if answer == right:
        return "Right: 140 pixels, more than a slice of 128 has."
    return "Not quite: " + mistakes.get(answer, "add (kernel - 1) x stride layer by layer; a pooling doubles it.")


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
    windows = [(3, 1), (3, 1), (2, 2), (3, 1), (2, 2), (5, 1)]
    try:
        found, nothing = function(list(windows)), function([])
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if found is None or found is Ellipsis:
        return NOT_YET
    if np.size(found) != 1:
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
    ]  # fmt: skip
    for value, sentence in mistakes:
        if found == value:
            return f"Not quite: {sentence}"
    if found != right:
        return f"Not quite: {windows} sees {right} pixels; yours says {found}."
    if nothing != 1:
        return f"Not quite: without any layer a pixel sees itself, 1; yours says {nothing}."
    return "Right: also without any layer."
