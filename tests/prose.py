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

from nbformat import NotebookNode

from covidlab import paper
from covidlab.experiment import recipe_for
from tests.notebook_guards import all_text

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


def known(*numbers: float) -> Source:
    """Numbers that the package or the paper's constants hold."""
    return lambda _: [float(number) for number in numbers]


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
            return f"{len(found)} sentences match {self.sentence!r}; one should: mend tests/prose.py with the prose"
        try:
            true = self.source(notebook)
        except LookupError as error:
            return f"{found[0][0]!r}: {error}"
        said = [_number(group) for group in found[0].groups()]
        return None if self.holds(said, true) else f"{found[0][0]!r} is not true any more: it should say {true}"


WORDS = {"true": 1, "false": 0, "two": 2, "eight": 8, "nine": 9, "ten": 10, "eighty": 80, "ninety": 90}


def _number(text: str) -> float:
    return float(WORDS.get(text.lower(), text.replace(",", "")))


PART = r"precision ([\d.]+)  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)"
SCORES = output(rf"^train +{PART}\nvalidation +{PART}\ntest +{PART}$")  # four scores of train, validation, test

LESION_SHARE = output(r"^([\d.]+)% of all pixels are lesion")
LAZY = output(r"^precision nan  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)$")
EXPECTED_SLICES = output(r"expected among training slices: (\d+) negative, (\d+) positive")
LEFT_EMPTY = output(
    r"positive only .*left empty ([\d.]+) ([\d.]+)\nas many negative .*left empty ([\d.]+) ([\d.]+)"
)
HURRIED = output(r"one expert against the reference: F1 ([\d.]+)")

