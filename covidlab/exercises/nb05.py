"""Checks of the exercises of notebook 05: numbers of weights, F1."""

from collections.abc import Callable

import numpy as np

from covidlab.evaluation.counts import count
from covidlab.exercises import checking


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
    if problem := checking.no_number(answer):
        return problem
    maps = 128
    mistakes = {
        3 * 3 * maps * maps + maps: "that counts a bias. The batch normalisation that follows brings its own.",
        maps * maps: "that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.",
        3 * 3 * maps: "that is one kernel for each map. Each of the 128 new maps looks at all 128 old ones.",
        3 * 3 * 64 * maps: "that is the first of the two convolutions: 64 maps go in. 128 go into the second.",
        3 * maps * maps: "a kernel of 3 x 3 pixels has nine weights, not three.",
        3 * 3 * maps * maps * 4: "that is in bytes, four a weight. Count the weights.",
        3 * 3 * maps * maps * 8 * 8: "that counts them anew at each of 8 x 8 positions. All share the same weights.",
        3 * 3 * (64 + maps) * maps: "those are both convolutions. Only the second is asked for.",
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
    found, problem = checking.ask_for_numbers(lambda: function(reference.copy(), prediction.copy()))
    if problem:
        return problem
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
        (pooled.f1 * 100, "that is in percent. F1 is a share."),
    ]
    if mistake := checking.named(mistakes, lambda value: np.isclose(found, value)):
        return mistake
    if not np.isclose(found, pooled.f1):
        return f"Not quite: two masks with an F1 of {pooled.f1:.3f} give {found.item():.3f}."
    edges = [
        ((nothing, nothing), "for two masks without a pixel. Return nan: such a pair has no F1."),
        ((reference, nothing), "for a prediction without a pixel, where all of a lesion is missed. Here F1 is 0."),
        ((nothing, prediction), "for a reference without a pixel, where all that is marked is false. Here F1 is 0."),
    ]
    for masks, sentence in edges:
        with np.errstate(all="ignore"):
            found, problem = checking.ask_for_numbers(lambda masks=masks: function(*map(np.copy, masks)))
        if "ZeroDivisionError" in problem:
            return f"Not quite: it divides by zero {sentence}"
        if problem == checking.NOTHING_BACK:
            return f"Not quite: it returns nothing {sentence}"
        if problem:
            return problem
        if found.size != 1:
            return f"Not quite: it gives {found.size} numbers {sentence}"
        if not (np.isnan(found) if masks[0] is masks[1] else found == 0):
            return f"Not quite: it gives {found.item():.3f} {sentence}"
    return checking.right("also where one mask or both hold no pixel.", function, reference, prediction)
