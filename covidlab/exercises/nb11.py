"""The exercises of notebook 11: dates that are shifted, and people who stand alone in a table."""

import numpy as np

from covidlab.exercises.checking import Function

_DAYS = np.array([18324, 18338, 18330, 18401, 18415, 18360])
_PATIENTS = np.array([0, 0, 1, 2, 2, 1])


def _shifted(days, patients, offsets):
    return days - offsets[patients]


def _since_first(days, patients, offsets):
    return days - np.array([days[patients == patient].min() for patient in patients])


check_shifted_days = Function(
    asked="A function (days, patients, offsets) -> the days, moved back by the offset of each scan's patient.",
    right=_shifted,
    inputs=[(_DAYS, _PATIENTS, np.array([42600, 41975, 43911])), (_DAYS[::-1], _PATIENTS[::-1], np.arange(3) + 40000)],
    praise="the intervals of each patient stay, and two patients share nothing.",
    otherwise="{found.size} days is the right number, but they are not the right ones.",
    mistakes={
        "that is one offset for everybody. Who finds one patient's true date has them all.":
            [lambda d, p, o, k=k: d - o[k] for k in range(3)],
        "each scan has an offset of its own, so the intervals of a patient change.":
            lambda d, p, o: d - o[np.arange(len(d)) % len(o)],
        "the days moved forward. BIDS wants them back, before 1925.": lambda d, p, o: d + o[p],
        "these are the offsets, one a scan. Take them off the days.": lambda d, p, o: o[p],
        "nothing moved.": lambda d, p, o: d,
        "these are days since each patient's first scan. They hide dates, too, but here the offsets are asked for.":
            _since_first,
    },
)  # fmt: skip


def _counts(people):
    return np.unique(people, axis=0, return_counts=True)[1]


_PEOPLE = np.array([[34, 0, 3], [34, 0, 3], [34, 1, 3], [71, 1, 5], [71, 1, 6], [52, 0, 1], [52, 0, 1], [52, 0, 1]])

check_people_alone = Function(
    asked="A function (people) -> how many rows of the table occur only once.",
    right=lambda people: (_counts(people) == 1).sum(),
    inputs=[(_PEOPLE,), (np.array([[1, 2, 3], [1, 2, 4], [5, 2, 3], [1, 2, 3], [9, 9, 9]]),)],
    praise="a table without names can still point at these people.",
    otherwise="it gives {found:g} where {right:g} stand alone.",
    mistakes={
        "that is how many different rows there are. Some of these occur several times.": lambda p: len(_counts(p)),
        "these are the people who do not stand alone.": lambda p: len(p) - (_counts(p) == 1).sum(),
        "that is a fraction. A number of people is asked for.": lambda p: (_counts(p) == 1).mean(),
        "that is a fraction of the people. Their number is asked for.": lambda p: (_counts(p) == 1).sum() / len(p),
        "that is the size of the smallest group.": lambda p: _counts(p).min(),
        "single numbers are compared. A person is a whole row: `axis=0`.": lambda p: (
            np.unique(p, return_counts=True)[1] == 1).sum(),
        "only the first column is compared. All three together point at a person.": lambda p: (
            np.unique(p[:, 0], return_counts=True)[1] == 1).sum(),
    },
)  # fmt: skip
