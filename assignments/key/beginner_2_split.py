"""Hidden tests of beginner_2_split: who leaks, folds of patients, the nearest slice."""

import numpy as np

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def leaking(patients, train, test):
    return test[np.isin(patients[test], patients[train])]


def fold_of(patients, folds):
    return np.unique(patients, return_inverse=True)[1] % folds


def nearest(test, train):
    return _distances(test.astype(float), train.astype(float)).argmin(1)


def _distances(test, train, measure=np.abs):
    return np.array([[measure(one - other).mean() for other in train] for one in test])


def _met(patients):
    """Patients numbered as they are first met."""
    names, first, place = np.unique(patients, return_index=True, return_inverse=True)
    return first.argsort().argsort()[place]


def parts(random):
    cohorts = [np.repeat(random.permutation(40)[:9] + 3, random.integers(2, 7, 9)) for _ in range(3)]
    shuffled = [random.permutation(len(patients)) for patients in cohorts]
    splits = [(patients, order[6:], order[:6]) for patients, order in zip(cohorts, shuffled)]
    pictures = [(random.integers(0, 256, (12, 4, 4), np.uint8), random.integers(0, 256, (25, 4, 4), np.uint8))
                for _ in range(3)]  # fmt: skip
    alone = (np.array([5, 5, 7, 8]), np.array([0, 1]), np.array([2, 3]))
    return (
        Part("leaking", 3, Function(
            asked="(patients, train, test) -> positions of the test slices whose patient also trains, in test's order.",
            right=leaking, inputs=splits, praise="", otherwise="other positions are expected.",
            edges={"where nobody leaks (an empty array is right)": alone},
            mistakes={
                "these are the patients, and positions of slices are asked.": lambda p, a, b: p[leaking(p, a, b)],
                "these are places within `test`, and positions in `patients` are asked.":
                    Worth(2, lambda p, a, b: np.flatnonzero(np.isin(p[b], p[a]))),
                "these are the slices of training.": lambda p, a, b: leaking(p, b, a),
                "these are the slices that do not leak.": lambda p, a, b: b[~np.isin(p[b], p[a])],
                "that is a yes or no for each slice of `test`.": Worth(2, lambda p, a, b: np.isin(p[b], p[a])),
                "the right slices, in another order than in `test`.":
                    Worth(2, lambda p, a, b: np.sort(leaking(p, a, b))),
            })),
        Part("fold_of", 4, Function(
            asked="(patients, folds) -> the fold of each slice: patients in order, dealt out 0, 1, ... and 0 again.",
            right=fold_of, inputs=[(cohorts[0], 4), (cohorts[1], 3), (cohorts[2], 5)], praise="",
            otherwise="patient {0} is in fold {found:g} where {right:g} is expected.",
            edges={"for more folds than patients": (np.array([4, 4, 9]), 5)},
            mistakes={
                "slices are dealt out, so a patient lies in several folds: that leaks.":
                    lambda p, k: np.arange(len(p)) % k,
                "patients are dealt out in the order of the slices, and their own order was asked.":
                    Worth(3, lambda p, k: _met(p) % k),
                "the patient's own number decides, so folds are of unequal size.": Worth(2, lambda p, k: p % k),
                "these are patients numbered from 0: deal them out to the folds.":
                    lambda p, k: np.unique(p, return_inverse=True)[1],
                "whole runs of patients go to a fold; they were to be dealt out one by one.":
                    Worth(2, lambda p, k: np.unique(p, return_inverse=True)[1] * k // len(np.unique(p))),
                "folds are counted from 0.": Worth(3, lambda p, k: fold_of(p, k) + 1),
            })),
        Part("nearest", 3, Function(
            asked="(test, train) -> for each test picture the number of the training picture with the least mean "
                  "absolute difference; uint8 arrays of pictures, rows, columns.",
            right=nearest, inputs=pictures, praise="", otherwise="other pictures lie nearest.",
            mistakes={
                "pictures are uint8, where 3 - 5 is 254: turn them into floats first.":
                    Worth(2, lambda a, b: _distances(a, b).argmin(1)),
                "these are the nearest by squared difference; the absolute one is asked.":
                    Worth(2, lambda a, b: _distances(a.astype(float), b.astype(float), np.square).argmin(1)),
                "the mean greys are compared, not pixel with pixel.":
                    lambda a, b: np.abs(a.mean((1, 2))[:, None] - b.mean((1, 2))).argmin(1),
                "differences above and below cancel: take their absolute values.":
                    lambda a, b: (a.mean((1, 2))[:, None] - b.mean((1, 2))).argmin(1),
                "these are distances, and the number of the nearest is asked.":
                    Worth(2, lambda a, b: _distances(a.astype(float), b.astype(float)).min(1)),
                "these are the farthest.": lambda a, b: _distances(a.astype(float), b.astype(float)).argmax(1),
                "for each training picture the nearest test picture is there, and the other way round is asked.":
                    Worth(2, lambda a, b: nearest(b, a)),
            })),
    )  # fmt: skip
