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

from covidlab import paper
from covidlab.experiment import recipe_for
from covidlab.results import read_table
from covidlab.training import THRESHOLDS
from covidlab.volumes import HIGHEST_HU, LOWEST_HU
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
    """The first number of a cell of results/NAME.csv: of the one row that has these values."""

    def read(_: NotebookNode) -> list[float]:
        rows = [one for one in read_table(ROOT / f"results/{name}.csv") if row.items() <= one.items()]
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows of results/{name}.csv have {row}; one should")
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
            return f"{len(found)} sentences match {self.sentence!r}; one should: mend tests/prose.py with the prose"
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



def refused(notebook: NotebookNode) -> list[float]:
    """How many of the broken files of notebook 02 the doctor refuses."""
    return [float(len(re.findall(r"^\w+: UNUSABLE$", all_text(notebook), re.MULTILINE)))]

# Weights, and F1 on train, validation and test, of the network that concatenates and of the one that adds.
JOIN = r" +([\d,]+) weights  F1 train ([\d.]+)  validation ([\d.]+)  test ([\d.]+)"
JOINS = output(rf"^concatenate{JOIN}\nsum{JOIN}$")
LOSS_SEEDS = output("\n".join(rf"^{name} +F1 ([\d.]+) ([\d.]+)  threshold.*"  # F1 with seed 0 and with seed 1
                              for name in ("cross_entropy", "weighted_cross_entropy", "cross_entropy_and_dice")))
SUM_SEEDS = output(r"^cross_entropy_and_dice +F1 ([\d.]+) ([\d.]+)")
AREA = output(r"^area, marked over reference: ([\d.]+); on all slices ([\d.]+)$")
VALIDATION_SHARE = output(r"^of the validation pixels ([\d.]+)% are lesion")
LESION_SHARE = output(r"^([\d.]+)% of all pixels are lesion")
LAZY = output(r"^precision nan  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)$")
EXPECTED_SLICES = output(r"expected among training slices: (\d+) negative, (\d+) positive")
LEFT_EMPTY = output(
    r"positive only .*left empty ([\d.]+) ([\d.]+)\nas many negative .*left empty ([\d.]+) ([\d.]+)"
)
HURRIED = output(r"one expert against the reference: F1 ([\d.]+)")
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

# Real slices, light U-Net, test: patients that also train, and patients never seen.
SLICE_F1 = table("models", "f1", variant="light_unet", part="test")
PATIENT_F1 = table("patient-radiopaedia", "f1", case="all, pooled")
CORONACASES_F1 = table("patient-coronacases", "f1", case="all, pooled")
NAMES = [row["recipe"] for row in read_table(ROOT / "results/patient-recipes.csv")]
SEEDS = [table("patient-seeds", "F1", recipe=row["recipe"]) for row in read_table(ROOT / "results/patient-seeds.csv")]
SLICE_RUN = result("results/runs/slice-recipe/scores.json", "models", "light_unet", "test", "f1")


def same_recipe(notebook: NotebookNode) -> list[float]:
    """F1 of one recipe by slice, and by patient."""
    return [round(value, 3) for value in together(SLICE_RUN, PATIENT_F1)(notebook)]


ADAPTATION_GAIN = {number: table("adaptation", f"{number} slices", patient="mean gain") for number in ("2", "8")}
RECIPES = {name: table("patient-recipes", "F1", recipe=name) for name in NAMES}
EMPTY = {name: table("patient-recipes", "negative slices left empty", recipe=name) for name in NAMES}

# Notebook 07: three networks, in the order patch CNN, FCN-8s, light U-Net.
JUDGED = "07_evaluation_and_cpu_timing"
THREE_F1 = output(  # F1 on train and test, and the threshold, of each
    "\n".join(rf"{name} +train F1 ([\d.]+) .* test F1 ([\d.]+)  threshold ([\d.]+)"
              for name in ("patch_cnn", "fcn8s", "light_unet"))
)  # fmt: skip
VALIDATION_F1 = output(
    "\n".join(rf"{name} +train F1 .* validation F1 ([\d.]+) .*" for name in ("patch_cnn", "fcn8s", "light_unet"))
)
THREE_VOLUMES = r"  volumes " + r"  +phantom_\d+_\d ([\d.]+)" * 3
VOLUMES = output(  # F1 of the three volumes, of each network
    r"\n(?:.*\n){2}".join(rf"{name}: pooled F1 [\d.]+\n{THREE_VOLUMES}"
                          for name in ("patch_cnn", "fcn8s", "light_unet"))
)
SLICES_F1 = r"  volumes .*\n  slices     quartiles ([\d.]+) .*\n"
NEGATIVES = r"  negatives  left empty ([\d.]+), false pixels on each ([\d.]+)\n?"
THREE_TABLES = output(  # lowest quartile of slices, negative slices left empty, false pixels on each; of each
    "".join(rf"{name}: pooled F1 [\d.]+\n{SLICES_F1}{NEGATIVES}" for name in ("patch_cnn", "fcn8s", "light_unet"))
)
CAUGHT = output(  # missed, positive, caught; of each
    "\n".join(rf"{name} +missed (\d+) of (\d+) positive slices, (\d+) of those .*"
              for name in ("patch_cnn", "fcn8s", "light_unet"))
)  # fmt: skip
INTERVALS = output(
    "".join(rf"{part} +over +(\d+) {what} +[\d.]+ to [\d.]+, width ([\d.]+)\n*"
            for part in ("train", "test") for what in ("patients", "slices"))
)  # fmt: skip
HD95 = output(  # median and quartiles of the patch CNN, then of FCN-8s
    r"^\| HD95, mm, [^|]*" + r" ".join([r"\| ([\d.]+) \(([\d.]+) to ([\d.]+)\)"] * 2)
)
FX_PEAK = paper.PROCESSOR_CORES / 2 * 16 * paper.PROCESSOR_GHZ
FULL_GFLOP = output(r"^FCN-8s +([\d.]+) GFLOP, at least")