CLAIMS = [
    Claim("00_start_here", r"phantom\*\* of (ten) chest CTs", output(r"Cohort: phantom-lesson, (\d+) cases")),
    Claim("00_start_here", r"(Ten) cases of (nine) patients:", output(r"(\d+) cases of (\d+) patients$")),
    Claim(
        "00_start_here", r"About half of the slices show a lesion", output(r"slices (\d+) of which with lesion (\d+)"),
        lambda _, true: 0.45 < true[1] / true[0] < 0.55,
    ),
    Claim(
        "00_start_here", r"About one pixel in (ninety)\. A program that never marks anything is right on nearly (99) %",
        output(r"^([\d.]+)% of all pixels are lesion"),
        lambda said, true: abs(100 / true[0] - said[0]) < 5 and 0 <= said[1] - (100 - true[0]) < 0.5,
    ),
    Claim("00_start_here", r"lesions are rare: about one pixel in (ninety)",
          output(r"^([\d.]+)% of all pixels are lesion"), lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim(
        "05_light_unet", r"About (\d) MB, so under (\d) MB", output(r"on disk ([\d.]+) MB"),
        lambda said, true: round(true[0]) == said[0] and true[0] < said[1],
    ),
    Claim("05_light_unet", r"\| under 3 MB \| ([\d.]+) MB without optimiser state", output(r"on disk ([\d.]+) MB")),
    Claim(
        "05_light_unet", r"Nearly half sit where the picture is smallest", output(r"bottleneck (\d+)% of all weights"),
        lambda _, true: 42 <= true[0] < 50,
    ),
    Claim("05_light_unet", r"Accuracy is nearly 1 everywhere", SCORES, lambda _, true: min(true[2::4]) >= 0.98),
    Claim("05_light_unet", r"On the test part precision is higher than recall", SCORES,
          lambda _, true: true[8] > true[9]),
    Claim("05_light_unet", r"And the test score is the lowest", SCORES, lambda _, true: true[11] == min(true[3::4])),
    Claim("05_light_unet", r"True on these patients", output(r"smaller than the reference: (True|False)"),
          lambda _, true: true == [1]),
    Claim("05_light_unet", r"\| regions slightly smaller \| yes: precision above recall", SCORES,
          lambda _, true: true[8] > true[9]),
    Claim("05_light_unet", r"A slice of 630 x 630 has (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim("05_light_unet", r"The paper reports ([\d.]+) to ([\d.]+) s a slice", known(*paper.SECONDS_PER_SLICE)),
    Claim("05_light_unet", r"they fit its \"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
    Claim("05_light_unet", r"splits by slice instead: \d+ % and (\d+) %, then \d+ % and (\d+) %",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim("05_light_unet", r"cores, (\d+) updates \| a lesson is short; on real slices the course uses ([\d,]+)",
          known(recipe_for(True).updates, recipe_for(False).updates)),
    # Notebook 06: most of it is said of the stored run, whose digits differ from one computer to the next.
    Claim("06_class_imbalance", r"# Learn from one lesion pixel in (ninety)", LESION_SHARE,
          lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim("06_class_imbalance", r"Accuracy is nearly ([\d.]+), and not one lesion is found", LAZY,
          lambda said, true: abs(said[0] - true[1]) < 0.005 and true[0] == true[2] == 0),
    Claim("06_class_imbalance", r"an empty mask has accuracy ([\d.]+) and F1 0", LAZY,
          lambda said, true: said[0] == true[1] and true[2] == 0),
    Claim("06_class_imbalance", r"about doubles the share of lesion pixels",
          output(r"all slices: ([\d.]+)% of.*\npositive slices only: ([\d.]+)%"),
          lambda _, true: 1.6 < true[1] / true[0] < 2.4),
    Claim("06_class_imbalance", r"one would expect (\d+) excluded and (\d+) left", EXPECTED_SLICES),
    Claim("06_class_imbalance", r"its own counts give (\d+) and (\d+)", EXPECTED_SLICES),
    Claim("06_class_imbalance", r"reports ([\d.]+) % to (\d+) % of lesion on a positive slice",
          known(*(100 * share for share in paper.POSITIVE_SHARE_RANGE))),
    Claim("06_class_imbalance", r"F1 cannot tell the two apart", output(r"^F1: told apart (True|False)"),
          lambda _, true: true == [0]),
    Claim("06_class_imbalance", r"The share of negative slices left empty can",
          output(r"^left empty: told apart (True|False)"), lambda _, true: true == [1]),
    Claim("06_class_imbalance", r"fewer than (two) in ten stay empty, against nearly (eight) in ten", LEFT_EMPTY,
          lambda said, true: sum(true[:2]) / 2 < said[0] / 10 and 0.7 < sum(true[2:]) / 2 < said[1] / 10),
    Claim("06_class_imbalance", r"\*nothing\* costs ([\d.]+), and \*everything\* costs ([\d.]+)\.",
          output(r"^cross_entropy {8,}([\d.]+) +([\d.]+)")),
    Claim("06_class_imbalance", r"both cost the same, ([\d.]+)\.",
          output(r"^weighted_cross_entropy {8,}([\d.]+) +([\d.]+)"), lambda said, true: true == 2 * said),
    Claim("06_class_imbalance", r"\*nothing\* costs ([\d.]+) and \*everything\* ([\d.]+)\.",
          output(r"^dice {8,}([\d.]+) +([\d.]+)")),
    Claim("06_class_imbalance", r"cross-entropy alone cannot be told from the sum",
          output(r"^cross_entropy and ours: told apart (True|False)"), lambda _, true: true == [0]),
    Claim("06_class_imbalance", r"the sum did alike with both seeds",
          output(r"^cross_entropy_and_dice +F1 ([\d.]+) ([\d.]+)"), lambda _, true: abs(true[0] - true[1]) < 0.05),
    Claim("06_class_imbalance", r"at one half it scores less than as chosen",
          output(r"^cross_entropy +at one half F1 ([\d.]+), as chosen ([\d.]+)"), lambda _, true: true[0] < true[1]),
    Claim("06_class_imbalance", r"validation chose a low threshold",
          output(r"^cross_entropy .*threshold ([\d.]+) ([\d.]+)"), lambda _, true: max(true) < 0.4),
    Claim("06_class_imbalance", r"calls too many, and validation chose a high one",
          output(r"^weighted_cross_entropy .*threshold ([\d.]+) ([\d.]+)"), lambda _, true: min(true) > 0.6),
    Claim("06_class_imbalance", r"covers about (\d+) pixels of a slice of 630 x 630", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim("06_class_imbalance", r"One pixel costs the largest about a tenth of F1, and the smallest nearly half",
          output(r"^under 16 +[\d.]+ +([\d.]+)(?:.*\n)+?256 and more +[\d.]+ +([\d.]+)"),
          lambda _, true: 0.5 < true[0] < 0.58 and 0.86 < true[1] < 0.94),
    Claim("06_class_imbalance", r"the true lesions exactly would score ([\d.]+) against such an expert", HURRIED),
    Claim("06_class_imbalance", r"one pixel of wander: F1 ([\d.]+), of small lesions [\d.]+", HURRIED),
    Claim("06_class_imbalance", r"of wander: F1 [\d.]+, of small lesions ([\d.]+)",
          output(r"^under 16 +[\d.]+ +([\d.]+) ")),
    Claim("06_class_imbalance", r"agree less with each other than each does with the truth",
          output(r"the reference: F1 ([\d.]+)\ntwo experts against each other: +F1 ([\d.]+)"),
          lambda _, true: true[1] < true[0]),
]  # fmt: skip
