"""What notebook 02 says of numbers that a run could change."""

import re
from collections.abc import Callable

from nbformat import NotebookNode

from covidlab import paper
from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU
from covidlab.tables import read_table
from tools.notebook_guards import all_text
from tools.prose import ROOT, Claim, known, output, same_recipe

NOTEBOOK = "02_data_loading"


def refused(notebook: NotebookNode) -> list[float]:
    """How many of the broken files of notebook 02 the doctor refuses."""
    return [float(len(re.findall(r"^\w+: UNUSABLE$", all_text(notebook), re.MULTILINE)))]


def ends(protocol: str, column: str) -> list[float]:
    """Where the nano U-Net's trainings under a protocol ended, by studies/results/runs/spread.csv."""
    rows = read_table(ROOT / "studies/results/runs/spread.csv")
    return [float(row[column]) for row in rows if row["recipe"] == f"nano U-Net {protocol}"]


def worst_gap(protocol: str, pick: Callable) -> float:
    """By how much train F1 lies above test F1: the largest or the smallest of these gaps."""
    return pick(train - test for train, test in zip(ends(protocol, "train_f1"), ends(protocol, "test_f1")))


CLAIMS = [
    Claim(NOTEBOOK, r"Inside the window an error of (\d) HU is less",
          output(r"largest error inside ([\d.]+) HU"), lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"the CT numbers from -1250 to 250 HU on 0 to 255",
          known(LOWEST_HU, HIGHEST_HU), lambda _, true: true == [-1250, 250]),
    Claim(NOTEBOOK, r"(Ten) sound files", output(r"^(\d+) cases of \d+ patients, \d+ slices")),
    Claim(NOTEBOOK, r"\| (\d+) slices; the paper counts (\d+) with lesion",
          known(paper.SLICES, paper.POSITIVE_SLICES)),
    Claim(NOTEBOOK, r"\| (\d+) slices, (\d+) with lesion, (\d+) without",
          known(paper.SLICES, paper.POSITIVE_SLICES, paper.NEGATIVE_SLICES)),
    Claim(NOTEBOOK, r"(Five) are refused, each with the file", refused),
    Claim(NOTEBOOK, r"All right by slice, and chance by patient",
          output(r"^slice +(\d+)% right;.*\npatient +(\d+)% right"),
          lambda _, true: true[0] == 100 and 47 < true[1] < 53),
    Claim(NOTEBOOK, r"only copies scores an F1 of ([\d.]+)\. By patient it scores ([\d.]+)\.",
          output(r"^slice .*F1 ([\d.]+)\npatient .*F1 ([\d.]+)")),
    Claim(NOTEBOOK, r"By slice, test is about as good as train\. By patient it falls behind",
          lambda _: [worst_gap("by slice", max), worst_gap("by patient", min)],
          lambda _, true: true[0] < 0.05 < true[1]),
    Claim(NOTEBOOK, r"the lowest test F1 by slice lies above the highest by patient",
          lambda _: [min(ends("by slice", "test_f1")), max(ends("by patient", "test_f1"))],
          lambda _, true: true[0] > true[1]),
    Claim(NOTEBOOK, r"the light U-Net reaches an F1 of ([\d.]+) by slice \(one seed\) and ([\d.]+) by patient",
          same_recipe),
    Claim(NOTEBOOK, r"divides its images: (\d+) % for testing, and of the rest (\d+) % for validation",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim(NOTEBOOK, r"The record's slices have (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
]  # fmt: skip
