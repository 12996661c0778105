"""The exercises of notebook 02: patients in a split, and what leaks."""

from collections.abc import Callable

import numpy as np

from covidlab.exercises.checking import CHANGES, Number, ask

check_smallest_thumbnail = Number(
    asked="The side of the smallest thumbnail that still guesses nine coins in ten by slice: 16, 8, 4, 2 or 1.",
    right=2,
    praise="four numbers per slice are enough to recognise the patient.",
    otherwise="one of 16, 8, 4, 2 and 1 is expected.",
    mistakes={
        "that is the thumbnail of the lesson. Try smaller ones.": 16,
        "smaller ones do it, too.": [8, 4],
        "one number per slice guesses more than half of the coins, but not nine in ten.": 1,
    },
)

check_hidden_leak = Number(
    asked="The numbers of the two scans of one person: that in training, and that in test.",
    right=(4, 9),
    praise="these two lie nearest, by far. Their names would have told, but names can be taken away.",
    otherwise="another pair lies much nearer. For each scan in test, find the nearest one in training.",
    mistakes={
        "the right pair. The one in training comes first.": (9, 4),
        "these two are alike as strangers are: look how far apart they lie.":
            [(first, second) for first in range(1, 8) for second in (8, 9, 10) if (first, second) != (4, 9)],
    },
)  # fmt: skip

_PATIENTS = np.array(["1", "1", "1", "10", "10", "4", "4", "1", "7", "4", "10"])
_HELD_OUT = ["4", "1"]


def check_patient_split(function: Callable) -> str:
    """A function (patients, test_patients) -> (train, test) that holds out whole patients.

    `patients` is the patient of each slice, a str array; `test_patients` a list of str. Both parts are positions.
    """
    found, problem, changes = ask(function, (_PATIENTS, _HELD_OUT))
    problem = problem or _not_positions(found) or _not_a_split(*(np.asarray(part, int) for part in found))
    return problem or (CHANGES if changes else "Right: every slice in one part, every patient on one side.")


def _not_positions(found) -> str:
    """What is said where the answer is not two rows of positions; or ""."""
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Not quite: two arrays are expected, train and test."
    parts, problem, _ = ask(lambda: [np.asarray(part) for part in found], ())
    for part in parts or []:
        if part.ndim != 1:
            shapes = f"{parts[0].shape} and {parts[1].shape}"
            return (f"Not quite: two rows of positions are expected; these have the shapes {shapes}. "
                    "What np.where returns is a tuple: take its first part.")  # fmt: skip
        if part.dtype == bool:
            return "Not quite: that is a yes or no for each slice. Positions are expected: np.flatnonzero makes them."
        if part.size and part.dtype.kind not in "iu":
            return "Not quite: positions are whole numbers; these are something else, perhaps the patients' names."
        if part.size and not 0 <= part.min() <= part.max() < len(_PATIENTS):
            return f"Not quite: there are {len(_PATIENTS)} slices, so positions go from 0 to {len(_PATIENTS) - 1}."
    return problem


def _not_a_split(train: np.ndarray, test: np.ndarray) -> str:
    """What is said where the positions are no split by patient; or ""."""
    held_out = np.isin(_PATIENTS, _HELD_OUT)
    if [sorted(train), sorted(test)] == [list(np.flatnonzero(held_out)), list(np.flatnonzero(~held_out))]:
        return "Not quite: train and test have changed places."
    tested = sorted(set(_PATIENTS[test]))
    if leaking := sorted(set(_PATIENTS[train]) & set(tested)):
        who = f"patient {leaking[0]} stands" if len(leaking) == 1 else f"patients {', '.join(leaking)} stand"
        return f"Not quite: {who} on both sides: that leaks."
    if "10" in tested:
        return "Not quite: patient 10 was not to be held out. Is it taken for patient 1?"
    if tested != sorted(_HELD_OUT):
        names = ", ".join(tested) or "none"
        return f"Not quite: patients {', '.join(_HELD_OUT)} were to be held out; patients in test: {names}."
    if absent := len(_PATIENTS) - len({*train, *test}):
        return f"Not quite: no patient leaks, but {absent} of {len(_PATIENTS)} slices are in neither part."
    return "Not quite: a slice stands twice in a part." if len(train) + len(test) > len(_PATIENTS) else ""
