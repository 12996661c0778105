"""What notebook 02 says of numbers that a run could change."""

import re

from nbformat import NotebookNode

from covidlab import paper
from covidlab.volumes import HIGHEST_HU, LOWEST_HU
from tests.notebook_guards import all_text
from tests.prose import Claim, known, output, same_recipe

NOTEBOOK = "02_data_loading"
def refused(notebook: NotebookNode) -> list[float]:
    """How many of the broken files of notebook 02 the doctor refuses."""
    return [float(len(re.findall(r"^\w+: UNUSABLE$", all_text(notebook), re.MULTILINE)))]

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
          output(r"^slice +F1 on train ([\d.]+), on test ([\d.]+)(?:\n.*)*"
                 r"\npatient +F1 on train ([\d.]+), on test ([\d.]+)"),
          lambda _, true: true[1] > true[0] - 0.05 and true[3] < true[2] - 0.05),
    Claim(NOTEBOOK, r"the light U-Net reaches an F1 of ([\d.]+) by slice \(one seed\) and ([\d.]+) by patient",
          same_recipe),
    Claim(NOTEBOOK, r"divides its images: (\d+) % for testing, and of the rest (\d+) % for validation",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim(NOTEBOOK, r"The record's slices have (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
]  # fmt: skip
