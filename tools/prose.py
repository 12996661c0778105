"""Numbers in the notebooks' sentences, each tied to where it comes from.

nbval compares outputs with a new run, but no sentence with the outputs. A number with two decimals or more in the text
of a notebook has to stand in its outputs or its code; a number that comes from elsewhere has a `Claim` in
tools/claims.py, and so has a sentence that says in words what a table of studies/results holds. A claim names the
sentence by a pattern, whose groups are the numbers it says, and a source of the true ones. Every run of white space is
one space.
"""

import json
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from covidlab.tables import read_table
from tools.notebook_guards import all_text, code_cells

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "studies" / "results"
LESSONS = json.loads((ROOT / "covidlab" / "weights" / "lessons" / "runs.json").read_text(encoding="utf-8"))
Source = Callable[[NotebookNode], list[float]]
DECIMALS = re.compile(r"(?<![\w.])\d[\d,]*\.\d{2,}(?!\w)")
WORDS = {"two": 2, "three": 3, "ten": 10}


def number(text: str) -> float:
    """Of digits with or without thousands commas, or of a word."""
    return float(WORDS.get(text, text.replace(",", "")))


def page_text(name: str | Path) -> str:
    """A page of studies/results, or a section of one: "page.md#section"."""
    path, _, section = str(name).partition("#")
    text = (RESULTS / path).read_text(encoding="utf-8")
    return text.partition(f"\n## {section}\n")[2].partition("\n## ")[0] if section else text


def read_page(name: str | Path) -> list[dict[str, str]]:
    """The rows of the last table of a page of studies/results, or of a section of one."""
    lines = [block for block in page_text(name).split("\n\n") if block.startswith("| ")][-1].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def known(*numbers: float) -> Source:
    """Numbers that the package or the paper's constants hold."""
    return lambda _: [float(one) for one in numbers]


def output(pattern: str) -> Source:
    """Numbers that the notebook prints: the groups of the one place where the pattern matches."""

    def read(notebook: NotebookNode) -> list[float]:
        found = list(re.finditer(pattern, all_text(notebook), re.MULTILINE))
        if len(found) != 1:
            raise LookupError(f"{len(found)} outputs match {pattern!r}; one should")
        return [number(group) for group in found[0].groups()]

    return read


def lesson(run: str, score: str, *parts: str) -> Source:
    """A score of a network that comes along, on some parts, as it is printed."""
    scores = LESSONS[run]["scores"]["parts"]
    return known(*(round(scores[part][score], 2) for part in parts))


def table(name: str, column: str, **row: str) -> Source:
    """The first number of a cell of a page of studies/results, or of a table of its runs: of the one row that has
    these values."""

    def read(_: NotebookNode) -> list[float]:
        rows = read_table(RESULTS / name) if name.endswith(".csv") else read_page(name)
        rows = [one for one in rows if row.items() <= one.items()]
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows of {name} have {row}; one should")
        return [float(rows[0][column].split()[0])]

    return read


def together(*sources: Source) -> Source:
    """The numbers of several sources, one after the other."""
    return lambda notebook: [one for source in sources for one in source(notebook)]


class Claim(NamedTuple):
    """A sentence, the source of its numbers, and whether what it says holds (said, true): the same numbers, or what
    its words mean."""

    sentence: str
    source: Source
    holds: Callable[[list[float], list[float]], bool] = operator.eq


def faults(
    notebook: NotebookNode, claims: Sequence[Claim], examples: str = "", numbers: re.Pattern = DECIMALS
) -> list[str]:
    """Sentences of a notebook that are not true, and numbers in it that nothing holds.

    `examples` are numbers that no run of ours gives: of a question, or of another paper. `numbers` finds those that
    need to be held.
    """
    prose = " ".join(" ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown").split())
    prose = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose)  # a link is its words
    found, claimed = [], set()
    for sentence, source, holds in claims:
        places = list(re.finditer(sentence, prose))
        if len(places) != 1:
            found.append(f"{len(places)} sentences match {sentence!r}; one should: mend tools/claims.py with the text")
            continue
        words = places[0][0]
        claimed |= set(range(*places[0].span()))
        try:
            true = source(notebook)
        except LookupError as error:
            found.append(f"{words!r}: {error}")
            continue
        if not holds([number(group) for group in places[0].groups()], true):
            found.append(f"{words!r} is not true any more: it should say {true}")
    held = set(DECIMALS.findall(all_text(notebook) + " " + " ".join(cell.source for cell in code_cells(notebook))))
    held |= set(examples.split())
    for place in numbers.finditer(prose):
        if place[0] not in held and place.start() not in claimed:
            near = prose[max(place.start() - 60, 0) : place.end() + 20]
            found.append(f"{near!r}: {place[0]} stands in no output, no code and no claim of tools/claims.py")
    return found
