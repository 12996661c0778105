"""The exercise of notebook 10: slices that adaptation may be scored on."""

import numpy as np

from covidlab.exercises.checking import Function


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
