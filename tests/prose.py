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


def readme(pattern: str) -> Source:
    """Numbers of the README: the groups of the one place where the pattern matches."""

    def read(_: NotebookNode) -> list[float]:
        found = re.findall(pattern, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
        if len(found) != 1:
            raise LookupError(f"{len(found)} places of the README match {pattern!r}; one should")
        return [_number(group) for group in ([found[0]] if isinstance(found[0], str) else found[0])]

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


WORDS = {"true": 1, "false": 0, "nine": 9, "ten": 10, "eighty": 80, "ninety": 90}


def _number(text: str) -> float:
    return float(WORDS.get(text.lower(), text.replace(",", "")))


PART = r"precision ([\d.]+)  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)"
SCORES = output(rf"^train +{PART}\nvalidation +{PART}\ntest +{PART}$")  # four scores of train, validation, test

# Threshold, F1 and recall of one look and of two, at the old threshold and at the new one.
MIRROR = [
    output(r"mirror False threshold (0\.\d+)  F1 ([\d.]+)  recall ([\d.]+)\n"
           r"mirror True  threshold (0\.\d+)  F1 ([\d.]+)  recall ([\d.]+)\n" + after)
    for after in ("(?=mirror)", "(?!mirror)")
]  # fmt: skip
DOUBT = output(  # over all pixels and near lesions: of 20 passes, of p (1 - p)
    r"20 passes: all pixels ([\d.]+), near lesions ([\d.]+)\np \(1 - p\): all pixels ([\d.]+), near lesions ([\d.]+)"
)
ONE = r"phantom_\d+: ([\d.]+) before, ([\d.]+) after; the other: ([\d.]+) before, ([\d.]+) after"
ADAPTED = output(rf"{ONE}\n(?:\[progress.*\n)?{ONE}")  # of each of the two patients, and of the other one

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
    Claim("08_beyond_the_paper", r"Recall rises\. The threshold of these weights is low", MIRROR[0],
          lambda _, true: true[5] > true[2] and true[0] < 0.3),
    Claim("08_beyond_the_paper", r"Validation wants a higher threshold for two looks", MIRROR[1],
          lambda _, true: true[3] > true[0]),
    Claim("08_beyond_the_paper", r"F1 remains above that of one look, yet below that of the first table",
          lambda notebook: MIRROR[0](notebook) + MIRROR[1](notebook),
          lambda _, true: true[7] < true[10] < true[4]),
    Claim("08_beyond_the_paper", r"Over all pixels\*\* both doubts look excellent", DOUBT,
          lambda _, true: min(true[0], true[2]) > 0.9),
    Claim("08_beyond_the_paper", r"0\.01, both are weaker", DOUBT,
          lambda _, true: true[1] < true[0] - 0.05 and true[3] < true[2] - 0.05),
    Claim("08_beyond_the_paper", r"Twenty passes do hardly better than one", DOUBT,
          lambda _, true: -0.02 < true[1] - true[3] < 0.05),
    Claim("08_beyond_the_paper", r"Most missed pixels have next to no deviation",
          output(r"of the missed pixels, (\d+)% have"), lambda _, true: true[0] > 60),
    Claim("08_beyond_the_paper", r"In the run that we stored, F1 rises on both patients, and in", ADAPTED,
          lambda _, true: true[1] > true[0] and true[5] > true[4]),
    Claim("08_beyond_the_paper", r"lie beside slice (\d+), which was annotated",
          output(r"^phantom_03 slices 0 (\d+) ")),
    Claim("08_beyond_the_paper", r"it does not fall on the \*other\* patient", ADAPTED,
          lambda _, true: true[3] >= true[2] and true[7] >= true[6]),
    Claim("08_beyond_the_paper", r"The int8 file is about a quarter of the size",
          output(r"ONNX: ([\d.]+) MB(?:.|\n)*int8: ([\d.]+) MB"), lambda _, true: 3 < true[0] / true[1] < 5),
    Claim("08_beyond_the_paper", r"three seeds \| ([\d.]+) \|", readme(r"^\| test \| 0\.876.*\| ([\d.]+) \(")),
    Claim("08_beyond_the_paper", r"\| patients 10 and 14, never seen \| patient, one seed \| ([\d.]+)",
          readme(r"^\| patients 10 and 14 (?:\| [\d.]+ ){3}\| ([\d.]+) ")),
    Claim("08_beyond_the_paper", r"\| patients 27 and 29, never seen \| patient, one seed \| ([\d.]+)",
          readme(r"^\| patients 27 and 29 (?:\| [\d.]+ ){3}\| ([\d.]+) ")),
    Claim("08_beyond_the_paper", r"([\d,]+) weights take with 8 bits", output(r"^([\d,]+) weights, [\d.]+ MB")),
    Claim("08_beyond_the_paper", r"\"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
]  # fmt: skip
