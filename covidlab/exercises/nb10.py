"""The exercises of notebook 10: the interval of a paired difference, and slices that adaptation may be scored on."""

import numpy as np

from covidlab.exercises.checking import Function

_RANDOM = np.random.default_rng(10)
# Of twelve patients, four have several volumes; their gains are alike in a patient, and scores far apart.
_PATIENTS = np.repeat(np.arange(12), [1, 1, 6, 1, 1, 5, 1, 1, 4, 1, 3, 1])
_BEFORE = np.linspace(0.1, 0.5, 12)[_PATIENTS] + _RANDOM.uniform(-0.03, 0.03, len(_PATIENTS))
_GAIN = np.array([0.05, 0.12, 0.46, 0.1, -0.04, 0.4, 0.02, 0.2, 0.42, -0.1, 0.38, 0.15])[_PATIENTS]


def _gains(before, after, patients):
    """The mean gain of each patient."""
    return np.array([(after - before)[patients == name].mean() for name in np.unique(patients)])


def _drawn(values, random, ends=(2.5, 97.5)):
    return np.percentile(random.choice(values, (20_000, len(values))).mean(axis=1), ends)


def _paired(before, after, patients, random, ends=(2.5, 97.5)):
    """Of many drawings, so that the ends of our own are sure."""
    return _drawn(_gains(before, after, patients), random, ends)


def _apart(before, after, patients, random):
    """The difference of means of two drawings, as if each recipe had been tested on patients of its own."""
    each = [_gains(0 * one, one, patients) for one in (before, after)]
    drawn = [random.choice(one, (20_000, len(one))).mean(axis=1) for one in each]
    return np.percentile(drawn[1] - drawn[0], [2.5, 97.5])


def _with_all_volumes(before, after, patients, random):
    """Patients are drawn, but one with five volumes counts five times."""
    sizes = np.array([(patients == name).sum() for name in np.unique(patients)])
    times = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), 20_000)
    return np.percentile(times @ (sizes * _gains(before, after, patients)) / (times @ sizes), [2.5, 97.5])


check_paired_interval = Function(
    asked="A function (before, after, patients, random) -> (low, high), a 95 % interval of the mean gain of a patient.",
    right=_paired,
    inputs=[(_BEFORE, _BEFORE + _GAIN, _PATIENTS, np.random.default_rng(4))],
    tolerance=0.0125,  # two thousand drawings leave the ends uncertain by about this much
    praise="the pairs were kept, and patients were drawn, each with one mean.",
    otherwise="it gives {found[0]:.2f} to {found[1]:.2f}; about {right[0]:.2f} to {right[1]:.2f} is expected.",
    mistakes={
        "that draws volumes, which are alike in one patient. First take the mean of each patient's differences.":
            lambda before, after, patients, random: _paired(before, after, np.arange(len(patients)), random),
        "that counts a patient with five volumes five times. Each patient gives one mean.": _with_all_volumes,
        "that is as wide as if each recipe had patients of its own. Subtract first, then draw once.": _apart,
        "that is `before` minus `after`. A gain is positive.": lambda b, a, *rest: _paired(a, b, *rest),
        "that is the interval of `after`, not of what it gains.": lambda b, a, *rest: _paired(0 * b, a, *rest),
        "that is the interval of `before`. Subtract it from `after`.": lambda b, a, *rest: _paired(0 * b, b, *rest),
        "that leaves out 5 % on each side: it is a 90 % interval.": lambda *g: _paired(*g, ends=(5, 95)),
        "these are quartiles: half of the drawings lie outside.": lambda *g: _paired(*g, ends=(25, 75)),
        "np.percentile counts to 100, np.quantile to 1.": lambda *g: _paired(*g, ends=(0.025, 0.975)),
        "low comes first, then high.": lambda *g: _paired(*g)[::-1],
        "these are the worst and the best patient. Draw as many as there are, and take the mean of each drawing.":
            [lambda *g: np.percentile(_gains(*g[:3]), [2.5, 97.5]), lambda *g: np.percentile(_gains(*g[:3]), [0, 100])],
        "all drawings have the same mean. With replacement a patient may come twice, or not at all.":
            lambda *g: np.full(2, _gains(*g[:3]).mean()),
    },
)  # fmt: skip


def _far(slices, annotated, gap):
    return slices[np.abs(slices[:, None] - annotated).min(axis=1) > gap]


def _not_in_range(slices, annotated, low, high):
    """Leaves out what lies from `low` to just before `high` of an annotated slice."""
    ahead = slices[:, None] - annotated
    return slices[~((ahead >= low) & (ahead < high)).any(axis=1)]


def _far_in_the_array(slices, annotated, gap):
    return slices[_far(np.arange(len(slices)), np.searchsorted(slices, annotated), gap)]


check_scored_slices = Function(
    asked="A function (slices, annotated, gap) -> the slices further than `gap` numbers from every annotated one.",
    right=_far,
    # Numbers 52 to 54 are missing, close to an annotated slice: place in the array is not place in the body.
    inputs=[(np.r_[40:52, 55:70], np.array([41, 50, 58]), gap) for gap in (2, 0)],
    praise="neither an annotated slice nor one that lies too near to it.",
    otherwise="{found.size} slices is the right number, but they are not the right ones.",
    mistakes={
        "these are the annotated slices. They are what training saw; return the others.": lambda s, a, gap: a,
        "these are the slices to leave out. Return the others.": lambda *g: np.setdiff1d(g[0], _far(*g)),
        "nothing is left out. The annotated slices have been trained on.": lambda s, a, gap: s,
        "neighbours of annotated slices are scored. With a gap of 2, two on either side are left out.":
            lambda s, a, gap: _far(s, a, 0),
        "one slice too few is left out. A slice exactly `gap` away is still too near.":
            lambda s, a, gap: _far(s, a, gap - 1),
        "one slice too many is left out. A slice `gap` + 1 away may be scored.": lambda s, a, gap: _far(s, a, gap + 1),
        "with a gap of 0, only the annotated slices themselves are left out.": lambda s, a, gap: _far(s, a, 2),
        "that goes by place in the array; slice numbers may jump.": _far_in_the_array,
        "those are places in the array. Return the slices that stand there.":
            lambda *g: np.flatnonzero(np.isin(g[0], _far(*g))),
        "that is a mask of True and False. Return the slices themselves: slices[mask].":
            [lambda *g: np.isin(g[0], _far(*g)), lambda s, a, gap: np.abs(s[:, None] - a) > gap],
        "the annotated slices themselves are still there. Training saw them.":
            lambda s, a, gap: np.union1d(_far(s, a, gap), a),
        "a slice exactly `gap` above an annotated one is still there. Does a range end too early?":
            lambda s, a, gap: _not_in_range(s, a, -gap, gap),
        "only the slices above are left out. Look below, too.": lambda s, a, gap: _not_in_range(s, a, 0, gap + 1),
        "only the slices below are left out. Look above, too.": lambda s, a, gap: _not_in_range(s, a, -gap, 1),
        "these are the right slices in another order. Keep them increasing.": lambda *g: _far(*g)[::-1],
        "only the first annotated slice keeps others away. Each of them has to.": lambda s, a, gap: _far(s, a[:1], gap),
    },
)  # fmt: skip
