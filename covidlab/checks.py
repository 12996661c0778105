"""Answers to the exercises, checked: right, or what kind of mistake it looks like.

A check takes an answer and returns one sentence; it never raises for a wrong answer and never shows the solution.
"""

from collections.abc import Callable

import numpy as np

from covidlab.metrics import count

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


def check_int8_megabytes(answer: float | None) -> str:
    """Check the predicted size of the light U-Net's weights as 8-bit numbers (notebook 08).

    Parameters
    ----------
    answer : float
        Megabytes (10^6 bytes) of its 486,441 weights alone.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_int8_megabytes(1.95)
    'Not quite: that is 4 bytes a weight. Eight bits are one byte.'
    """
    if answer is None or answer is Ellipsis:
        return NOT_YET
    weights = 486_441 / 1e6
    mistakes = [
        (4 * weights, "that is 4 bytes a weight. Eight bits are one byte."),
        (8 * weights, "that is 8 bytes a weight. Eight bits are one byte."),
        (2 * weights, "that is 2 bytes a weight. Eight bits are one byte."),
        (weights / 2, "that is half a byte a weight. Eight bits are one byte."),
        (weights * 1000, "that is in kilobytes. A megabyte is a million bytes."),
        (weights * 1e6, "that is in bytes. A megabyte is a million bytes."),
    ]
    if np.isclose(answer, weights, rtol=0.05):
        return "Right: one byte a weight. The file adds names, scales and biases."
    for value, sentence in mistakes:
        if np.isclose(answer, value, rtol=0.1):
            return f"Not quite: {sentence}"
    return "Not quite: count the weights, then ask how many bytes one of them takes."


def check_scored_slices(function: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """Check a function that says which slices of a patient may be scored after adaptation (notebook 08).

    Parameters
    ----------
    function : callable (slices, annotated, gap) -> slices
        All are positions, whole numbers in increasing order. It must leave out every slice that lies within `gap`
        slices of an annotated one, on either side.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_scored_slices(lambda slices, annotated, gap: np.setdiff1d(slices, annotated))
    'Not quite: neighbours of annotated slices are scored. With a gap of 2, two on either side are left out.'
    """
    slices, annotated = np.arange(40, 70), np.array([41, 50, 58])

    def right(gap: int) -> np.ndarray:
        return slices[np.abs(slices[:, None] - annotated).min(axis=1) > gap]

    try:
        found, without_gap = (function(slices.copy(), annotated.copy(), gap) for gap in (2, 0))
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if found is None or found is Ellipsis:
        return NOT_YET
    found = np.asarray(found)
    if found.dtype == bool:
        return "Not quite: that is a mask of True and False. Return the positions: slices[mask]."
    if np.array_equal(found, right(2)):
        if np.array_equal(np.asarray(without_gap), right(0)):
            return "Right: neither an annotated slice nor one that lies too near to it."
        return "Not quite: with a gap of 0, only the annotated slices themselves are left out."
    ahead, behind = slices[:, None] - annotated, annotated - slices[:, None]
    mistakes = [
        (annotated, "these are the annotated slices. They are what training saw; return the others."),
        (np.setdiff1d(slices, right(2)), "these are the slices to leave out. Return the others."),
        (slices, "nothing is left out. The annotated slices have been trained on."),
        (right(0), "neighbours of annotated slices are scored. With a gap of 2, two on either side are left out."),
        (right(1), "one slice too few is left out. A slice exactly `gap` away is still too near."),
        (right(3), "one slice too many is left out. A slice `gap` + 1 away may be scored."),
        (slices[~((ahead >= 0) & (ahead <= 2)).any(axis=1)], "only the slices above are left out. Look below, too."),
        (slices[~((behind >= 0) & (behind <= 2)).any(axis=1)], "only the slices below are left out. Look above, too."),
    ]
    for value, sentence in mistakes:
        if np.array_equal(found, value):
            return f"Not quite: {sentence}"
    if found.shape == right(2).shape and np.array_equal(np.sort(found), right(2)):
        return "Not quite: these are the right slices in another order. Keep them increasing."
    kept = np.intersect1d(found, annotated)
    return f"Not quite: {len(found)} slices are returned, {len(kept)} of them annotated; {len(right(2))} may be scored."
