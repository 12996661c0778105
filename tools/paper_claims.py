"""What paper.md says in numbers, and where each comes from; every number there needs a claim. See tools/prose.py."""

import json
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from tools.claims import SEEDS, copied, number_of, same_recipe
from tools.prose import RESULTS, ROOT, Claim, faults, known

# Any number that stands by itself: not that of COVID-19, CC BY 4.0 or a citation's key.
NUMBERS = re.compile(r"(?<![\w.@-])(?<!CC BY )\d[\d,]*(?:\.\d+)?(?![\w-])")
COURSE = json.loads((RESULTS / "course.json").read_text(encoding="utf-8"))["notebooks"].values()


def number_of_files(pattern: str):
    """How many files have such a name."""
    return known(len([*ROOT.glob(pattern)]))


CLAIMS = [
    Claim(r"an open course of (\d+) Jupyter notebooks", number_of_files("notebooks/*.ipynb")),
    Claim(r"give an F1 of ([\d.]+); the same recipe on patients never seen gives ([\d.]+)\.", same_recipe),
    Claim(r"the nearest training slice reaches ([\d.]+) by slice", copied),
    Claim(r"run in (\d+) minutes with at most ([\d.]+) GB",
          known(round(sum(one["seconds"] for one in COURSE) / 60),
                round(max(one["megabytes"] for one in COURSE) / 1000, 1))),
    Claim(r"has (\d+) live labs", number_of_files("site/labs/*.md")),
    Claim(r"say where (\d+) such trainings ended", lambda _: [number_of("light U-Net")]),
    Claim(r"gave ([\d.]+), ([\d.]+) and ([\d.]+) on patients never seen",
          SEEDS, lambda said, true: said == true[:3]),
]  # fmt: skip


def as_notebook(text: str) -> NotebookNode:
    """A page as the one cell of a notebook, without its head and its citations."""
    body = text.split("\n---\n", 1)[1]
    return new_notebook(cells=[new_markdown_cell(re.sub(r"\[@\w+\]", "", body))])


def paper_faults(path: Path = ROOT / "paper.md", claims=CLAIMS) -> list[str]:
    """Sentences of paper.md that are not true, and numbers that nothing holds."""
    return faults(as_notebook(path.read_text(encoding="utf-8")), claims, numbers=NUMBERS)
