"""Submitted notebooks to try the grader on: solved, half solved, broken, and 40 that cheat.

`python -m tests.submissions FOLDER` writes 200, a folder for each student. Then `python -m tools.grade FOLDER -o
points.csv`, and `python -m tests.submissions FOLDER --check points.csv` says who gained what.
"""

import argparse
import ast
import csv
import json
import sys
from pathlib import Path

from tests.cheating import TRICKS

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "assignments").glob("*.ipynb"))


def notebook(name, *, change=lambda number, source: source, before=(), after=()):
    """An assignment's notebook with its code cells changed, and cells added, as text."""
    read = json.loads((ROOT / "assignments" / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in read["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code):
        cell["source"] = change(number, "".join(cell["source"]))
    read["cells"] = [*map(_cell, before), *read["cells"], *map(_cell, after)]
    return json.dumps(read)


def _cell(source):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def stubs(name):
    """The functions that an assignment asks for, by the cells that leave them empty."""
    read = json.loads((ROOT / "assignments" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in read["cells"] if cell["cell_type"] == "code"]
    return [source[4 : source.index("(")] for source in cells if source.endswith("): ...")]


def solution(name, functions=None):
    """Our own functions as a student might have written them; only the named ones, and what they call."""
    tree = ast.parse((ROOT / "assignments" / "key" / f"{name}.py").read_text(encoding="utf-8"))
    asked = set(stubs(name))
    kept = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "parts"
            and (functions is None or node.name not in asked or node.name in functions)]  # fmt: skip
    imports = "import numpy as np\nfrom scipy import ndimage\n"
    return imports + "\n\n".join(map(ast.unparse, kept))


def solved(name, functions=None):
    return notebook(name, after=[solution(name, functions)])


# Cheating ------------------------------------------------------------------------------------------------------------


def dishonest(name, tricks, other="/nowhere.ipynb"):
    """A notebook that solves nothing and cheats, in one way after the other."""
    head = f"NAMES, OTHER, KEY = {stubs(name)!r}, {str(other)!r}, {str(ROOT / 'assignments' / 'key')!r}\n"
    tail = "globals().update({name: cheat for name in NAMES} if 'cheat' in globals() else {})"
    return notebook(name, after=[head, *(TRICKS[trick] for trick in tricks), tail])


def copied_outputs(name):
    """The stubs as they were, under the outputs of somebody who has solved it."""
    text = json.loads(notebook(name))
    for cell in text["cells"]:
        if cell["cell_type"] == "code":
            stream = {"output_type": "stream", "name": "stdout", "text": ["(0.4, 0.4)\n", "points: 10 of 10\n"]}
            cell.update(outputs=[stream], execution_count=1)
    text["metadata"]["nbgrader"] = text["metadata"]["otter"] = {"score": 10, "points": 10}
    return json.dumps(text)


# A class of 200 ------------------------------------------------------------------------------------------------------

CHATTY = "%matplotlib inline\n!ls\nfor k in range(2000): print(k)"
# How an honest notebook may stand: what is solved, what is added, and the points of 10 that follow.
HONEST = {
    "solved": lambda name: (solved(name), None),
    "first part": lambda name: (solved(name, stubs(name)[:1]), None),
    "not begun": lambda name: (notebook(name), 0),
    "a cell that fails": lambda name: (notebook(name, before=["1 / 0", "def ("], after=[solution(name)]), 10),
    "a cell without end": lambda name: (notebook(name, before=["while True: pass"], after=[solution(name)]), 10),
    "no notebook": lambda name: ('{"cells": [', 0),
    "chatty": lambda name: (notebook(name, after=[solution(name), CHATTY]), 10),
}
SHARES = {"solved": 110, "first part": 26, "not begun": 10, "a cell that fails": 5, "a cell without end": 3,
          "no notebook": 1, "chatty": 5}  # fmt: skip


def write_class(folder):
    """200 folders with a notebook each, named after what is in it."""
    folder = folder.absolute()  # those who cheat are told the place of another
    names = [name for name, share in SHARES.items() for _ in range(share)]
    for number, kind in enumerate(names):
        name = ASSIGNMENTS[number % len(ASSIGNMENTS)]
        _put(folder / f"{kind.replace(' ', '-')}-{number:03d}" / f"{name}.ipynb", HONEST[kind](name)[0])
    other = folder / "solved-000" / f"{ASSIGNMENTS[0]}.ipynb"
    for number, trick in enumerate(TRICKS):
        name = ASSIGNMENTS[number % len(ASSIGNMENTS)]
        _put(folder / f"x-{trick.replace(' ', '-')}" / f"{name}.ipynb", dishonest(name, [trick], other))
    _put(folder / "x-copied-outputs" / f"{ASSIGNMENTS[0]}.ipynb", copied_outputs(ASSIGNMENTS[0]))
    link = folder / "x-a-link" / f"{ASSIGNMENTS[0]}.ipynb"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(other)


def _put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def check(points):
    """Who has other points than due, in words, and how many cheated."""
    with points.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        kind = next((kind for kind in HONEST if row["student"].startswith(kind.replace(" ", "-"))), "")
        whole = 10 if kind in ("solved", "chatty") or "cell" in kind else 0
        due = float(row["part 1"] or 0) if kind == "first part" else whole
        if float(row["points"]) != due or (kind == "first part" and due < 3):
            wrong.append(f"{row['student']}, {row['assignment']}: {row['points']} points, {row['reason']}")
    return wrong, sum(row["student"].startswith("x-") for row in rows), len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", type=Path, metavar="POINTS")
    options = parser.parse_args()
    if not options.check:
        write_class(options.folder)
        sys.exit()
    wrong, cheated, all_of_them = check(options.check)
    wrong.append(f"{all_of_them} notebooks, {cheated} of them cheat; {len(wrong)} have other points than due")
    print("\n".join(wrong))
    sys.exit(len(wrong) > 1)
