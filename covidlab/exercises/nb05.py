"""The exercises of notebook 05: the way up, F1, the area that precision and recall imply."""

import numpy as np

from covidlab.evaluation.counts import count
from covidlab.exercises.checking import Function, Number

check_way_up = Number(
    asked="The weights of the light U-Net without batch normalisation, at widths 8, 16, 32, 64 and 128.",
    right=485_673,
    unanswered=295_033,  # the way down and the last layer
    praise="485,673 weights, so the way up has all its layers.",
    otherwise="on each level, the sides double to `maps` maps, the skip joins them, and two convolutions follow.",
    mistakes={
        "the sides double, but the skip and the two convolutions are missing.": 338_553,
        "no half of the maps comes from the skip. Is it missing, or added? Concatenate it.": 436_713,
        "one convolution a level. There are two.": 436_593,
        "three convolutions a level. There are two.": 534_753,
        "no convolution follows the skip. There are two a level.": 349_313,
        "the two convolutions come before the skip. Concatenate first.": 447_473,
        "the sides double without weights. A transposed convolution learns how.": 490_993,
        "a kernel of the transposed convolution has 2 x 2 pixels.": [453_033, 540_073, 616_233],
        "the transposed convolution gives `maps` maps, not twice as many.": 578_273,
        "the two convolutions give `maps` maps, not twice as many.": 741_473,
    },
)

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
