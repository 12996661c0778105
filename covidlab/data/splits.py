"""Who trains, who chooses, who is tested: the paper's split by slice, and the split by patient.

The paper shuffles slices: 85 % for training and validation, the rest for testing, and 90 % of the first
part for training (section III.A). Neighbouring slices of one patient then stand on both sides, so such a
score says how well a model completes patients that it has seen. A split by patient keeps every patient on
one side. Every score names its protocol, and `shared_patients` says how far a split leaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidlab import paper
from covidlab.data.slices import SliceCache
from covidlab.errors import CovidlabError

PROTOCOLS = ("slice", "patient")
# Of the protocol patient; the seed says which of them is held out.
FOLDS = 4

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of slice numbers that together cover a cohort.

    Parameters
    ----------
    train, validation, test : 1-D ndarray of int
        Positions in the cohort's slice table.
    protocol : str
        "slice" or "patient".
    seed : int
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    protocol: str
    seed: int

    def part(self, name: str) -> np.ndarray:
        """The slice numbers of "train", "validation" or "test"."""
        if name not in PARTS:
            raise ValueError(f"unknown part {name!r}: use one of {', '.join(PARTS)}")
        return getattr(self, name)


def split_by_slice(slices: int, seed: int = 0) -> Split:
    """The paper's protocol: shuffle the slices, 85/15, then 90/10 (section III.A).

    Parameters
    ----------
    slices : int
        How many slices the cohort has.
    seed : int
        The paper names none, so report several.

    Returns
    -------
    Split
        Neighbours of one patient are on both sides: this protocol leaks by design.

    Examples
    --------
    >>> [len(split_by_slice(939).part(name)) for name in PARTS]
    [718, 80, 141]
    """
    if slices < 3:
        raise ValueError(f"{slices} slices cannot fill three parts; at least 3 are needed")
    order = np.random.default_rng(seed).permutation(slices)
    test, rest = np.split(order, [max(1, round(slices * paper.TEST_SHARE))])
    validation, train = np.split(rest, [max(1, round(len(rest) * paper.VALIDATION_SHARE))])
    return Split(np.sort(train), np.sort(validation), np.sort(test), "slice", seed)


def patient_folds(patients: Sequence[str], seed: int = 0, folds: int = 4) -> list[tuple[str, ...]]:
    """Divide patients into folds of equally many patients and about equally many slices.

    Parameters
    ----------
    patients : sequence of str
        The patient of each slice.
    seed : int
        Shuffles patients before they are dealt.
    folds : int
        How many; at most the number of patients.

    Returns
    -------
    list of tuples of patient names, every patient in exactly one fold
    """
    names, sizes = np.unique(np.asarray(patients), return_counts=True)
    if not 2 <= folds <= len(names):
        raise ValueError(f"{len(names)} patients cannot fill {folds} folds; use 2 to {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names))
    # Largest first into the emptiest fold, as one patient may hold half of all slices; the shuffle breaks ties.
    order = order[np.argsort(-sizes[order], kind="stable")]
    held, load = [[] for _ in range(folds)], np.zeros(folds, dtype=int)
    for patient in order:
        # Patients first, slices second: a fold of one large patient would say little about others.
        fold = min(range(folds), key=lambda k: (len(held[k]), load[k], k))
        held[fold].append(str(names[patient]))
        load[fold] += sizes[patient]
    return [tuple(sorted(fold)) for fold in held]


def split_by_patient(patients: Sequence[str], held_out: Sequence[str], seed: int = 0) -> Split:
    """Hold out whole patients: the named ones test, one or more of the others validate.

    Parameters
    ----------
    patients : sequence of str
        The patient of each slice of the cohort.
    held_out : sequence of str
        The test patients.
    seed : int
        Chooses the validation patients: shuffled, taken until there are two of them with about 10 % of the remaining
        slices, but fewer than half of the patients; one is the least.

    Returns
    -------
    Split
    """
    patients = np.asarray(patients).astype(str)
    unknown = sorted(set(held_out) - set(patients))
    if unknown:
        raise ValueError(
            f"no patient named {', '.join(unknown)} in this cohort; it has {', '.join(sorted(set(patients)))}"
        )
    rest = sorted(set(patients) - set(held_out))
    if not held_out or len(rest) < 2:
        raise ValueError("a split by patient needs at least one patient to test, one to validate and one to train")
    test = np.isin(patients, list(held_out))
    wanted = paper.VALIDATION_SHARE * np.count_nonzero(~test)
    # Two, since the threshold that suits one patient best says little of the next.
    choosers: list[str] = []
    for name in np.random.default_rng(seed).permutation(rest)[: max(1, (len(rest) - 1) // 2)]:
        choosers.append(str(name))
        if len(choosers) >= 2 and np.count_nonzero(np.isin(patients, choosers)) >= wanted:
            break
    validation = np.isin(patients, choosers)
    return Split(np.flatnonzero(~test & ~validation), np.flatnonzero(validation), np.flatnonzero(test), "patient", seed)


def shared_patients(split: Split, patients: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The leak check: which patients of training also stand in validation or test.

    Parameters
    ----------
    split : Split
    patients : sequence of str
        The patient of each slice.

    Returns
    -------
    dict
        "validation" and "test", each a sorted tuple of the patients it shares with training; empty where
        nothing leaks.
    """
    patients = np.asarray(patients).astype(str)
    trained = set(patients[split.train])
    return {name: tuple(sorted(trained & set(patients[split.part(name)]))) for name in ("validation", "test")}


def leak_sentence(split: Split, patients: Sequence[str]) -> str:
    """What the leak check found, as one sentence for people; refuses a patient split that leaks.

    Raises
    ------
    ValueError
        If the protocol is "patient" and a patient stands on both sides.
    """
    shared = shared_patients(split, patients)
    tested = sorted(set(np.asarray(patients).astype(str)[split.test]))
    leaking = sorted(set(shared["validation"]) | set(shared["test"]))
    if split.protocol == "patient":
        if leaking:
            raise ValueError(f"a split by patient leaks patients {', '.join(leaking)} between its parts")
        return f"protocol patient: the {len(tested)} test patients ({', '.join(tested)}) were never seen in training"
    return (
        f"protocol slice LEAKS: {len(shared['test'])} of the {len(tested)} test patients also train the model, "
        "so these scores do not say how it does on a new patient"
    )


def make_split(cache: SliceCache, protocol: str, seed: int, test_patients: Sequence[str] = ()) -> Split:
    """The split that a protocol and a seed mean for a cohort.

    Parameters
    ----------
    cache : SliceCache
    protocol : "slice" or "patient"
    seed : int
    test_patients : sequence of str
        Who is held out under the protocol "patient"; empty means fold `seed` of `FOLDS`.

    Raises
    ------
    CovidlabError
        If the protocol is unknown, or the cohort has too few patients or none of the named ones.
    """
    patients = cache.patients
    try:
        if protocol == "slice":
            if test_patients:
                raise ValueError("test patients are named, which only the protocol patient can hold out")
            return split_by_slice(len(patients), seed)
        if protocol == "patient":
            folds = patient_folds(patients, folds=min(FOLDS, len(set(patients)))) if not test_patients else ()
            return split_by_patient(patients, test_patients or folds[seed % len(folds)], seed)
    except ValueError as problem:
        raise CovidlabError(
            f"protocol {protocol}", str(problem), "a split with slices in all three parts",
            "choose the other protocol or other test patients",
        ) from problem  # fmt: skip
    raise CovidlabError("protocol", repr(protocol), " or ".join(PROTOCOLS), "choose one of them")
