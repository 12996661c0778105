"""What an assignment asks, and what an answer is worth. The judge is that of the exercises, on inputs nobody has seen.

A part of an assignment is one function that the student writes. Its answers come as plain data out of another process,
and are played back here to the check, which compares them with the right ones and with those of known mistakes.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from covidlab.exercises.checking import Function


@dataclass(frozen=True)
class Worth:
    """A known mistake that is worth some points, as one of the `mistakes` of a part's check."""

    points: float
    wrong: Callable

    def __call__(self, *given):
        return self.wrong(*given)


@dataclass(frozen=True)
class Part:
    """One function that an assignment asks for.

    - `name`, str: the function's name in the notebook.
    - `points`, float: for the right answers to all inputs and edges of `check`; half a point less for each edge missed.
    - `check`, Function: a mistake of its table is worth what its `Worth` says; any other answer is worth nothing.
    """

    name: str
    points: float
    check: Function

    @cached_property
    def partly(self) -> dict[str, float]:
        """Points of each mistake that is worth some, by its hint."""
        return {hint: wrong.points for hint, wrong in self.check.mistakes.items() if isinstance(wrong, Worth)}

    @cached_property
    def inputs(self) -> list[tuple]:
        """All that the function is asked, edges last."""
        return [*self.check.inputs, *self.check.edges.values()]

    @cached_property
    def checks(self) -> list[Function]:
        """The check without its edges, then with each alone; kept, for each keeps the answers of all mistakes."""
        alone = [{where: given} for where, given in self.check.edges.items()]
        return [replace(self.check, edges=edges) for edges in ({}, *alone)]


def calls(parts: Sequence[Part]) -> list[tuple[str, list]]:
    """Every question to a notebook as plain data: an array is its numbers and its type."""
    return [(part.name, [_plain(one) for one in given]) for part in parts for given in part.inputs]


def _plain(value: Any) -> Any:
    return {"array": value.tolist(), "type": value.dtype.name} if isinstance(value, np.ndarray) else value


def judge(parts: Sequence[Part], lines: Sequence[dict]) -> list[tuple[float, str]]:
    """Points of each part, and in one sentence why they are not more; "" where they are all.

    `lines` are the sandbox's. Of two answers to one call the first counts: the questions cannot be known before, so a
    forged answer has to be right.
    """
    answers: dict[int, dict] = {}
    for line in lines:
        if isinstance(number := line.get("call"), int):
            answers.setdefault(number, line)
    found, first = [], 0
    for part in parts:
        found.append(_judge(part, [answers.get(first + k) for k in range(len(part.inputs))]))
        first += len(part.inputs)
    return found


def _judge(part: Part, answers: list[dict | None]) -> tuple[float, str]:
    """Main inputs first; only where those are right does an edge count, so that a constant earns nothing."""
    many = len(part.check.inputs)
    if None in answers[:many]:
        return 0, "no answer came"
    if any("missing" in one for one in answers[:many]):
        return 0, "there is no such function"
    main, *edges = part.checks
    said = main(_playback(answers[:many]))
    if not said.startswith("Right"):
        hint = said.partition(": ")[2]
        return part.partly.get(hint, 0), hint
    points, reasons = part.points, []
    for edge, answer in zip(edges, answers[many:]):
        said = edge(_playback([*answers[:many], answer]))
        if not said.startswith("Right"):
            points, reasons = points - 0.5, [*reasons, said.partition(": ")[2]]
    return points, " ".join(reasons)


def _playback(answers: list[dict | None]) -> Callable:
    """A function that gives the answers one after the other, whatever it is asked."""
    waiting = itertools.chain(answers, itertools.repeat(None))

    def function(*_):
        one = next(waiting)
        if one is None:
            raise TimeoutError("no answer came")
        if "error" in one:
            kind, _, words = str(one["error"])[:200].partition(": ")
            raise type(kind if kind.isidentifier() else "Exception", (Exception,), {})(words)
        return one.get("answer")

    return function
