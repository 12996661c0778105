"""Hidden tests of core_2_judge: pooled and mean F1, a careful threshold, slices."""

import numpy as np

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def pooled_and_mean(tp, fp, fn):
    some = tp + fp + fn > 0
    return _f1(tp.sum(), fp.sum(), fn.sum()), _f1(tp[some], fp[some], fn[some]).mean()


def careful(probability, reference, thresholds, least):
    for threshold in sorted(thresholds):
        marked = probability >= threshold
        if marked.any() and reference[marked].mean() >= least:
            return threshold
    return np.nan


def by_slice(reference, prediction):
    sick = reference.any((1, 2))
    return (reference & prediction).any((1, 2))[sick].mean(), (~prediction.any((1, 2)))[~sick].mean()


def _f1(tp, fp, fn):
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)


def _with_empty(as_score):
    def wrong(tp, fp, fn):
        scores = np.where(tp + fp + fn > 0, _f1(tp, fp, fn), as_score)
        return _f1(tp.sum(), fp.sum(), fn.sum()), scores.mean()

    return wrong


def _any_mark(reference, prediction):
    sick = reference.any((1, 2))
    return prediction.any((1, 2))[sick].mean(), (~prediction.any((1, 2)))[~sick].mean()


def _scan(random):
    """A steady fall of precision with the threshold, and both ends of the list out of reach."""
    probability = random.integers(0, 21, (5, 9, 9)) / 20
    return probability, random.random(probability.shape) < probability**2


def parts(random):
    counts = [random.integers(0, 90, (3, 7)) for _ in range(3)]
    for one in counts:
        one[:, 2] = 0
    scans = [_scan(random) for _ in range(3)]
    steps = [k / 20 for k in (3, 17, 7, 19, 11, 13, 15)]  # in no order
    masks = []
    for _ in range(3):
        reference, prediction = random.random((2, 14, 6, 6)) < 0.06
        reference[::2] = prediction[1::4] = prediction[2::4] = False
        reference[3] = reference[5] = False
        reference[3, 0, 0] = prediction[3, 5, 5] = True  # marked beside the lesion
        prediction[5] = reference[7]
        masks.append((reference, prediction))
    return (
        Part("pooled_and_mean", 4, Function(
            asked="(tp, fp, fn), counts of each volume -> pooled F1, and the mean of the volumes' F1; a volume with "
                  "neither reference nor mark is left out of the mean.",
            right=pooled_and_mean, inputs=[tuple(one) for one in counts], praise="",
            otherwise="another pair is expected.",
            mistakes={
                "the pooled one comes first.": Worth(3, lambda *c: pooled_and_mean(*c)[::-1]),
                "an empty volume counts as 0 in the mean, and is to be left out.": Worth(3, _with_empty(0)),
                "an empty volume counts as 1 in the mean, and is to be left out.": Worth(3, _with_empty(1)),
                "both are pooled.": Worth(2, lambda *c: (pooled_and_mean(*c)[0],) * 2),
                "both are means.": Worth(1, lambda *c: (pooled_and_mean(*c)[1],) * 2),
                "these are precisions.": lambda tp, fp, fn: pooled_and_mean(tp, fp, fp),
                "these are recalls.": lambda tp, fp, fn: pooled_and_mean(tp, fn, fn),
            })),
        Part("careful", 3, Function(
            asked="(probability, reference, thresholds, least) -> the lowest of the thresholds at which precision is "
                  "at least `least`; a pixel at the threshold is marked; nan where there is none.",
            right=careful, inputs=[(*scan, steps, least) for scan, least in zip(scans, (0.5, 0.6, 0.7))], praise="",
            otherwise="it gives {found:g} for {right:g}.",
            edges={"where no threshold is careful enough (nan is right)": (*scans[0], steps[1:4], 0.999)},
            mistakes={
                "the first of the list that will do is there; it is in no order, and the lowest is asked.":
                    Worth(2, lambda p, r, ts, least: next((t for t in ts if r[p >= t].mean() >= least), np.nan)),
                "that is the highest threshold of all.": lambda p, r, ts, least: max(ts),
                "that is the lowest threshold of all.": lambda p, r, ts, least: min(ts),
                "that is the threshold with the best F1.": lambda p, r, ts, least: max(
                    ts, key=lambda t: 2 * (r & (p >= t)).sum() / (r.sum() + (p >= t).sum())),
                "that is precision, and its threshold is asked.":
                    Worth(2, lambda p, r, ts, least: r[p >= careful(p, r, ts, least)].mean()),
            })),
        Part("by_slice", 3, Function(
            asked="(reference, prediction), bool, slices first -> of the slices with lesion the fraction in which some "
                  "lesion pixel is marked; of those without, the fraction left empty.",
            right=by_slice, inputs=masks, praise="", otherwise="another pair is expected.",
            mistakes={
                "a mark beside the lesion is no find: some lesion pixel has to be marked.": Worth(2, _any_mark),
                "the second one is the fraction that is marked, and left empty is asked.":
                    Worth(2, lambda r, p: (by_slice(r, p)[0], 1 - by_slice(r, p)[1])),
                "slices with lesion come first.": Worth(2, lambda r, p: by_slice(r, p)[::-1]),
                "these are fractions of pixels, and slices are counted.":
                    lambda r, p: (p[r].mean(), (~p)[~r].mean()),
                "each is divided by all slices: of those with lesion, and of those without.":
                    Worth(1, lambda r, p: ((r & p).any((1, 2)).mean(), (~p.any((1, 2)) & ~r.any((1, 2))).mean())),
            })),
    )  # fmt: skip
