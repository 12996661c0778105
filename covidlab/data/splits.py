"""Who trains, who chooses, who is tested: the paper's split by slice, and the split by patient.

The paper shuffles slices: 85 % for training and validation, the rest for testing, and 90 % of the first
part for training (section III.A). Neighbouring slices of one patient then stand on both sides, so such a
score says how well a model completes patients that it has seen. A split by patient keeps every patient on
one side. Every score names its protocol, and `shared_patients` says how far a split leaks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from covidlab import paper
from covidlab.data.slices import SliceCache
from covidlab.errors import CovidlabError

PROTOCOLS = ("slice", "patient")
PARTS = ("train", "validation", "test")
FOLDS = 4  # of the protocol patient; the seed says which of them is held out


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of slices, as their positions in a cohort's table of slices, that together cover it."""

    train: np.ndarray  # 1-D, int, sorted, as are the other two
    validation: np.ndarray
    test: np.ndarray
    protocol: str  # "slice" or "patient"
    seed: int

    def part(self, name: str) -> np.ndarray:
        """The positions of "train", "validation" or "test"."""
        return getattr(self, name)


def split_by_slice(slices: int, seed: int = 0) -> Split:
    """The paper's protocol: shuffle a number of slices, 85/15, then 90/10 (section III.A).

    Neighbours of one patient are on both sides: this protocol leaks by design. The paper names no seed, so report
    several.

    >>> [len(split_by_slice(939).part(name)) for name in PARTS]
    [718, 80, 141]
    """
    if slices < 3:
        raise ValueError(f"{slices} slices cannot fill three parts; at least 3 are needed")
    order = np.random.default_rng(seed).permutation(slices)
    test, rest = np.split(order, [max(1, round(slices * paper.TEST_SHARE))])
    validation, train = np.split(rest, [max(1, round(len(rest) * paper.VALIDATION_SHARE))])
    return Split(np.sort(train), np.sort(validation), np.sort(test), "slice", seed)


def patient_folds(patients: Sequence[str], folds: int = FOLDS) -> list[tuple[str, ...]]:
    """Divide patients, named once a slice, into folds of equally many patients and about equally many slices.

    Every patient is in exactly one fold. Raises a ValueError for fewer than 2 folds, or more than patients.
    """
    names, sizes = np.unique(patients, return_counts=True)
    if not 2 <= folds <= len(names):
        raise ValueError(f"{len(names)} patients cannot fill {folds} folds; use 2 to {len(names)}")
    order = np.random.default_rng(0).permutation(len(names))
    # Largest first into the emptiest fold, as one patient may hold half of all slices; the shuffle breaks ties.
    order = order[np.argsort(-sizes[order], kind="stable")]
    held, load = [[] for _ in range(folds)], np.zeros(folds, dtype=int)
    for patient in order:
        # Patients first, slices second: a fold of one large patient would say little about others.
        fold = min(range(folds), key=lambda k: (len(held[k]), load[k]))
        held[fold].append(str(names[patient]))
        load[fold] += sizes[patient]
    return [tuple(sorted(fold)) for fold in held]


def split_by_patient(patients: Sequence[str], held_out: Collection[str], seed: int) -> Split:
    """Hold out whole patients of those that slices are of: the named ones test, one or more of the others validate.

    The seed chooses who validates: shuffled, taken until there are two of them with about 10 % of the remaining slices,
    but fewer than half of the patients; one is the least. Raises a ValueError if a name is unknown or a part empty.
    """
    patients, held_out = np.asarray(patients), set(held_out)
    names = set(patients.tolist())
    if unknown := held_out - names:
        raise ValueError(
            f"no patient named {', '.join(sorted(unknown))} in this cohort; it has {', '.join(sorted(names))}"
        )
    rest = sorted(names - held_out)
    if not held_out or len(rest) < 2:
        raise ValueError("a split by patient needs at least one patient to test, one to validate and one to train")
    test = np.isin(patients, list(held_out))
    wanted = paper.VALIDATION_SHARE * np.count_nonzero(~test)
    # Two, since the threshold that suits one patient best says little of the next.
    shuffled = np.random.default_rng(seed).permutation(rest)[: max(1, (len(rest) - 1) // 2)]
    for number in range(1, len(shuffled) + 1):
        validation = np.isin(patients, shuffled[:number])
        if number >= 2 and np.count_nonzero(validation) >= wanted:
            break
    return Split(np.flatnonzero(~test & ~validation), np.flatnonzero(validation), np.flatnonzero(test), "patient", seed)


def shared_patients(split: Split, patients: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The leak check: which patients of training also stand in "validation" and "test", sorted, where the patient of
    each slice is given; empty where nothing leaks."""
    trained, *others = (set(np.asarray(patients)[split.part(name)]) for name in PARTS)
    return {name: tuple(sorted(trained & other)) for name, other in zip(PARTS[1:], others)}


def leak_sentence(split: Split, patients: Sequence[str]) -> str:
    """What the leak check found, as one sentence for people; refuses a patient split that leaks with a ValueError."""
    shared, tested = shared_patients(split, patients), sorted(set(np.asarray(patients)[split.test]))
    if split.protocol != "patient":
        return (
            f"protocol slice LEAKS: {len(shared['test'])} of the {len(tested)} test patients have slices in training, "
            "too, so these scores do not say how a new patient would fare"
        )
    if leaking := sorted({*shared["validation"], *shared["test"]}):
        raise ValueError(f"a split by patient leaks patients {', '.join(leaking)} between its parts")
    return f"protocol patient: the {len(tested)} test patients ({', '.join(tested)}) were never seen in training"


def make_split(cache: SliceCache, protocol: str, seed: int, test_patients: Collection[str] = ()) -> Split:
    """The split of a cohort's slices that a protocol, "slice" or "patient", and a seed mean.

    `test_patients` are held out under the protocol "patient"; where none is named, fold `seed` of `FOLDS`. Raises a
    CovidlabError if the protocol is unknown, or the cohort has too few patients or none of the named ones.
    """
    if protocol not in PROTOCOLS:
        raise CovidlabError("protocol", repr(protocol), " or ".join(PROTOCOLS), "choose one of them")
    number = len(set(cache.patients))
    try:
        if protocol == "slice":
            if test_patients:
                raise ValueError("test patients are named, which only the protocol patient can hold out")
            return split_by_slice(len(cache.patients), seed)
        if number < 3:
            found = f"{number} patient" + "s" * (number != 1)
            raise ValueError(f"{found}; at least three are needed: one to train, one to validate, one to test")
        folds = patient_folds(cache.patients, min(FOLDS, number))
        return split_by_patient(cache.patients, test_patients or folds[seed % len(folds)], seed)
    except ValueError as problem:
        expected, remedy = "a split with slices in all three parts", "choose the other protocol or other test patients"
        raise CovidlabError(f"protocol {protocol}", str(problem), expected, remedy) from problem
