"""Answers to the exercises, checked: right, or which mistake it looks like. One engine; each exercise is a table.

A mistake is written as the wrong answer itself, a number or a function, under the hint that it earns. So a table is
its own test: every wrong answer in it must come back with its own hint (tests/exercises/test_exercises.py). Whatever
comes, a check says one sentence: Right, Not quite or Not yet. It never raises for a wrong answer and never shows the
solution.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

NOT_YET = "Not yet: there is no answer to check."
NOTHING_BACK = "Not yet: the function returns nothing. What stands after `return` is its answer."
CHANGES = "Not quite: the answer is right, but the function changes what it is given. Work on a copy."

# What Python's own words mean here.
FAILURES = {
    "truth value of an array":
        "An array comes in; `if`, `min` and `max` take one number. NumPy's functions take arrays.",
    "bitwise_and": "Probabilities are floats: multiply instead of `&`.",
}  # fmt: skip


@dataclass(frozen=True, repr=False)  # a repr would show the solution
class Exercise:
    """What all exercises have: `asked` is what `help` shows, `praise` what a right answer is told.

    `mistakes` holds a wrong answer for each hint, or a list of them; `otherwise` is for one that is in no table.
    """

    asked: str
    right: Any
    praise: str
    otherwise: str
    mistakes: Mapping[str, Any]

    def __post_init__(self):
        object.__setattr__(self, "__doc__", self.asked)

    def known(self) -> list[tuple[str, Any]]:
        """The right answer under an empty hint, then each wrong one under its own."""
        lists = {hint: some if isinstance(some, list) else [some] for hint, some in self.mistakes.items()}
        return [("", self.right), *((hint, one) for hint, some in lists.items() for one in some)]


@dataclass(frozen=True, repr=False)
class Number(Exercise):
    """An exercise whose answer is a number, or a tuple of them. The tolerance is relative.

    `unanswered` is the number that the learner's cell gives before anything is written in it.
    """

    tolerance: float = 1e-6
    unanswered: float | None = None

    def __call__(self, *answer) -> str:
        if any(map(missing, answer)):
            return NOT_YET
        found = numbers(answer)
        if found is None or found.ndim != 1:
            return "Not quite: a plain number is expected, without quotes, unit, brackets or comma."
        if np.array_equal(found, [self.unanswered]):
            return NOT_YET
        known = ((hint, [np.array(one, float, ndmin=1)]) for hint, one in self.known())
        hint = _nearest([found], known, self.tolerance, floor=1e-12)
        return f"Right: {self.praise}" if hint == "" else f"Not quite: {hint or self.otherwise}"


@dataclass(frozen=True, repr=False)
class Function(Exercise):
    """An exercise whose answer is a function, compared with ours and with the wrong ones on all `inputs` together.

    `otherwise` is filled in with {0}, {1} and so on of the input, with {found} and {right}; with those of the worst
    place, where an array comes in first and one of its shape goes out. `edges` are inputs that have no table, but
    words that say where and what is right there; they follow on "it gives 3". The tolerance is of numbers up to 1.
    """

    inputs: Sequence[tuple] = ()
    edges: Mapping[str, tuple] = field(default_factory=dict)
    tolerance: float = 1e-5

    @cached_property
    def _answered(self) -> list[tuple[str, list[np.ndarray]]]:
        return [(hint, _answers(one, self.inputs)) for hint, one in self.known()]

    def __call__(self, function: Callable) -> str:
        changed = False
        for where, inputs in [("", self.inputs), *((where, [given]) for where, given in self.edges.items())]:
            known = [("", _answers(self.right, inputs))] if where else self._answered
            found, wanted = [], known[0][1]
            for given, right in zip(inputs, wanted):
                answer, problem, changes = ask(function, given, where)
                array = numbers(answer)
                if problem or array is None:
                    kind = type(answer).__name__
                    return problem or f"Not quite: numbers are expected; it returns something else, of type {kind}."
                found.append(array.reshape(right.shape) if array.size == right.size == 1 else array)
                changed |= changes
            hint = _nearest(found, known, self.tolerance, floor=1)
            if hint is None:
                unlike = (one for one in zip(found, wanted, inputs) if _distance(*one[:2], 1) > self.tolerance)
                hint = _explained(f"it gives {{found:.3g}} {where}" if where else self.otherwise, *next(unlike))
            if hint:
                return f"Not quite: {hint}"
        return CHANGES if changed else f"Right: {self.praise}"


def missing(answer) -> bool:
    """Whether the exercise still stands as it was given: dots, or nothing."""
    return answer is None or answer is Ellipsis


def ask(function: Callable, given: tuple, where: str = "") -> tuple[Any, str, bool]:
    """A function's answer; what to say at once where it fails or nothing comes, or ""; whether it changes its input."""
    if missing(function):
        return None, NOT_YET, False
    copies = deepcopy(given)
    try:
        with np.errstate(all="ignore"):
            answer = function(*copies)
    except Exception as error:  # an answer may fail in any way; the learner is told how
        problem = f"Not quite: it fails with {type(error).__name__}: {error}" + (f", {where}" if where else "")
        meaning = next((f". {meaning}" for words, meaning in FAILURES.items() if words in problem), "")
        return None, problem + meaning, False
    # A generator of random numbers is there to be drawn from.
    kept = (isinstance(one, np.random.Generator) or np.array_equal(one, copy) for one, copy in zip(given, copies))
    nothing = f"Not quite: it returns nothing {where}" if where else NOTHING_BACK
    return answer, nothing if missing(answer) else "", not all(kept)


def numbers(answer) -> np.ndarray | None:
    """An answer as an array of floats; None where it is words, rows of different lengths or anything else."""
    try:
        found = np.asarray(answer)
    except Exception:  # what NumPy makes of an odd object is the object's own affair
        return None
    return found.astype(float) if found.dtype.kind in "biuf" else None


def _answers(function: Callable, inputs: Sequence[tuple]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return [np.asarray(function(*deepcopy(given)), float) for given in inputs]


def _nearest(found: list, known: Iterable[tuple[str, list]], tolerance: float, floor: float) -> str | None:
    """The hint of the known answer that lies nearest on all inputs; None where the nearest is too far."""
    far = [(max(_distance(*both, floor) for both in zip(found, one)), hint) for hint, one in known]
    distance, hint = min(far, key=lambda one: one[0])
    return hint if distance <= tolerance else None


def _distance(one: np.ndarray, other: np.ndarray, floor: float) -> float:
    """The largest difference, relative to the other's size where that is well above the floor; two nan are alike."""
    if one.shape != other.shape:
        return np.inf
    with np.errstate(all="ignore"):
        apart = np.abs(one - other) / (floor + np.abs(other))
    return np.nan_to_num(np.where(np.isnan(one) & np.isnan(other), 0, apart), nan=np.inf).max(initial=0)


def _explained(sentence: str, found: np.ndarray, right: np.ndarray, given: tuple) -> str:
    if found.shape != right.shape:
        amounts = ["one number" if array.size == 1 else f"{array.size} numbers" if array.ndim == 1
                   else f"an array of shape {array.shape}" for array in (found, right)]  # fmt: skip
        return "it returns {} instead of {}.".format(*amounts)
    if right.ndim and np.shape(given[0]) == right.shape:
        place = np.unravel_index(np.abs(found - right).argmax(), right.shape)
        found, right, given = found[place], right[place], (given[0][place], *given[1:])
    return sentence.format(*given, found=found, right=right)
