"""Checks of the exercises of notebook 06: accuracy, soft Dice, thresholds."""

from collections.abc import Callable, Sequence

import numpy as np

from covidlab.evaluation.counts import Counts
from covidlab.exercises import checking


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
    if problem := checking.no_number(answer):
        return problem
    mistakes = {
        0.2: "that is the share of pixels it gets wrong.",
        20: "that is the share of pixels it gets wrong, and in percent.",
        80: "that is in percent. Give a share between 0 and 1.",
        0.0: "that is its recall. Accuracy counts the healthy pixels too.",
        0.999: "that is the slice with the smallest lesion, 0.1 %. The question is about the largest.",
        0.5: "an empty mask does not guess: it calls every pixel healthy.",
        1.0: "that would be a slice without lesion.",
    }
    if np.isclose(answer, 0.8):
        return "Right: four pixels in five are healthy, and it calls all of them so."
    if np.isclose(answer, 0.99, rtol=0, atol=0.002):  # rounded as one likes, and apart from 0.999
        return "Not quite: that is the accuracy over all slices of the notebook. The question is about a very full one."
    if mistake := checking.named(mistakes.items(), lambda value: np.isclose(answer, value)):
        return mistake
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
    found, problem = checking.ask_for_numbers(lambda: function(reference.copy(), probability.copy()))
    if "bitwise_and" in problem:
        return f"{problem}. Probabilities are floats: multiply instead of `&`."
    if problem:
        return problem
    if np.size(found) != 1:
        return f"Not quite: one number is expected, and it returns {np.size(found)}."

    def dice(r, p, squared=False):
        return 2 * (r * p).sum() / ((r**2).sum() + (p**2).sum() if squared else r.sum() + p.sum())

    right = 1 - dice(reference, probability)
    both, marked = (reference * probability).sum(), reference.sum() + probability.sum()
    by_slice = np.mean([dice(r, p) for r, p in zip(reference, probability)])
    mistakes = [
        (1 - right, "that is the score, 1 where all is right. A loss must be 0 there."),
        (right - 1, "that is minus the score, -1 where all is right. A loss must be 0 there."),
        (1 - (2 * both + 1) / (marked + 1), "that adds 1 on top and below, to smooth. Here the sums stand alone."),
        (1 - both / marked, "a factor of two is missing: a perfect answer would cost one half."),
        (1 - both / (marked - both), "that is built on IoU: its denominator counts the common part once only."),
        (1 - dice(reference, probability >= 0.5), "that thresholds first. A step has no slope to learn from."),
        (1 - dice(reference, probability, squared=True), "that squares in the denominator, as V-Net [13] does."),
        (1 - by_slice, "that is the mean over slices. Here the sums run over the whole batch."),
        (1 - both / reference.sum(), "that is soft recall: marking everything would cost nothing."),
        (1 - both / probability.sum(), "that is soft precision: it never asks what was missed."),
    ]
    if np.isclose(found, right):
        sentence = "one number for the whole batch, with a slope everywhere."
        return checking.right(sentence, function, reference, probability)
    if mistake := checking.named(mistakes, lambda value: np.isclose(found, value)):
        return mistake
    return f"Not quite: two slices whose loss is {right:.3f} give {found.item():.3f}."


def check_threshold_for_recall(function: Callable[[np.ndarray, Sequence[Counts], float], float]) -> str:
    """Check a function that chooses a threshold for a wanted recall (notebook 06).

    Parameters
    ----------
    function : callable (thresholds, counts, recall) -> float
        Thresholds are an array, and increase; counts hold an `evaluation.Counts` for each. The highest threshold
        whose recall is at least the wanted one must come back.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_threshold_for_recall(lambda thresholds, counts, recall: thresholds[0])
    'Not quite: 0.1 reaches the recall, but so does a higher threshold, with fewer false pixels.'
    """
    thresholds = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    found = [100, 90, 80, 60, 10]
    false = [900, 200, 60, 20, 0]
    counts = [Counts(tp, fp, 100 - tp, 8900 - fp) for tp, fp in zip(found, false)]
    first = None
    for wanted, right in ((0.8, 0.5), (0.65, 0.5), (0.85, 0.3)):
        question = lambda wanted=wanted: function(thresholds.copy(), list(counts), wanted)  # noqa: E731
        answer, problem = checking.ask_for_numbers(question)
        if problem:
            return problem
        if answer.size != 1:
            return f"Not quite: one threshold is expected, and it returns {answer.size}."
        answer = answer.item()
        if answer not in thresholds:
            if answer in range(len(thresholds)):
                return "Not quite: that is the threshold's place in the list. Return the threshold itself."
            what = "a recall, and " if answer in [one.recall for one in counts] else ""
            return f"Not quite: {answer} is {what}none of the thresholds."
        if wanted == 0.8 and answer == 0.3:
            return "Not quite: at least means that a recall of exactly the wanted one will do."
        if wanted == 0.65 and answer == 0.7:  # recall 0.6; that of 0.5 is 0.8
            return "Not quite: that is the threshold with the nearest recall; it may fall short."
        if answer > right:
            recall = counts[thresholds.tolist().index(answer)].recall
            return f"Not quite: at {answer} recall is {recall}, less than wanted ({wanted})." + (
                " The answer is the same as for 0.8. Does it use `wanted`?" if answer == first else ""
            )
        if answer < right:
            return f"Not quite: {answer} reaches the recall, but so does a higher threshold, with fewer false pixels."
        first = answer
    return checking.right("the highest threshold that still finds enough.", function, thresholds, counts, 0.8)
