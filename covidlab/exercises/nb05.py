"""The exercises of notebook 05: what the skips carry, F1, the area that precision and recall imply."""

import numpy as np

from covidlab.evaluation.counts import count
from covidlab.exercises.checking import Function, Number

# Maps and side of what each skip carries, from the uppermost on, and of the bottleneck.
_SKIPS, _BOTTLENECK = [(8, 128), (16, 64), (32, 32), (64, 16)], 128 * 8**2


def _numbers(levels):
    return sum(maps * side**2 for maps, side in levels)


check_skip_numbers = Number(
    asked="How many numbers the light U-Net's four skips carry for each one that its bottleneck holds, at 128 pixels.",
    right=_numbers(_SKIPS) / _BOTTLENECK,
    praise="245,760 against 8,192.",
    otherwise="a level holds maps x side x side numbers. Add up the four skips, then divide by the bottleneck.",
    mistakes={
        "that is skip 1 alone. There are four.": _numbers(_SKIPS[:1]) / _BOTTLENECK,
        "that is the other way round.": _BOTTLENECK / _numbers(_SKIPS),
        "that compares numbers of maps. A map of the bottleneck is far smaller than one of skip 1.":
            sum(maps for maps, _ in _SKIPS) / 128,
        "that compares numbers of positions. The bottleneck has more maps at each.":
            sum(side**2 for _, side in _SKIPS) / 8**2,
        "that is all that the skips carry. Now divide by what the bottleneck holds.": _numbers(_SKIPS),
        "that is for each pixel of the slice. The bottleneck holds half as many numbers.": _numbers(_SKIPS) / 128**2,
        "the skips leave before the pooling, so their maps are twice as large a side.":
            _numbers(_SKIPS) / 4 / _BOTTLENECK,
        "that is the bottleneck before its convolutions: 64 maps go in, 128 come out.":
            2 * _numbers(_SKIPS) / _BOTTLENECK,
        "there are four poolings, not five: the bottleneck has 8 x 8 positions.": 4 * _numbers(_SKIPS) / _BOTTLENECK,
        "that counts the bottleneck, too. Only the skips are asked for.": _numbers(_SKIPS) / _BOTTLENECK + 1,
    },
)  # fmt: skip

_REFERENCE, _PREDICTION = np.random.default_rng(7).random((2, 12, 12)) < np.array([0.2, 0.35])[:, None, None]
_NOTHING = np.zeros((12, 12), bool)


def _f1(reference, prediction):
    return count(reference, prediction).f1


check_f1 = Function(
    asked="A function (reference, prediction) -> F1 of two bool arrays; nan where neither holds a pixel.",
    right=_f1,
    inputs=[(_REFERENCE, _PREDICTION)],
    edges={
        "for two masks without a pixel. Return nan: such a pair has no F1.": (_NOTHING, _NOTHING),
        "for a prediction without a pixel, where all of a lesion is missed. Here F1 is 0.": (_REFERENCE, _NOTHING),
        "for a reference without a pixel, where all that is marked is false. Here F1 is 0.": (_NOTHING, _PREDICTION),
    },
    praise="also where one mask or both hold no pixel.",
    otherwise="two masks with an F1 of {right:.3f} give {found:.3f}.",
    mistakes={
        "that is accuracy. F1 leaves true negatives out.": lambda r, p: count(r, p).accuracy,
        "that is IoU. F1 counts the pixels that both masks hold twice.": lambda r, p: count(r, p).iou,
        "that is precision: it never asks what was missed.": lambda r, p: count(r, p).precision,
        "that is recall: it never asks what was marked falsely.": lambda r, p: count(r, p).recall,
        "that is the plain mean of precision and recall. F1 is the harmonic.":
            lambda r, p: (count(r, p).precision + count(r, p).recall) / 2,
        "a factor of two is missing.": lambda r, p: _f1(r, p) / 2,
        "that is in percent. F1 is a share.": lambda r, p: _f1(r, p) * 100,
        "that is the F1 of the background.": lambda r, p: _f1(~r, ~p),
        "that is the mean over rows. Count the pixels of the whole mask first.":
            lambda r, p: np.nanmean([_f1(*rows) for rows in zip(r, p)]),
    },
)  # fmt: skip

PRECISION, RECALL = 0.6, 0.75

check_area_of_scores = Number(
    asked="Marked area over the reference's, of a network with precision 0.60 and recall 0.75.",
    right=RECALL / PRECISION,
    tolerance=0.002,
    praise="tp / precision is what is marked, tp / recall what should be, and tp cancels.",
    otherwise="what is marked is tp / precision, and what should be marked is tp / recall.",
    mistakes={
        "that is the other way round, what should be marked over what is.": PRECISION / RECALL,
        "that multiplies the two. Both have tp on top: divide, and it cancels.": PRECISION * RECALL,
        "that is F1. It is at most 1, and an area can be too large.": 2 * PRECISION * RECALL / (PRECISION + RECALL),
        "that is the difference of the two. Ask for a ratio of areas.": [RECALL - PRECISION, 1 + RECALL - PRECISION],
        "that is recall alone: it leaves out what is marked falsely.": RECALL,
        "that is the fraction of the marked pixels that is false.": 1 - PRECISION,
        "that is in percent. Give a ratio, which is 1 for equal areas.": 100 * RECALL / PRECISION,
    },
)
