"""The exercises of notebook 02: grey values and Hounsfield units, patients in a split."""

from collections.abc import Callable

import numpy as np

from covidlab.exercises.checking import CHANGES, Number, ask

check_grey_to_hu = Number(
    asked="The CT number, HU, behind the grey value 153 of the record's window.",
    right=153 / 255 * 1500 - 1250,
    tolerance=0.012,  # within one step of grey
    praise="three fifths of the way from -1250 to 250 HU.",
    otherwise="find how far 153 is from 0 to 255, and go as far from -1250 to 250 HU.",
    mistakes={
        "that is the way up from black. Black itself is -1250 HU.": 153 / 255 * 1500,
        "that counts down from white. 0 is black, and black is -1250 HU.": 250 - 153 / 255 * 1500,
        "that takes black for -1000 and white for 0. The record's window is wider.": 153 / 255 * 1000 - 1000,
        "that takes black for -1250 and white for 0. White is 250 HU.": 153 / 255 * 1250 - 1250,
        "a step of grey is not 1 HU: 255 steps span 1500 HU.": 153 - 1250,
        "the sign: less than water is negative.": 350,
        "that is the share of the way from black to white. Now in HU.": 153 / 255,
    },
)

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
