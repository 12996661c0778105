"""The exercises of notebook 06: luck, soft Dice."""

import numpy as np

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
