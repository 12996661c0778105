"""The exercises of notebook 05: numbers of weights, F1, the area that precision and recall imply."""

import numpy as np

from covidlab.evaluation.counts import count
from covidlab.exercises.checking import Function, Number

MAPS = 128

check_bottleneck_weights = Number(
    asked="The number of weights of the second 3 x 3 convolution in the light U-Net's bottleneck, without biases.",
    right=9 * MAPS**2,
    praise="3 x 3 pixels, 128 maps in, 128 maps out.",
    otherwise="multiply pixels of the kernel, maps that go in, maps that come out.",
    mistakes={
        "that counts the biases, too. Count the kernels only.": 9 * MAPS**2 + MAPS,
        "that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.": MAPS**2,
        "that is one kernel for each map. Each of the 128 new maps looks at all 128 old ones.": 9 * MAPS,
        "that is the first of the two convolutions: 64 maps go in. 128 go into the second.": 9 * 64 * MAPS,
        "a kernel of 3 x 3 pixels has nine weights, not three.": 3 * MAPS**2,
        "that is in bytes, four a weight. Count the weights.": 4 * 9 * MAPS**2,
        "that counts them anew at each of 8 x 8 positions. All share the same weights.": 64 * 9 * MAPS**2,
        "those are both convolutions. Only the second is asked for.": 9 * (64 + MAPS) * MAPS,
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