def three(words: str) -> Source:
    """A row of notebook 07's table on borders: the first number of each network."""
    return output(rf"^\| {words}[^|]*" + r"\| ([\d.]+)(?: \([\d.a-z ]+\))? " * 3 + r"\|$")


def volume_gap(notebook: NotebookNode) -> list[float]:
    """By how much the volumes of one network differ in F1 at most."""
    lines = re.findall(r"^  volumes +(.*)$", all_text(notebook), re.MULTILINE)
    values = [[_number(value) for value in re.findall(r" ([\d.]+)(?:  |$)", line)] for line in lines]
    return [round(max(max(one) - min(one) for one in values), 2)]


def calls(size: int) -> Source:
    """Cold and warm milliseconds of predict and of a compiled call, and how many times as long predict takes."""
    line = rf"^{size} px, (?:predict|compiled call) +cold +(\d+) ms, warm +(\d+) ms.*\n"
    return output(line + line[1:] + rf"{size} px, warm: predict takes ([\d.]+) times")


def compiled(notebook: NotebookNode) -> list[float]:
    """Milliseconds and percent of the peak of a compiled call: FCN-8s with 1 and 2 threads, then the U-Net."""
    line = r"compiled call, \d threads: (\d+) ms, (\d+)% of peak$"
    found = re.findall(line, all_text(notebook), re.MULTILINE)
    return [_number(number) for pair in found for number in pair]


