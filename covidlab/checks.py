"""Answers to the exercises, checked: right, or what kind of mistake it looks like.

A check takes an answer and returns one sentence; it never raises for a wrong answer and never shows the solution.
"""

from collections.abc import Callable, Sequence

import numpy as np

from covidlab.metrics import Counts, count

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


def check_empty_mask_accuracy(answer: float | None) -> str:
    """Check the accuracy of an empty mask on a slice of which 20 % is lesion (notebook 06).

    Parameters
    ----------
    answer : float
        A share, 0 to 1.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_empty_mask_accuracy(0.2)
    'Not quite: that is the share of pixels it gets wrong.'
    """
    if answer is None or answer is Ellipsis:
        return NOT_YET
    mistakes = {
        0.2: "that is the share of pixels it gets wrong.",
        80: "that is in percent. Give a share between 0 and 1.",
        0.0: "that is its recall. Accuracy counts the healthy pixels too.",
        0.999: "that is the slice with the smallest lesion, 0.1 %. The question is about the largest.",
        0.5: "an empty mask does not guess: it calls every pixel healthy.",
        1.0: "that would be a slice without lesion.",
    }
    if np.isclose(answer, 0.8):
        return "Right: four pixels in five are healthy, and it calls all of them so."
    for value, sentence in mistakes.items():
        if np.isclose(answer, value):
            return f"Not quite: {sentence}"
    return "Not quite: which pixels does an empty mask get right, and what share of the slice are they?"


def check_soft_dice(function: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check a function that computes the soft Dice loss, pooled over a batch (notebook 06).

    Parameters
    ----------
    function : callable (reference, probability) -> float
        Both are float arrays (slices, height, width); the reference holds 0 and 1, the probability 0..1.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_soft_dice(lambda r, p: 2 * (r * p).sum() / (r.sum() + p.sum()))
    'Not quite: that is the score, 1 where all is right. A loss must be 0 there.'
    """
    random = np.random.default_rng(6)
    # Two slices with very different amounts of lesion, so that pooling shows.
    reference = (random.random((2, 10, 10)) < np.array([0.05, 0.5])[:, None, None]).astype(float)
    probability = np.clip(0.6 * reference + random.random(reference.shape) * 0.4, 0, 1)
    try:
        found = function(reference.copy(), probability.copy())
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if found is None or found is Ellipsis:
        return NOT_YET
    if np.size(found) != 1:
        return f"Not quite: one number is expected, and it returns {np.size(found)}."

    def dice(r, p, squared=False):
        return 2 * (r * p).sum() / ((r**2).sum() + (p**2).sum() if squared else r.sum() + p.sum())

    right = 1 - dice(reference, probability)
    both, marked = (reference * probability).sum(), reference.sum() + probability.sum()
    by_slice = np.mean([dice(r, p) for r, p in zip(reference, probability)])
    mistakes = [
        (1 - right, "that is the score, 1 where all is right. A loss must be 0 there."),
        (1 - both / marked, "a factor of two is missing: a perfect answer would cost one half."),
        (1 - both / (marked - both), "that is built on IoU: its denominator counts the common part once only."),
        (1 - dice(reference, probability >= 0.5), "that thresholds first. A step has no slope to learn from."),
        (1 - dice(reference, probability, squared=True), "that squares in the denominator, as V-Net [13] does."),
        (1 - by_slice, "that is the mean over slices. Here the sums run over the whole batch."),
        (1 - both / reference.sum(), "that is soft recall: marking everything would cost nothing."),
        (1 - both / probability.sum(), "that is soft precision: it never asks what was missed."),
    ]
    if np.isclose(found, right):
        return "Right: one number for the whole batch, with a slope everywhere."
    for value, sentence in mistakes:
        if np.isclose(found, value):
            return f"Not quite: {sentence}"
    return f"Not quite: two slices whose loss is {right:.3f} give {float(found):.3f}."


def check_threshold_for_recall(function: Callable[[Sequence[float], Sequence[Counts], float], float]) -> str:
    """Check a function that chooses a threshold for a wanted recall (notebook 06).

    Parameters
    ----------
    function : callable (thresholds, counts, recall) -> float
        Thresholds increase; counts hold a `covidlab.metrics.Counts` for each. The highest threshold whose recall is
        at least the wanted one must come back.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_threshold_for_recall(lambda thresholds, counts, recall: thresholds[0])
    'Not quite: 0.1 reaches the recall, but so does a higher threshold, with fewer false pixels.'
    """
    thresholds = [0.1, 0.3, 0.5, 0.7, 0.9]
    found = [100, 90, 80, 60, 10]
    false = [900, 200, 60, 20, 0]
    counts = [Counts(tp, fp, 100 - tp, 8900 - fp) for tp, fp in zip(found, false)]
    wanted, right = 0.8, 0.5
    try:
        answer = function(list(thresholds), list(counts), wanted)
        other = function(list(thresholds), list(counts), 0.85)
    except Exception as error:  # an answer may fail in any way; the learner is told how
        return f"Not quite: it fails with {type(error).__name__}: {error}"
    if answer is None or answer is Ellipsis:
        return NOT_YET
    if np.size(answer) != 1:
        return f"Not quite: one threshold is expected, and it returns {np.size(answer)}."
    if isinstance(answer, Counts) or answer not in thresholds:
        if answer in range(len(thresholds)):
            return "Not quite: that is the threshold's place in the list. Return the threshold itself."
        return f"Not quite: {answer} is none of the thresholds."
    if answer == 0.3:
        return "Not quite: at least means that a recall of exactly the wanted one will do."
    if answer > right:
        return f"Not quite: at {answer} recall is {counts[thresholds.index(answer)].recall}, less than wanted."
    if answer < right:
        return f"Not quite: {answer} reaches the recall, but so does a higher threshold, with fewer false pixels."
    if other != 0.3:
        return f"Not quite: right for recall {wanted}, but for 0.85 it gives {other}. Does it use the wanted recall?"
    return "Right: the highest threshold that still finds enough."
