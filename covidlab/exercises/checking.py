"""Answers to the exercises, checked: right, or what kind of mistake it looks like.

A check takes an answer and returns one sentence; it never raises for a wrong answer and never shows the solution.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np

NOT_YET = "Not yet: there is no answer to check."

NOTHING_BACK = "Not yet: the function returns nothing. What stands after `return` is its answer."


def missing(answer) -> bool:
    """Whether the exercise still stands as it was given: dots, or a function that returns nothing."""
    return answer is None or answer is Ellipsis


def no_number(*answers) -> str:
    """What to say where a number was asked for, and something else or nothing came; or ""."""
    if any(map(missing, answers)):
        return NOT_YET
    if not all(isinstance(answer, Real) for answer in answers):
        return "Not quite: a plain number is expected, without quotes, unit, brackets or comma."
    return ""


def ask(question: Callable[[], Any]) -> tuple[Any, str]:
    """What a learner's function answers, and what to say at once: that it fails, that nothing came; or ""."""
    try:
        answer = question()
    except Exception as error:  # an answer may fail in any way; the learner is told how
        problem = f"Not quite: it fails with {type(error).__name__}: {error}"
        if "truth value of an array" in problem:
            problem += ". An array comes in; `if`, `min` and `max` take one number. NumPy's functions take arrays."
        return None, problem
    return answer, NOTHING_BACK if missing(answer) else ""


def ask_for_numbers(question: Callable[[], Any]) -> tuple[np.ndarray | None, str]:
    """The same where the answer has to be a number, or an array of numbers."""
    answer, problem = ask(question)
    if problem:
        return None, problem
    try:
        numbers = np.asarray(answer)
    except ValueError:  # rows of different lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "biuf":
        return None, f"Not quite: numbers are expected; it returns something else, of type {type(answer).__name__}."
    return numbers.astype(float), ""


def right(sentence: str, function: Callable, *given) -> str:
    """That an answer is right, unless the function changes what it is given."""
    before = deepcopy(given)
    ask(lambda: function(*given))
    if not all(map(np.array_equal, given, before)):
        return "Not quite: the answer is right, but the function changes what it is given. Work on a copy."
    return f"Right: {sentence}"


def named(mistakes: Iterable[tuple[Any, str]], is_it: Callable[[Any], bool]) -> str:
    """What to say of the first mistake whose value it is; or ""."""
    return next((f"Not quite: {sentence}" for value, sentence in mistakes if is_it(value)), "")
