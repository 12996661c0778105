"""Checks of the exercises of notebook 08: 8 bits, slices that adaptation may be scored on."""

from collections.abc import Callable

import numpy as np

from covidlab.exercises import checking


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
    if problem := checking.no_number(answer):
        return problem
    weights = 486_441 / 1e6
    mistakes = [
        (4 * weights, "that is 4 bytes a weight. Eight bits are one byte."),
        (8 * weights, "that is 8 bytes a weight. Eight bits are one byte."),
        (2 * weights, "that is 2 bytes a weight. Eight bits are one byte."),
        (weights / 2, "that is half a byte a weight. Eight bits are one byte."),
        (weights / 8, "that is one bit a weight. Here each has eight, and eight bits are one byte."),
        (weights * 1e6 / 2**20, "that is in units of 2^20 bytes. Here a megabyte is a million bytes."),
        (weights * 1000, "that is in kilobytes. A megabyte is a million bytes."),
        (weights * 1e6, "that is in bytes. A megabyte is a million bytes."),
    ]
    if np.isclose(answer, weights, rtol=0.03):
        return "Right: one byte a weight. The file adds names and scales, and keeps biases in 32 bits."
    if mistake := checking.named(mistakes, lambda value: np.isclose(answer, value, rtol=0.05)):
        return mistake
    return "Not quite: count the weights, then ask how many bytes one of them takes."


def check_scored_slices(function: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """Check a function that says which slices of a patient may be scored after adaptation (notebook 08).

    Parameters
    ----------
    function : callable (slices, annotated, gap) -> slices
        All are slice numbers, whole and in increasing order; they may jump. It must leave out every slice whose number
        is at most `gap` away from that of an annotated one, on either side.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_scored_slices(lambda slices, annotated, gap: np.setdiff1d(slices, annotated))
    'Not quite: neighbours of annotated slices are scored. With a gap of 2, two on either side are left out.'
    """
    # Numbers 52 to 54 are missing, close to an annotated slice: place in the array is not place in the body.
    slices, annotated = np.r_[40:52, 55:70], np.array([41, 50, 58])

    def right(gap: int) -> np.ndarray:
        return slices[np.abs(slices[:, None] - annotated).min(axis=1) > gap]

    answers, problem = checking.ask(lambda: [function(slices.copy(), annotated.copy(), gap) for gap in (2, 0)])
    if problem:
        return problem
    if any(map(checking.missing, answers)):
        return checking.NOTHING_BACK
    answers, problem = checking.ask(lambda: [np.asarray(answer) for answer in answers])
    if problem:
        return problem
    found, without_gap = answers
    if found.dtype == bool:
        return "Not quite: that is a mask of True and False. Return the slices themselves: slices[mask]."
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        return "Not quite: one list or array is expected, with the numbers of the slices to score."
    if np.array_equal(found, right(2)):
        if np.array_equal(without_gap, right(0)):
            sentence = "neither an annotated slice nor one that lies too near to it."
            return checking.right(sentence, function, slices, annotated, 2)
        return "Not quite: with a gap of 0, only the annotated slices themselves are left out."
    ahead, behind = slices[:, None] - annotated, annotated - slices[:, None]
    places = np.arange(len(slices))[:, None] - np.searchsorted(slices, annotated)
    mistakes = [
        (annotated, "these are the annotated slices. They are what training saw; return the others."),
        (np.setdiff1d(slices, right(2)), "these are the slices to leave out. Return the others."),
        (slices, "nothing is left out. The annotated slices have been trained on."),
        (right(0), "neighbours of annotated slices are scored. With a gap of 2, two on either side are left out."),
        (right(1), "one slice too few is left out. A slice exactly `gap` away is still too near."),
        (right(3), "one slice too many is left out. A slice `gap` + 1 away may be scored."),
        (slices[np.abs(places).min(axis=1) > 2], "that goes by place in the array; slice numbers may jump."),
        (np.searchsorted(slices, right(2)), "those are places in the array. Return the slices that stand there."),
        (np.union1d(right(2), annotated), "the annotated slices themselves are still there. Training saw them."),
        (slices[~((ahead >= -2) & (ahead < 2)).any(axis=1)], "a slice exactly `gap` above an annotated one is still "
         "there. Does a range end too early?"),
        (slices[~((ahead >= 0) & (ahead <= 2)).any(axis=1)], "only the slices above are left out. Look below, too."),
        (slices[~((behind >= 0) & (behind <= 2)).any(axis=1)], "only the slices below are left out. Look above, too."),
    ]
    if mistake := checking.named(mistakes, lambda value: np.array_equal(found, value)):
        return mistake
    if found.shape == right(2).shape and np.array_equal(np.sort(found), right(2)):
        return "Not quite: these are the right slices in another order. Keep them increasing."
    kept = np.intersect1d(found, annotated)
    return f"Not quite: {len(found)} slices are returned, {len(kept)} of them annotated; {len(right(2))} may be scored."
