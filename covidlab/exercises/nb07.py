"""The exercises of notebook 07: specks, and intervals over patients."""

import numpy as np
from scipy import ndimage

from covidlab.exercises.checking import Function


def _pieces(mask, keep, corners=False):
    """The pieces of a mask whose sizes, in pixels, are to be kept; pixels that touch by a side are one piece."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    sizes = np.bincount(labels.ravel())
    return (labels > 0) & keep(sizes)[labels]


def _without_specks(mask, least):
    return _pieces(mask, lambda sizes: sizes >= least)


# Pieces of 9, 4, 3 and 1 pixels; the last two touch by a corner.
_SPECKS = np.zeros((9, 9), bool)
_SPECKS[1:4, 1:4] = _SPECKS[6:8, 6:8] = _SPECKS[0, 5:8] = _SPECKS[1, 8] = True

check_without_specks = Function(
    asked="A function (mask, least) -> the mask without pieces of fewer than `least` pixels, bool of the same shape.",
    right=_without_specks,
    inputs=[(_SPECKS, least) for least in (1, 4, 5)],
    praise="each piece is judged by its own size.",
    otherwise="with `least` {1} it gives {found:g} where {right:g} is expected.",
    edges={"for an empty mask": (np.zeros((4, 4), bool), 2)},
    mistakes={
        "a piece of exactly `least` pixels stays: only smaller ones go.":
            lambda mask, least: _pieces(mask, lambda sizes: sizes > least),
        "the small pieces are left, and the large ones are gone.":
            lambda mask, least: _pieces(mask, lambda sizes: sizes < least),
        "only the largest piece is left. Each piece that is large enough stays.":
            lambda mask, least: _pieces(mask, lambda sizes: np.arange(len(sizes)) == sizes[1:].argmax() + 1),
        "nothing is taken away.": lambda mask, least: mask,
        "everything or nothing is taken away: the size of each piece counts, not that of the whole mask.":
            lambda mask, least: mask & (mask.sum() >= 4 * least),
        "pixels that touch only by a corner are two pieces, as `ndimage.label` takes them.":
            lambda mask, least: _pieces(mask, lambda sizes: sizes >= least, corners=True),
        "what is not marked has the number 0, and is no piece: it has become lesion.":
            lambda mask, least: _without_specks(mask, least) | ~mask,
        "these are the numbers of the pieces. Return True and False.":
            lambda mask, least: ndimage.label(mask)[0] * _without_specks(mask, least),
    },
)  # fmt: skip


# Twenty slices each of twelve patients; each patient's slices are alike, and the typical mistakes far apart.
_RANDOM = np.random.default_rng(11)
_LESION = _RANDOM.poisson(np.repeat([70, 200, 390, 350, 340, 430, 90, 340, 130, 80, 110, 820], 20))
_TP = _RANDOM.binomial(_LESION, np.repeat(np.linspace(0.15, 0.9, 12), 20))
_SLICES = (np.repeat([f"patient {k:02d}" for k in range(12)], 20), _TP, _RANDOM.poisson(0.2 * _LESION), _LESION - _TP)


def _f1(counts):
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    return 2 * tp / (2 * tp + fp + fn)


def _pooled(times, rows):
    return _f1(times @ rows)


def _interval(patients, tp, fp, fn, random, score=_pooled, ends=(2.5, 97.5)):
    """Of the scores of many drawings, so that the ends of our own are sure; a drawing takes each row so many times."""
    rows = np.array([[one[patients == name].sum() for one in (tp, fp, fn)] for name in np.unique(patients)])
    times = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), 20_000)
    return np.percentile(score(times, rows), ends)


check_patient_interval = Function(
    asked="A function (patients, tp, fp, fn, random) -> (low, high), a bootstrap interval of 95 % over patients.",
    right=_interval,
    inputs=[(*_SLICES, np.random.default_rng(3))],
    tolerance=0.0125,  # two thousand drawings leave the ends uncertain by about this much
    praise="whole patients were drawn, and their pixels pooled.",
    otherwise="it gives {found[0]:.2f} to {found[1]:.2f}; about {right[0]:.2f} to {right[1]:.2f} is expected.",
    mistakes={
        "that is as narrow as an interval over slices, which are alike in one patient. Draw patients, as many as there "
        "are, and take all slices of each.":
            lambda patients, *rest: _interval(np.arange(len(patients)), *rest),
        "that is too narrow. Whoever is drawn twice has to count twice, with all slices.":
            lambda *g: _interval(*g, score=lambda times, rows: _pooled(times > 0, rows)),
        "that leaves out 5 % on each side: it is a 90 % interval.": lambda *g: _interval(*g, ends=(5, 95)),
        "these are quartiles: half of the drawings lie outside.": lambda *g: _interval(*g, ends=(25, 75)),
        "np.percentile counts to 100, np.quantile to 1.": lambda *g: _interval(*g, ends=(0.025, 0.975)),
        "low comes first, then high.": lambda *g: _interval(*g)[::-1],
        "F1 is a share, at most 1. Is that in percent?": lambda *g: 100 * _interval(*g),
        "it gives nan. Each patient here has lesion, so each drawing has an F1.": lambda *g: (np.nan, np.nan),
        "that is a mean of scores, of patients or of slices. Pooled F1 adds up pixels first.":
            lambda *g: _interval(*g, score=lambda times, rows: times @ _f1(rows) / len(rows)),
        "these are the worst and the best patient, as if each drawing had one. It has as many patients as there are.":
            lambda *g: _interval(*g, score=lambda times, rows: _f1(rows), ends=(0, 100)),
        "all drawings give the same F1. With replacement a patient may come twice, or not at all.":
            lambda *g: _interval(*g, score=lambda times, rows: _f1(rows.sum(axis=0))),
    },
)  # fmt: skip
