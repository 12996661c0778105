"""Sentences of the notebooks whose numbers come from a run, each tied to where the number comes from.

nbval compares outputs with a new run, but no sentence with the outputs. Each `Claim` names a sentence by a pattern,
whose groups are the numbers it says, and a source of the true numbers: the notebook's stored outputs, the paper's
constants, the package itself, a results file. Write one here for every number in prose that a run could change. The
sentence is found with every run of white space as one space.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from covidlab.tables import read_table
from tools.notebook_guards import all_text

ROOT = Path(__file__).resolve().parents[1]
Source = Callable[[NotebookNode], list[float]]


def output(pattern: str) -> Source:
    """Numbers that the notebook prints: the groups of the one place where the pattern matches."""

    def read(notebook: NotebookNode) -> list[float]:
        found = list(re.finditer(pattern, all_text(notebook), re.MULTILINE))
        if len(found) != 1:
            raise LookupError(f"{len(found)} outputs match {pattern!r}; one should")
        return [_number(group) for group in found[0].groups()]

    return read


def result(name: str, *keys: str) -> Source:
    """One number of a JSON file under the repository's root, by its keys from the outside in."""

    def read(_: NotebookNode) -> list[float]:
        value = json.loads((ROOT / name).read_text(encoding="utf-8"))
        for key in keys:
            value = value[key]
        return [float(value)]

    return read


def page(name: str, pattern: str) -> Source:
    """Numbers that a page of the repository says: the groups of the one place where the pattern matches."""

    def read(_: NotebookNode) -> list[float]:
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise LookupError(f"{len(found)} places of {name} match {pattern!r}; one should")
        return [_number(group) for group in found[0].groups()]

    return read


def measured(pattern: str) -> Source:
    """Numbers of docs/measured.md: the groups of the one place where the pattern matches."""

    def read(_: NotebookNode) -> list[float]:
        found = re.findall(pattern, (ROOT / "docs" / "measured.md").read_text(encoding="utf-8"), re.MULTILINE)
        if len(found) != 1:
            raise LookupError(f"{len(found)} places of docs/measured.md match {pattern!r}; one should")
        return [_number(group) for group in ([found[0]] if isinstance(found[0], str) else found[0])]

    return read


def table(name: str, column: str, **row: str) -> Source:
    """The first number of a cell of studies/results/NAME.csv: of the one row that has these values."""

    def read(_: NotebookNode) -> list[float]:
        rows = [one for one in read_table(ROOT / f"studies/results/{name}.csv") if row.items() <= one.items()]
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows of studies/results/{name}.csv have {row}; one should")
        return [float(rows[0][column].split()[0])]

    return read


def known(*numbers: float) -> Source:
    """Numbers that the package or the paper's constants hold."""
    return lambda _: [float(number) for number in numbers]


def elsewhere(name: str, source: Source) -> Source:
    """What a source reads in another notebook."""
    return lambda _: source(nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4))


def together(*sources: Source) -> Source:
    """The numbers of several sources, one after the other."""
    return lambda notebook: [number for source in sources for number in source(notebook)]


@dataclass(frozen=True)
class Claim:
    """A sentence, and what makes it true.

    Parameters
    ----------
    notebook : str
        Its file name without ending.
    sentence : str
        A pattern; its groups are the numbers that the sentence says, thousands commas allowed.
    source : callable (notebook) -> list of float
        The true numbers.
    holds : callable (said: list of float, true: list of float) -> bool
        Whether the sentence is right; by default the same numbers.
    """

    notebook: str
    sentence: str
    source: Source
    holds: Callable[[list[float], list[float]], bool] = lambda said, true: said == true

    def fault(self, notebook: NotebookNode) -> str | None:
        """What is wrong, or None."""
        prose = " ".join(" ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown").split())
        found = list(re.finditer(self.sentence, prose))
        if len(found) != 1:
            return f"{len(found)} sentences match {self.sentence!r}; one should: mend tools/prose.py with the prose"
        try:
            true = self.source(notebook)
        except LookupError as error:
            return f"{found[0][0]!r}: {error}"
        said = [_number(group) for group in found[0].groups()]
        return None if self.holds(said, true) else f"{found[0][0]!r} is not true any more: it should say {true}"


WORDS = {
    "false": 0, "true": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "seventeen": 17, "eighty": 80, "ninety": 90, "hundred": 100,
}  # fmt: skip


def _number(text: str) -> float:
    return float(WORDS.get(text.lower(), text.replace(",", "")))


PART = r"precision ([\d.]+)  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)"
SCORES = output(rf"^train +{PART}\nvalidation +{PART}\ntest +{PART}$")  # four scores of train, validation, test
LESION_SHARE = output(r"^([\d.]+)% of all pixels are lesion")
# Real slices, light U-Net, test: patients that also train, and patients never seen.
SLICE_F1 = table("models", "f1", variant="light_unet", part="test")
PATIENT_F1 = table("patient-radiopaedia", "f1", case="all, pooled")
SLICE_RUN = table("runs/slice-recipe", "f1", part="test")


def same_recipe(notebook: NotebookNode) -> list[float]:
    """F1 of one recipe by slice, and by patient."""
    return [round(value, 3) for value in together(SLICE_RUN, PATIENT_F1)(notebook)]
