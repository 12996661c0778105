"""The exercises of notebook 06: luck, soft Dice, thresholds."""

import numpy as np

from covidlab.evaluation.counts import Counts
from covidlab.exercises.checking import Function, Number

_random = np.random.default_rng(6)
# Two slices with very different amounts of lesion, so that pooling shows.
_REFERENCE = (_random.random((2, 10, 10)) < np.array([0.05, 0.5])[:, None, None]).astype(float)
_PROBABILITY = np.clip(0.6 * _REFERENCE + _random.random(_REFERENCE.shape) * 0.4, 0, 1)


def _dice(r, p, squared=1, smooth=0):
    return (2 * (r * p).sum() + smooth) / ((r**squared).sum() + (p**squared).sum() + smooth)


check_soft_dice = Function(
    asked="A function (reference, probability) -> soft Dice loss of a batch, float arrays (slices, height, width).",
    right=lambda r, p: 1 - _dice(r, p),
    inputs=[(_REFERENCE, _PROBABILITY)],
    praise="one number for the whole batch, with a slope everywhere.",
    otherwise="two slices whose loss is {right:.3f} give {found:.3f}.",
    mistakes={
        "that is the score, 1 where all is right. A loss must be 0 there.": _dice,
        "that is minus the score, -1 where all is right. A loss must be 0 there.": lambda r, p: -_dice(r, p),
        "that adds 1 on top and below, to smooth. Here the sums stand alone.": lambda r, p: 1 - _dice(r, p, smooth=1),
        "a factor of two is missing: a perfect answer would cost one half.": lambda r, p: 1 - _dice(r, p) / 2,
        "that is built on IoU: its denominator counts the common part once only.":
            lambda r, p: 1 - (r * p).sum() / (r + p - r * p).sum(),
        "that thresholds first. A step has no slope to learn from.":
            [lambda r, p: 1 - _dice(r, p >= 0.5), lambda r, p: 1 - _dice(r, p > 0)],
        "that squares in the denominator, as V-Net [13] does.": lambda r, p: 1 - _dice(r, p, squared=2),
        "that is the mean over slices. Here the sums run over the whole batch.":
            lambda r, p: 1 - np.mean([_dice(*both) for both in zip(r, p)]),
        "that is soft recall: marking everything would cost nothing.": lambda r, p: 1 - (r * p).sum() / r.sum(),
        "that is soft precision: it never asks what was missed.": lambda r, p: 1 - (r * p).sum() / p.sum(),
    },
)  # fmt: skip

check_told_apart_by_luck = Number(
    asked="How often two trainings of one of two equal recipes, whichever it is, both end above both of the other.",
    right=1 / 3,
    tolerance=0.02,  # 0.33 will do
    praise="of six ways to deal four trainings out, two put one recipe on top. Once in three times, for nothing.",
    otherwise="of the six ways to deal four trainings to two recipes, how many put one recipe wholly on top?",
    mistakes={
        "that is for one recipe named beforehand. Either of the two may come out on top.": 1 / 6,
        "that is in percent. Give a fraction between 0 and 1.": 100 / 3,
        "that would be so with one pair. Here all four trainings have to lie right.": 1 / 2,
        "that takes the two pairs for independent tosses of a coin. Count the orders of all four.": 1 / 4,
        "that is a level of significance. Nobody has tested anything here.": 0.05,
        "that is one order of all four in 24. Which of two trainings of one recipe is higher does not matter.": 1 / 24,
        "with one training each some recipe is always on top. Here there are two each.": 1,
    },
)

_THRESHOLDS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
_COUNTS = [Counts(tp, fp, 100 - tp, 8900 - fp) for tp, fp in zip([100, 90, 80, 60, 10], [900, 200, 60, 20, 0])]


def _enough(thresholds, counts, wanted, score="recall"):
    return [threshold for threshold, one in zip(thresholds, counts) if getattr(one, score) >= wanted]


check_threshold_for_recall = Function(
    asked="A function (thresholds, counts, wanted) -> the highest threshold whose recall is at least the wanted one.",
    right=lambda *given: max(_enough(*given)),
    # 0.8 is exactly the recall at 0.5. For 0.65 the nearest recall, 0.6, falls short.
    inputs=[(_THRESHOLDS, _COUNTS, wanted) for wanted in (0.8, 0.65, 0.85)],
    praise="the highest threshold that still finds enough.",
    otherwise="for a recall of {2} it gives {found:.3g}; the highest threshold that reaches it is {right:g}.",
    mistakes={
        "that is the threshold's place in the list. Return the threshold itself.": lambda *g: len(_enough(*g)) - 1,
        "at least means that a recall of exactly the wanted one will do.": lambda t, c, r: max(_enough(t, c, r + 1e-9)),
        "that is the threshold with the nearest recall; it may fall short.":
            lambda t, c, r: t[np.argmin([abs(one.recall - r) for one in c])],
        "that reaches the recall, but so does a higher threshold, with fewer false pixels.":
            lambda *g: min(_enough(*g)),
        "that is one threshold too far: its recall is less than wanted.": lambda t, c, r: t[len(_enough(t, c, r))],
        "that is a recall, and none of the thresholds.":
            [lambda t, c, r: r, lambda t, c, r: min(one.recall for one in c if one.recall >= r)],
        "recall falls as the threshold rises. Is that precision?":
            [lambda *g: min(_enough(*g, score="precision")), lambda *g: max(_enough(*g, score="precision"))],
        "the answer is the same for each recall. Does it use `wanted`?":
            [lambda t, c, r: t[1], lambda t, c, r: t[2], lambda t, c, r: t[3]],
    },
)  # fmt: skip