CLAIMS = [
    Claim("00_start_here", r"phantom\*\* of (ten) chest CTs", output(r"Cohort: phantom-lesson, (\d+) cases")),
    Claim("00_start_here", r"(Ten) cases of (nine) patients:", output(r"(\d+) cases of (\d+) patients$")),
    Claim(
        "00_start_here", r"About half of the slices show a lesion", output(r"slices (\d+) of which with lesion (\d+)"),
        lambda _, true: 0.45 < true[1] / true[0] < 0.55,
    ),
    Claim(
        "00_start_here",
        r"About one pixel in a (hundred)\. A program that never marks anything is right on about (99) %",
        output(r"^([\d.]+)% of all pixels are lesion"),
        lambda said, true: abs(100 / true[0] - said[0]) < 5 and abs(said[1] - (100 - true[0])) < 0.5,
    ),
    Claim("00_start_here", r"lesions are rare: about one pixel in a (hundred)",
          output(r"^([\d.]+)% of all pixels are lesion"), lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim("00_start_here", r"\| one pixel in a (hundred) \|", output(r"^([\d.]+)% of all pixels are lesion"),
          lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim("00_start_here", r"\| (\d+) of (\d+) slices show lesion .*? \| about half, too",
          known(paper.POSITIVE_SLICES, paper.SLICES)),
    Claim("01_ct_background", r"So a CT number of the lung says how much air is in it",
          output(r"half air, half water +(-?\d+) HU"), lambda _, true: true == [-500]),
    Claim("01_ct_background", r"Ground-glass lies near (-\d+) HU", output(r"^ground-glass opacity +(-\d+) HU"),
          lambda said, true: abs(said[0] - true[0]) < 60),
    Claim("01_ct_background", r"with CT numbers near (-\d+) HU for ground-glass",
          output(r"^ground-glass opacity +(-\d+) HU"), lambda said, true: abs(said[0] - true[0]) < 60),
    Claim("01_ct_background", r"Consolidated lung is nearly as dense as muscle",
          output(r"^consolidation +(-?\d+) HU"), lambda _, true: 0 < true[0] < 80),
    Claim("01_ct_background", r"Healthy lung is more than two thirds air", output(r"^healthy lung +(-\d+) HU"),
          lambda _, true: -780 < true[0] < -667),
    Claim("01_ct_background", r"The pleural change is near water", output(r"^pleural changes +(-?\d+) HU"),
          lambda _, true: abs(true[0]) < 20),
    Claim("01_ct_background", r"Nearly all that is marked is no lesion, and about a fifth of the lesion is left out",
          output(r"^precision (\d+)%, recall (\d+)%"), lambda _, true: true[0] < 20 and 75 <= true[1] <= 85),
    Claim("01_ct_background", r"A voxel is no cube: a slice is thicker than a pixel is wide",
          output(r"a voxel is ([\d.]+) times as thick"), lambda _, true: true[0] > 1.5),
    Claim("01_ct_background", r"on our slice much of the boxes is healthy",
          output(r"boxes, (\d+)% of their pixels are lesion"), lambda _, true: true[0] < 65),
    Claim("02_data_loading", r"Inside the window an error of (\d) HU is less",
          output(r"largest error inside ([\d.]+) HU"), lambda said, true: said[0] == round(true[0])),
    Claim("02_data_loading", r"the CT numbers from -1250 to 250 HU on 0 to 255",
          known(LOWEST_HU, HIGHEST_HU), lambda _, true: true == [-1250, 250]),
    Claim("02_data_loading", r"(Ten) sound files", output(r"^(\d+) cases of \d+ patients, \d+ slices")),
    Claim("02_data_loading", r"\| (\d+) slices; the paper counts (\d+) with lesion",
          known(paper.SLICES, paper.POSITIVE_SLICES)),
    Claim("02_data_loading", r"\| (\d+) slices, (\d+) with lesion, (\d+) without",
          known(paper.SLICES, paper.POSITIVE_SLICES, paper.NEGATIVE_SLICES)),
    Claim("02_data_loading", r"(Five) are refused, each with the file", refused),
    Claim("02_data_loading", r"All right by slice, and chance by patient",
          output(r"^slice +(\d+)% right;.*\npatient +(\d+)% right"),
          lambda _, true: true[0] == 100 and 47 < true[1] < 53),
    Claim("02_data_loading", r"only copies scores an F1 of ([\d.]+)\. By patient it scores ([\d.]+)\.",
          output(r"^slice .*F1 ([\d.]+)\npatient .*F1 ([\d.]+)")),
    Claim("02_data_loading", r"By slice, test is about as good as train\. By patient it falls behind",
          output(r"^slice +F1 on train ([\d.]+), on test ([\d.]+)(?:\n.*)*"
                 r"\npatient +F1 on train ([\d.]+), on test ([\d.]+)"),
          lambda _, true: true[1] > true[0] - 0.05 and true[3] < true[2] - 0.05),
    Claim("02_data_loading", r"the light U-Net reaches an F1 of ([\d.]+) by slice \(one seed\) and ([\d.]+) by patient",
          same_recipe),
    Claim("02_data_loading", r"divides its images: (\d+) % for testing, and of the rest (\d+) % for validation",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim("02_data_loading", r"The record's slices have (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
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
    Claim("05_light_unet", r"On validation precision is the higher one: there the network misses more than it "
          r"invents\. On the test part precision and recall are equal", SCORES,
          lambda _, true: true[4] > true[5] and true[9] == true[8]),
    Claim("05_light_unet", r"The test score is the lowest", SCORES, lambda _, true: true[11] == min(true[3::4])),
    Claim("05_light_unet", r"the network marks ([\d.]+) of the area\. On all slices together it marks "
          r"as \*much\* as it should, ([\d.]+):", AREA, lambda said, true: said == true and abs(true[1] - 1) < 0.05),
    Claim("05_light_unet", r"a lower threshold marks more: this one, ([\d.]+), was chosen on (two) validation patients",
          output(r"^validation .*, patients (\d+)$(?:\n.*)*?^threshold ([\d.]+)$"),
          lambda said, true: said == true[::-1]),
    Claim("05_light_unet", r"On those, precision was above recall, so there the network marks \*less\*", SCORES,
          lambda _, true: true[4] > true[5]),
    Claim("05_light_unet", r"too little on the validation patients, and as much as it should on the test",
          together(SCORES, AREA), lambda _, true: true[5] < true[4] and abs(true[13] - 1) < 0.05),
    Claim("05_light_unet", r"These outlines are about as wavy as the reference's",
          output(r"^roughness, marked over reference: ([\d.]+)"), lambda _, true: abs(true[0] - 1) < 0.05),
    Claim("05_light_unet", r"yes, on slices with lesion: ([\d.]+) of the reference's area; on all slices ([\d.]+) \|",
          AREA),
    Claim("05_light_unet", r"\| regions smoother \| not than the reference: ([\d.]+) of its roughness",
          output(r"^roughness, marked over reference: ([\d.]+)")),
    Claim("05_light_unet", r"A tenth\. Only the first convolution after each skip", JOINS,
          lambda _, true: 0.08 < 1 - true[4] / true[0] < 0.12),
    Claim("05_light_unet", r"both networks score alike on the training patients and on validation", JOINS,
          lambda _, true: max(abs(true[1] - true[5]), abs(true[2] - true[6])) < 0.025),
    Claim("05_light_unet", r"On the test patients sums are ahead, by ([\d.]+)\.", JOINS,
          lambda said, true: said[0] == round(true[7] - true[3], 2)),
    Claim("05_light_unet", r"test F1 ([\d.]+), with sums ([\d.]+); alike on train and validation", JOINS,
          lambda said, true: said == [true[3], true[7]]),
    Claim("05_light_unet", r"In notebook 06 two seeds of \*one\* smaller network lie further apart than that",
          together(JOINS, elsewhere("06_class_imbalance", SUM_SEEDS)),
          lambda _, true: abs(true[9] - true[8]) > abs(true[3] - true[7])),
    Claim("05_light_unet", r"when one pixel in a (hundred) is lesion", elsewhere("06_class_imbalance", LESION_SHARE),
          lambda said, true: abs(100 / true[0] - said[0]) < 10),
    Claim("05_light_unet", r"A slice of 630 x 630 has (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim("05_light_unet", r"The paper reports ([\d.]+) to ([\d.]+) s a slice", known(*paper.SECONDS_PER_SLICE)),
    Claim("05_light_unet", r"they fit its \"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
    Claim("05_light_unet", r"splits by slice instead: \d+ % and (\d+) %, then \d+ % and (\d+) %",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim("05_light_unet", r"cores, ([\d,]+) updates \| a lesson is short; on real slices the course uses ([\d,]+)",
          known(recipe_for(True).updates, recipe_for(False).updates)),
    Claim("03_patch_cnn", r"You cut patches and counted ([\d,]+) of them", known(paper.PATCHES_PER_SLICE)),
    Claim("03_patch_cnn", r"\| ([\d,]+) patches of 11 x 11 in a slice",
          output(r"^([\d,]+) by hand, [\d,]+ by covidlab")),
    Claim("03_patch_cnn", r"Every pixel lies in (\d+) patches", output(r"would take (\d+) times the memory")),
    Claim("03_patch_cnn", r"The threshold is not one half\. It is close to 1", output(r"^threshold ([\d.]+)$"),
          lambda _, true: 0.9 < true[0] < 1),
    Claim("03_patch_cnn", r"we stored ([\d.]+) was chosen, the last one tried", output(r"^threshold ([\d.]+)$"),
          lambda said, true: said == true == [THRESHOLDS[-1]]),
    Claim("03_patch_cnn", r"A network that says 0\.9 means: one in (seventeen)", VALIDATION_SHARE,
          lambda said, true: round(1 + (1 - true[0] / 100) / (9 * true[0] / 100)) == said[0]),
    Claim("03_patch_cnn", r"it was more than (ten) times, so more than the eight that we counted",
          output(r"ms: (\d+) times as long$"), lambda said, true: true[0] > said[0]),
    Claim("03_patch_cnn", r"Accuracy is ([\d.]+) or more on every part", SCORES,
          lambda said, true: min(true[2::4]) == said[0]),
    Claim("03_patch_cnn", r"So the share says where to look: far above one half, near ([\d.]+)\.",
          output(r"^threshold ([\d.]+)$(?:\n.*)*?^([\d.]+) among balanced patches is 0\.50 in"),
          lambda said, true: max(abs(value - said[0]) for value in true) < 0.01),
    Claim("03_patch_cnn", r"It is lower on new patients than on those that trained", SCORES,
          lambda _, true: true[11] < true[3] - 0.05),
    Claim("03_patch_cnn", r"Recall holds: .* Precision falls: much else is marked", SCORES,
          lambda _, true: true[9] > true[1] - 0.05 and true[8] < true[0] - 0.1),
    Claim("03_patch_cnn", r"It is better on both: it sees what lies around the patch",
          lambda notebook: SCORES(notebook)[3::8] + elsewhere("05_light_unet", SCORES)(notebook)[3::8],
          lambda _, true: true[0] < true[2] and true[1] < true[3]),
    Claim("03_patch_cnn", r"reaches (0\.\d+) on the patients that it learnt from, and (0\.\d+) on the same test",
          elsewhere("05_light_unet", SCORES), lambda said, true: said == [true[3], true[11]]),
    Claim("03_patch_cnn", r"F1 about (0\.\d) \|", SCORES, lambda said, true: said == [round(true[11], 1)]),
    Claim("03_patch_cnn", r"C, E, F and H are lesion", output(r"^lesion: C, E, F, H$")),
    Claim("04_fcn8s", r"At fc6 one place sees (\d+) pixels", output(r"^fc6 +sees (\d+) pixels")),
    Claim("04_fcn8s", r"Our slice of 128 pixels has (\d) x 4 places left",
          output(r"^fc6 .* one place each (\d+) pixels"), lambda said, true: said[0] == 128 / true[0]),
    Claim("04_fcn8s", r"Squares of 32 pixels allow ([\d.]+), .* Squares of 8 allow (0\.\d+)",
          output(r"32 pixels: F1 at best ([\d.]+)(?:\n.*)*?squares of  8 pixels: F1 at best ([\d.]+)$")),
    Claim("04_fcn8s", r"counted ([\d,]+) weights without building them", output(r"^FCN-8s: ([\d,]+) weights")),
    Claim("04_fcn8s", r"say what .* count the (134) million weights", output(r"^FCN-8s: ([\d,]+) weights"),
          lambda said, true: said[0] == true[0] // 1e6),
    *(
        Claim("04_fcn8s", sentence,
              output("(?:.|\\n)*?".join([r"train F1 ([\d.]+)  validation F1 ([\d.]+)  test F1"] * 3)),
              lambda _, true: true[0] > true[2] > true[4] and true[1] > true[5] > true[3])
        for sentence in (r"on the training and on the test patients; on validation the first one does not",
                         r"raises F1 on train and test, on validation only the second does")
    ),
    Claim("04_fcn8s", r"On the test patients it goes from (0\.\d+) to (0\.\d+) to (0\.\d+)",
          output(r"test F1 ([\d.]+)$(?:\n.*)*?test F1 ([\d.]+)$(?:\n.*)*?test F1 ([\d.]+)$"),
          lambda said, true: said == true[::-1] and said == sorted(said)),
    Claim("04_fcn8s", r"sees 11 pixels, reached ([\d.]+) on these test slices, and ([\d.]+) on validation\.",
          elsewhere("03_patch_cnn", SCORES), lambda said, true: said == [true[11], true[7]]),
    Claim("04_fcn8s", r"Seeing far did not pay here", together(
              elsewhere("03_patch_cnn", SCORES),
              output(r"^train F1 [\d.]+  validation F1 ([\d.]+)  test F1 ([\d.]+)$(?:\n.*)*new layers: \['up16'\]")),
          lambda _, true: true[12] < true[7] and true[13] < true[11]),
    Claim("04_fcn8s", r"FCN-8s is ahead: F1 ([\d.]+) against ([\d.]+), 128 px, protocol \*slice\*",
          together(*(table("models", "f1", variant=name, part="test") for name in ("fcn8s", "patch_cnn")))),
    Claim("04_fcn8s", r"level with the light U-Net: F1 ([\d.]+) both",
          together(*(table("phantom-630", name, measure="F1, pooled (95 % over patients)")
                     for name in ("fcn8s", "light_unet"))),
          lambda said, true: all(round(value, 2) == said[0] for value in true)),
    Claim("04_fcn8s", r"FCN-8s has (four) times as many weights as the light U-Net, and needs less arithmetic",
          output(r"^FCN-8s, an eighth +([\d.]+) .*, ([\d,]+) weights\n+light U-Net +([\d.]+) .*, ([\d,]+) weights$"),
          lambda said, true: round(true[1] / true[3]) == said[0] and true[0] < true[2]),
    # Notebook 06: most of it is said of the stored run, whose digits differ from one computer to the next.
    Claim("06_class_imbalance", r"# Learn from one lesion pixel in a (hundred)", LESION_SHARE,
          lambda said, true: abs(100 / true[0] - said[0]) < 10),
    Claim("06_class_imbalance", r"Accuracy is ([\d.]+), and not one lesion is found", LAZY,
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
    Claim("06_class_imbalance", r"where notebook 05 takes ([\d,]+) of (\d)\b",
          known(recipe_for(True).updates, recipe_for(True).batch_size)),
    Claim("06_class_imbalance", r"F1 cannot tell the two apart", output(r"^F1: told apart (True|False)"),
          lambda _, true: true == [0]),
    Claim("06_class_imbalance", r"The share of negative slices left empty can",
          output(r"^left empty: told apart (True|False)"), lambda _, true: true == [1]),
    Claim("06_class_imbalance", r"fewer than (four) in ten stay empty, against more than (eight) in ten", LEFT_EMPTY,
          lambda said, true: sum(true[:2]) / 2 < said[0] / 10 and sum(true[2:]) / 2 > said[1] / 10),
    Claim("06_class_imbalance", r"\*nothing\* costs ([\d.]+), and \*everything\* costs ([\d.]+)\.",
          output(r"^cross_entropy {8,}([\d.]+) +([\d.]+)")),
    Claim("06_class_imbalance", r"both cost the same, ([\d.]+)\.",
          output(r"^weighted_cross_entropy {8,}([\d.]+) +([\d.]+)"), lambda said, true: true == 2 * said),
    Claim("06_class_imbalance", r"\*nothing\* costs ([\d.]+) and \*everything\* ([\d.]+)\.",
          output(r"^dice {8,}([\d.]+) +([\d.]+)")),
    Claim("06_class_imbalance", r"neither of the two can be told from the sum",
          output(r"^cross_entropy and ours: told apart (True|False)\nweighted_\w+ and ours: told apart (True|False)"),
          lambda _, true: true == [0, 0]),
    Claim("06_class_imbalance", r"neither cross-entropy nor its weighted form told apart from the sum with Dice",
          output(r"^cross_entropy and ours: told apart (True|False)\nweighted_\w+ and ours: told apart (True|False)"),
          lambda _, true: true == [0, 0]),
    Claim("06_class_imbalance", r"the sum's own two seeds lie further apart than the losses do", LOSS_SEEDS,
          lambda _, true: abs(true[4] - true[5]) > max(abs(sum(true[4:]) - sum(true[k : k + 2])) / 2 for k in (0, 2))),
    Claim("06_class_imbalance", r"first seed alone .* the sum is the best of the three\. With the second .* the worst",
          LOSS_SEEDS, lambda _, true: true[4] > max(true[0], true[2]) and true[5] < min(true[1], true[3])),
    *(
        Claim("06_class_imbalance", sentence, table("study-losses", "f1", variant=variant, part="test"))
        for sentence, variant in (
            (r"([\d.]+) for cross-entropy and", "cross entropy"),
            (r"and ([\d.]+) for the sum, ", "cross entropy and dice"),
            (r"([\d.]+) for focal loss", "focal"), (r"([\d.]+) for weighted cross-entropy", "weighted cross entropy"),
            (r"([\d.]+) for Dice and", "dice"), (r"and ([\d.]+) for Tversky", "tversky"),
            (r"it does learn: ([\d.]+), against", "dice"),
            (r"against ([\d.]+) for the sum \(section 3\)", "cross entropy and dice"),
        )
    ),
    Claim("06_class_imbalance", r"at one half it scores less than as chosen",
          output(r"^cross_entropy +at one half F1 ([\d.]+), as chosen ([\d.]+)"), lambda _, true: true[0] < true[1]),
    Claim("06_class_imbalance", r"validation chose a low threshold",
          output(r"^cross_entropy .*threshold ([\d.]+) ([\d.]+)"), lambda _, true: max(true) < 0.4),
    Claim("06_class_imbalance", r"calls far too many, and validation chose a high one",
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
    # Notebook 07: what three trained networks do is said of the stored run.
    Claim(JUDGED, r"the U-Net is above FCN-8s on \*all\* parts, .*? the best of the three on each",
          together(THREE_F1, VALIDATION_F1),
          lambda _, true: all(true[c] > max(true[a], true[b]) for a, b, c in ((0, 3, 6), (1, 4, 7), (9, 10, 11)))),
    Claim(JUDGED, r"on the validation patients the little patch CNN is far ahead of FCN-8s", VALIDATION_F1,
          lambda _, true: true[0] > true[1] + 0.1),
    Claim(JUDGED, r"On the test patients the two are level, as they are on those that trained them", THREE_F1,
          lambda _, true: max(abs(true[1] - true[4]), abs(true[0] - true[3])) < 0.02),
    Claim(JUDGED, r"It has ([\d,]+) weights and sees", output(r"^patch_cnn +([\d,]+) weights")),
    Claim(JUDGED, r"there FCN-8s is still below the U-Net on test, but by less than here",
          together(
              measured(r"^\| FCN-8s, a quarter [^|]*(?:\| [^|]+ ){3}\| ([\d.]+) "),
              measured(r"^\| light U-Net (?:\| [^|]+ ){3}\| ([\d.]+) "), THREE_F1,
          ),
          lambda _, true: 0 < true[1] - true[0] < true[9] - true[6]),
    Claim(JUDGED, r"nano U-Net, a smaller sister with a quarter of the weights, fits without them",
          output(r"^our nano U-Net .* at least ([\d.]+) s"), lambda _, true: true[0] < paper.SECONDS_PER_SLICE[1]),
    Claim(JUDGED, r"Validation chose ([\d.]+) for the U-Net and ([\d.]+) for FCN-8s", THREE_F1,
          lambda said, true: said == [true[8], true[5]]),
    Claim(JUDGED, r"For the patch CNN validation chose ([\d.]+), the last threshold on offer", THREE_F1,
          lambda said, true: said[0] == true[2] == THRESHOLDS[-1]),
    Claim(JUDGED, r"the patch CNN and FCN-8s have nearly the same pooled F1", THREE_F1,
          lambda _, true: abs(true[1] - true[4]) < 0.06),
    Claim(JUDGED, r"it leaves three in four of them empty, the patch CNN one in ten, with nearly twenty times as many "
          r"false pixels", THREE_TABLES,
          lambda _, true: abs(true[4] - 3 / 4) < 0.03 and abs(true[1] - 0.1) < 0.02 and 17 < true[2] / true[5] < 20),
    Claim(JUDGED, r"Volumes of one network differ by up to ([\d.]+)\.", volume_gap),
    Claim(JUDGED, r"the two scans of phantom_03 lie further apart than its first scan and the other patient's", VOLUMES,
          lambda _, true: all(abs(true[k] - true[k + 1]) > abs(true[k] - true[k + 2]) + 0.05 for k in (0, 3, 6))),
    Claim(JUDGED, r"a quarter of its slices score under ([\d.]+) or so, and a quarter of FCN-8s' under ([\d.]+)\.",
          THREE_TABLES, lambda said, true: abs(true[0] - said[0]) < 0.02 and said[1] - 0.05 < true[3] < said[1]),
    Claim(JUDGED, r"of them score 0\.", CAUGHT, lambda _, true: true[3] > 0),
    Claim(JUDGED, r"By F1 half a square is the worst, and the far patch is nearly perfect",
          output(r"^moved +([\d.]+) .*\na patch +([\d.]+) .*\nhalf +([\d.]+) "),
          lambda _, true: true[2] == min(true) and true[1] == max(true) > 0.97),
    Claim(JUDGED, r"By HD95 the far patch is by far the worst",
          output(r"^moved +[\d.]+ +([\d.]+) .*\na patch +[\d.]+ +([\d.]+) .*\nhalf +[\d.]+ +([\d.]+) "),
          lambda _, true: true[1] > 2 * max(true[0], true[2])),
    Claim(JUDGED, r"The U-Net is the best, FCN-8s clearly the worst\. A network",
          three("NSD at 3 mm, mean over positive"),
          lambda _, true: true[2] == max(true) and true[1] < min(true[::2]) - 0.15),
    Claim(JUDGED, r"The U-Net is the best again\. The patch CNN marks something far", three("HD95, mm"),
          lambda _, true: true[2] == min(true) and true[0] > 30),
    Claim(JUDGED, r"FCN-8s has nearly the same median, and a third quartile nearly twice as large\. Where", HD95,
          lambda _, true: abs(true[3] - true[0]) < 5 and 1.6 < true[5] / true[2] < 2),
    # An infinite quartile is printed as a word, which HD95 would not match.
    Claim(JUDGED, r"Such slices are fewer than a quarter, so these quartiles do not show them", HD95,
          lambda _, true: len(true) == 6),
    Claim(JUDGED, r"The patch CNN marks a little too much, the U-Net too little\. .*? But FCN-8s marks just as little",
          three("marked area"),
          lambda _, true: 1.03 < true[0] < 1.2 and true[2] < 0.95 and abs(true[1] - true[2]) < 0.03),
    Claim(JUDGED, r"The U-Net's are as rough as the reference, the patch CNN's far rougher",
          three("roughness"), lambda _, true: abs(true[2] - 1) < 0.03 and true[0] > 1.4),
    Claim(JUDGED, r"The U-Net leaves out none, invents less than the patch CNN, and has the best borders",
          lambda notebook: [*THREE_TABLES(notebook), *CAUGHT(notebook), *three("NSD at 3 mm, mean over p")(notebook)],
          lambda _, true: true[15] == 0 and true[8] < true[2] and true[20] == max(true[18:])),
    Claim(JUDGED, r"FCN-8s invents least and leaves out whole slices",
          together(THREE_TABLES, CAUGHT),
          lambda _, true: true[5] < min(true[2], true[8]) and true[12] > 5),
    Claim(JUDGED, r"lowest NSD, smoothest outlines, ([\d.]+) of the area; U-Net: ([\d.]+) of the area, outlines",
          three("marked area"), lambda said, true: said == true[1:]),
    Claim(JUDGED, r"FCN-8s has the smoothest outlines of all, smoother than the reference",
          three("roughness"), lambda _, true: true[1] == min(true) < 0.95),
    Claim(JUDGED, r"([\d.]+) of the U-Net's; but [\d.]+ of all lesion pixels lie as near",
          three("share of misses"), lambda said, true: said[0] == true[2]),
    Claim(JUDGED, r"of the U-Net's; but ([\d.]+) of all lesion pixels lie as near",
          output(r"^([\d.]+) of all lesion pixels lie within")),
    Claim(JUDGED, r"lesions are small, so two thirds of a lesion is border",
          output(r"^([\d.]+) of all lesion pixels lie within"), lambda _, true: abs(true[0] - 2 / 3) < 0.05),
    Claim(JUDGED, r"We practise on the (five) \*training\* patients", INTERVALS, lambda said, true: said[0] == true[0]),
    Claim(JUDGED, r"too narrow, about half as wide\. It counts (\d+) witnesses, and there are (five)", INTERVALS,
          lambda said, true: said == [true[2], true[0]] and 1.6 < true[1] / true[3] < 2.6),
    Claim(JUDGED, r"the interval over patients is the narrower one\. Are two patients better .*? than (\d+) slices",
          INTERVALS, lambda said, true: said[0] == true[6] and true[5] < 0.8 * true[7]),
    Claim(JUDGED, r"The U-Net is ahead by ([\d.]+) to ([\d.]+) on each of the three volumes: .*? more than twice what",
          together(VOLUMES, INTERVALS),
          lambda said, true: said == [round(pick(true[6 + k] - true[k] for k in range(3)), 2) for pick in (min, max)]
          and said[0] > 2 * true[9 + 5]),
    Claim(JUDGED, r"(Three): both, or twice the one, or twice the other",
          output(r"^2 patients, (\d+) different drawings")),
    Claim(JUDGED, r"of the (\d+) slices that FCN-8s misses, (\d+) have a found neighbour\. .*? little more than half",
          CAUGHT, lambda said, true: said == [true[3], true[5]] and 0.5 < true[5] / true[3] < 0.65),
    Claim(JUDGED, r"The others stand in rows of misses, up to (four) long", output(r"^fcn8s .* longest miss (\d+)$")),
    Claim(JUDGED, r"all networks notice each run somewhere",
          output("\n".join([r"runs noticed (\d+) of (\d+), longest miss \d+"] * 3).replace("\n", r"\n.*")),
          lambda _, true: true[::2] == true[1::2]),
    Claim(JUDGED, r"The patch CNN and the U-Net miss no slice", CAUGHT, lambda _, true: true[0] == true[6] == 0),
    Claim(JUDGED, r"FCN-8s alone misses slices", CAUGHT, lambda _, true: true[0] == true[6] == 0 < true[3]),
    Claim(JUDGED, r"on nine in ten and on nearly half of the negative slices",
          output(r"something marked: \{'patch_cnn': '([\d.]+)', .*'light_unet': '([\d.]+)'"),
          lambda _, true: abs(true[0] - 0.9) < 0.02 and 0.42 < true[1] < 0.5),
    Claim(JUDGED, r"marks nothing on (\d+) of (\d+)\. Without those it has ([\d.]+), still the lowest",
          together(CAUGHT, three("NSD at 3 mm, mean over positive")),
          lambda said, true: said[:2] == true[3:5] and true[10] < min(true[9], true[11])
          and round(true[10] * true[4] / (true[4] - true[3]), 2) == said[2] < true[9]),
    Claim(JUDGED, r"What FCN-8s misses is mostly smaller", output(r"^fcn8s, .* median: missed (\d+)  found (\d+)"),
          lambda _, true: true[0] < 0.75 * true[1]),
    Claim(JUDGED, r"\| (\d+) of (\d+), all of them FCN-8s'", CAUGHT,
          lambda said, true: said == [true[5], true[3]] == [sum(true[2::3]), sum(true[::3])]),
    Claim(JUDGED, r"FCN-8s has (four) times as many weights as the U-Net, and takes fewer",
          output(r"^fcn8s +([\d,]+) weights.*?([\d.]+) at 630 px\n+light_unet +([\d,]+) weights.*?([\d.]+) at 630 px$"),
          lambda said, true: round(true[0] / true[2]) == said[0] and true[1] < true[3]),
    Claim(JUDGED, r"FCN-8s at full width takes (\d+) GFLOP", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0])),
    Claim(JUDGED, r"It is short by a factor of (\d+)", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0] / FX_PEAK / paper.SECONDS_PER_SLICE[1])),
    Claim(JUDGED, r"Our light U-Net is too slow by a little more than (two)",
          output(r"^our light U-Net .* at least ([\d.]+) s"),
          lambda said, true: said[0] < true[0] / paper.SECONDS_PER_SLICE[1] < said[0] + 0.5),
    Claim(JUDGED, r"FCN-8s fits at (\d+) x 64 pixels", output(r"up to (\d+) pixels a side")),
    Claim(JUDGED, r"does ([\d,]+) GFLOP/s at best\. That is (\d+) ms at about 320 x 320, and "
          r"(\d+) ms at 630", FULL_GFLOP,
          lambda said, true: said[1:] == [round(1000 * true[0] * share / said[0]) for share in (1 / 4, 1)]),
    Claim(JUDGED, r"reports ([\d.]+) to ([\d.]+) s a slice on an AMD",
          known(*paper.SECONDS_PER_SLICE)),
    Claim(JUDGED, r"The first call always takes longer, often many times",
          together(calls(128), calls(630)),
          lambda _, true: all(true[k] > true[k + 1] for k in (0, 2, 5, 7)) and true[2] > 5 * true[3]),
    Claim(JUDGED, r"`predict` loses most on small slices",
          together(calls(128), calls(630)), lambda _, true: true[4] > 1.5 * true[9]),
    Claim(JUDGED, r"every bar ends beyond the paper's range", compiled,
          lambda _, true: min(true[::2]) > 1000 * paper.SECONDS_PER_SLICE[1]),
    Claim(JUDGED, r"on one thread a compiled call reaches more than half of the peak", compiled,
          lambda _, true: len(true) == 8 and min(true[1], true[5]) > 50),
    Claim(JUDGED, r"With two threads a compiled call takes more than half of its time with one",
          compiled, lambda _, true: true[2] > true[0] / 2 and true[6] > true[4] / 2),
    Claim(JUDGED, r"measured here, 600 updates \| patient \| ([\d.]+)", THREE_F1,
          lambda said, true: said[0] == true[7]),
    Claim(JUDGED, r"7,500 updates \| slice, which leaks \| ([\d.]+)",
          SLICE_F1),
    Claim(JUDGED, r"1,500 updates after the phantom \| patient \| ([\d.]+)", PATIENT_F1),
    Claim("08_beyond_the_paper", r"Recall rises\. The threshold of these weights is low", MIRROR[0],
          lambda _, true: true[5] > true[2] and true[0] < 0.3),
    Claim("08_beyond_the_paper", r"Validation wants a higher threshold for two looks", MIRROR[1],
          lambda _, true: true[3] > true[0]),
    Claim("08_beyond_the_paper", r"F1 rises a little, and the recall that was won is given back",
          together(MIRROR[0], MIRROR[1]),
          lambda _, true: 0.005 < true[10] - true[4] < 0.03 and true[8] == true[11] < true[5]),
    Claim("08_beyond_the_paper", r"Over all pixels\*\* both doubts look excellent", DOUBT,
          lambda _, true: min(true[0], true[2]) > 0.9),
    Claim("08_beyond_the_paper", r"0\.01, both are weaker", DOUBT,
          lambda _, true: true[1] < true[0] - 0.02 and true[3] < true[2] - 0.02),
    Claim("08_beyond_the_paper", r"Twenty passes do no better than one", DOUBT,
          lambda _, true: -0.05 < true[1] - true[3] < 0.01),
    Claim("08_beyond_the_paper", r"Most missed pixels have next to no deviation",
          output(r"of the missed pixels, (\d+)% have"), lambda _, true: true[0] > 60),
    Claim("08_beyond_the_paper", r"F1 rises on phantom_03, by ([\d.]+)\. On phantom_08 it stays", ADAPTED,
          lambda said, true: said[0] == round(true[1] - true[0], 2) and true[5] == true[4]),
    Claim("08_beyond_the_paper", r"the network is worse on phantom_08 by ([\d.]+): more is lost there than was won",
          ADAPTED, lambda said, true: said[0] == round(true[2] - true[3], 2) > true[1] - true[0]),
    Claim("08_beyond_the_paper", r"Fitted to phantom_08, it is worse on phantom_03, by ([\d.]+)\.", ADAPTED,
          lambda said, true: said[0] == round(true[6] - true[7], 2)),
    Claim("08_beyond_the_paper", r"higher by ([\d.]+), or as before; on the control lower by ([\d.]+), or ([\d.]+)",
          ADAPTED, lambda said, true: said == [round(true[k] - true[j], 2) for k, j in ((1, 0), (2, 3), (6, 7))]),
    Claim("08_beyond_the_paper", r"The int8 file is about a quarter of the size",
          output(r"ONNX: ([\d.]+) MB(?:.|\n)*int8: ([\d.]+) MB"), lambda _, true: 3 < true[0] / true[1] < 5),
    Claim("08_beyond_the_paper", r"the light U-Net reaches an F1 of ([\d.]+)\.", SLICE_F1),
    Claim("08_beyond_the_paper", r"trained on from there: \+([\d.]+)\.",
          together(RECIPES["1-from-scratch"], RECIPES["2-pretrained-on-the-phantom"]),
          lambda said, true: said[0] == round(true[1] - true[0], 2)),
    Claim("08_beyond_the_paper", r"Dropped \(4\), ([\d.]+) of the negative slices stay empty instead of ([\d.]+)",
          together(EMPTY["4-and-specks-dropped"], EMPTY["3-and-turned-twice-as-far"]),
          lambda said, true: said == [round(number, 2) for number in true]),
    Claim("08_beyond_the_paper", r"and \*\*two looks at a slice\*\* \(9, as in section 3\) hardly changed F1",
          lambda notebook: [value for name in ("6-or-coronacases-added", "8-or-half-as-many-negatives",
                                               "7-and-specks-dropped", "9-or-mirrored-slices-too")
                            for value in RECIPES[name](notebook)],
          lambda _, true: abs(true[0] - true[1]) < 0.02 and abs(true[2] - true[3]) < 0.02),
    Claim("08_beyond_the_paper", r"F1 ([\d.]+) without coronacases, ([\d.]+) with them",
          together(PATIENT_F1, CORONACASES_F1)),
    Claim("08_beyond_the_paper", r"are that recipe: ([\d.]+), ([\d.]+) and ([\d.]+)\.", together(*SEEDS[:3])),
    Claim("08_beyond_the_paper", r"it gave ([\d.]+) with the first seeds", SEEDS[0]),
    Claim("08_beyond_the_paper", r"Now the three lie between ([\d.]+) and ([\d.]+)\.", together(*SEEDS[4:7]),
          lambda said, true: said == [min(true), max(true)]),
    Claim("08_beyond_the_paper", r"three times the time, and better than each of them", together(*SEEDS),
          lambda _, true: true[3] > max(true[:3]) and true[7] > max(true[4:7])),
    Claim("08_beyond_the_paper", r"The same recipe by slice gives ([\d.]+), by patient ([\d.]+): the",
          same_recipe),
    Claim("08_beyond_the_paper", r"the leak is worth (\d+) points", same_recipe,
          lambda said, true: said[0] == round(100 * (true[0] - true[1]))),
    Claim("08_beyond_the_paper", r"the phantom alone, and no real slice, reach ([\d.]+) on them",
          table("phantom-to-real", "f1", case="all, pooled")),
    Claim("08_beyond_the_paper", r"by ([\d.]+) in the mean of six, and two slices lowered it by ([\d.]+) ",
          together(ADAPTATION_GAIN["8"], ADAPTATION_GAIN["2"]),
          lambda said, true: said == [true[0], -true[1]]),
    Claim("08_beyond_the_paper", r"or 0\.\d+; on real patients higher by ([\d.]+) \|", ADAPTATION_GAIN["8"]),
    Claim("08_beyond_the_paper", r"([\d,]+) weights take with 8 bits", output(r"^([\d,]+) weights, [\d.]+ MB")),
    Claim("08_beyond_the_paper", r"\"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
]  # fmt: skip
