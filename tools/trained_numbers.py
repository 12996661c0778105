"""A pytest plugin beside nbval: numbers of a training that a notebook runs lie where such trainings ended before.

They are printed behind a tilde, which the sanitising file makes equal, since no two kinds of processor end a training
at the same digits. Here the fresh ones are compared with studies/results/runs/spread.csv: forty trainings of each
recipe, on imitated processors and from other weights. So no notebook has to assert anything before a reader's eyes.
"""

import re
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from covidlab.tables import read_table

TABLE = Path(__file__).resolve().parents[1] / "studies" / "results" / "runs" / "spread.csv"
# A row of `lesson_runs.comparison`: the recipe, then train, validation and test F1.
ROW = re.compile(r"^\| ([^|]+?), yours,[^|]*\| ~([\d.]+|nan) \| ~([\d.]+|nan) \| ~([\d.]+|nan) \|", re.MULTILINE)
PARTS = ("train_f1", "validation_f1", "test_f1")
# Beyond the lowest and the highest of the trainings known: there are processors that nobody here has.
MARGIN = 0.1


def faults(text: str, table: list[dict[str, str]]) -> list[str]:
    """What is printed behind tildes and lies elsewhere than trainings of its recipe did; rows of no recipe, too."""
    found = []
    for recipe, *values in ROW.findall(text):
        known = [row for row in table if row["recipe"] == recipe]
        if not known:
            found.append(f"{recipe!r} is no recipe of {TABLE.name}")
            continue
        for part, value in zip(PARTS, values):
            ends = [float(row[part]) for row in known]
            low, high = min(ends) - MARGIN, max(ends) + MARGIN
            if not low <= float(value) <= high:
                found.append(f"{recipe}: {part} {value} is not within {low:.2f} to {high:.2f}")
    return found


def shown(cell: IPyNbCell) -> str:
    """The words of a cell's fresh outputs."""
    outputs = cell.test_outputs or ()
    texts = (output.get("text", "") + str(output.get("data", {}).get("text/markdown", "")) for output in outputs)
    return "\n".join(texts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if isinstance(item, IPyNbCell) and (wrong := faults(shown(item), read_table(TABLE))):
        raise AssertionError("; ".join(wrong))
    return result
