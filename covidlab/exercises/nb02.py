"""Checks of the exercises of notebook 02: grey values and Hounsfield units, patients in a split."""

from collections.abc import Callable

import numpy as np

from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU
from covidlab.exercises import checking


def check_grey_to_hu(answer: float | None) -> str:
    """Check the CT number behind the grey value 153 of the record's window (notebook 02).

    Parameters
    ----------
    answer : float
        HU.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_grey_to_hu(900)
    'Not quite: that is the way up from black. Black itself is -1250 HU.'
    """
    if problem := checking.no_number(answer):
        return problem
    grey, lowest, span = 153, LOWEST_HU, HIGHEST_HU - LOWEST_HU
    mistakes = [
        (grey / 255 * span, "that is the way up from black. Black itself is -1250 HU."),
        (HIGHEST_HU - grey / 255 * span, "that counts down from white. 0 is black, and black is -1250 HU."),
        (grey / 255 * 1000 - 1000, "that takes black for -1000 and white for 0. The record's window is wider."),
        (grey + lowest, "a step of grey is not 1 HU: 255 steps span 1500 HU."),
        (-(grey / 255 * span + lowest), "the sign: less than water is negative."),
        (grey / 255, "that is the share of the way from black to white. Now in HU."),
    ]
    if np.isclose(answer, grey / 255 * span + lowest, atol=4):  # within one step of grey
        return "Right: three fifths of the way from -1250 to 250 HU."
    if mistake := checking.named(mistakes, lambda value: np.isclose(answer, value, atol=0.6)):
        return mistake
    return "Not quite: find how far 153 is from 0 to 255, and go as far from -1250 to 250 HU."


def check_patient_split(function: Callable[[np.ndarray, list[str]], tuple[np.ndarray, np.ndarray]]) -> str:
    """Check a function that holds out whole patients (notebook 02).

    Parameters
    ----------
    function : callable (patients, test_patients) -> (train, test)
        `patients` is the patient of each slice, a str array; `test_patients` a list of str. Both parts are positions.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_patient_split(lambda patients, test_patients: (range(7), range(7, 11)))
    'Not quite: patients 1, 10, 4 stand on both sides: that leaks.'
    """
    patients = np.array(["1", "1", "1", "10", "10", "4", "4", "1", "7", "4", "10"])
    held_out = ["4", "1"]
    found, problem = checking.ask(lambda: function(patients.copy(), list(held_out)))
    if problem:
        return problem
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Not quite: two arrays are expected, train and test."
    parts, problem = checking.ask(lambda: [np.asarray(part) for part in found])
    if problem:
        return problem
    train, test = parts
    if any(part.ndim != 1 for part in parts):
        return (
            "Not quite: two rows of positions are expected; these have the shapes "
            f"{train.shape} and {test.shape}. What np.where returns is a tuple: take its first part."
        )
    if any(part.dtype == bool for part in (train, test)):
        return "Not quite: that is a yes or no for each slice. Positions are expected: np.flatnonzero makes them."
    if any(part.size and part.dtype.kind not in "iu" for part in (train, test)):
        return "Not quite: positions are whole numbers; these are something else, perhaps the patients' names."
    train, test = train.astype(int), test.astype(int)
    if any(part.size and not 0 <= part.min() <= part.max() < len(patients) for part in (train, test)):
        return f"Not quite: there are {len(patients)} slices, so positions go from 0 to {len(patients) - 1}."
    right = np.flatnonzero(np.isin(patients, held_out))
    rest = np.flatnonzero(~np.isin(patients, held_out))
    if np.array_equal(np.sort(train), right) and np.array_equal(np.sort(test), rest):
        return "Not quite: train and test have changed places."
    leaking = sorted(set(patients[train]) & set(patients[test]))
    if leaking:
        who = f"patient {leaking[0]} stands" if len(leaking) == 1 else f"patients {', '.join(leaking)} stand"
        return f"Not quite: {who} on both sides: that leaks."
    if "10" in patients[test]:
        return "Not quite: patient 10 was not to be held out. Is it taken for patient 1?"
    if set(patients[test]) != set(held_out):
        return f"Not quite: patients {', '.join(held_out)} were to be held out; patients in test: " + (
            ", ".join(sorted(set(patients[test]))) or "none"
        ) + "."
    missing = len(patients) - len(set(train) | set(test))
    if missing:
        return f"Not quite: no patient leaks, but {missing} of {len(patients)} slices are in neither part."
    if len(train) + len(test) != len(patients):
        return "Not quite: a slice stands twice in a part."
    return checking.right("every slice in one part, every patient on one side.", function, patients, held_out)
