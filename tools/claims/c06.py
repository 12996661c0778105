"""What notebook 06 says of numbers that a run could change."""

from collections.abc import Sequence

import numpy as np

from covidlab import paper
from covidlab.tables import read_table
from studies.lessons import LONG
from tools.prose import LESION_SHARE, ROOT, Claim, Source, known, output, table, together

NOTEBOOK = "06_class_imbalance"
CONTEST = ("positive only", "as many negative", "cross-entropy", "weighted cross-entropy")


def trainings(column: str, *recipes: str) -> list[np.ndarray]:
    """Where all trainings of some recipes ended, by studies/results/runs/spread.csv."""
    rows = read_table(ROOT / "studies/results/runs/spread.csv")
    found = [np.array([float(row[column]) for row in rows if row["recipe"] == recipe]) for recipe in recipes]
    if not all(len(ends) for ends in found):
        raise LookupError(f"studies/results/runs/spread.csv lacks some of {recipes}")
    return found


def spread(column: str, *recipes: str) -> Source:
    """Lowest, median and highest of each of some recipes, one after the other."""
    return lambda _: [end for ends in trainings(column, *recipes) for end in np.quantile(ends, (0, 0.5, 1)).tolist()]


def ahead(column: str, first: str, second: str) -> Source:
    """Share of pairs in which a training of the first recipe ends above one of the second; a tie is one half."""

    def read(_) -> list[float]:
        one, other = trainings(column, first, second)
        return [float(np.mean(one[:, None] > other) + np.mean(one[:, None] == other) / 2)]

    return read


def above_copy(_: list[float], true: Sequence[float]) -> bool:
    """Of the copy's F1, then three quantiles a recipe: each median is above it, no training by a tenth."""
    copy, *ends = true
    return all(middle > copy for middle in ends[1::3]) and max(ends) < copy + 0.1


COPY = output(r"^copying: F1 ([\d.]+), negative slices left empty ([\d.]+)")
COPY_F1 = output(r"^copying: F1 ([\d.]+), ")
OURS = output(r"^positive only +F1 ([\d.]+) .*empty ([\d.]+)\nas many negative +F1 ([\d.]+) .*empty ([\d.]+)")
WALK = output(r"^threshold 0.015  recall ([\d.]+)  precision ([\d.]+)")

LAZY = output(r"^precision nan  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)$")

EXPECTED_SLICES = output(r"expected among training slices: (\d+) negative, (\d+) positive")

HURRIED = output(r"one expert against the reference: F1 ([\d.]+)")

CLAIMS = [
    # What is said of the many trainings is decided by studies/results/runs/spread.csv, all on one split.
    Claim(NOTEBOOK, r"# Learn from one lesion pixel in a (hundred)", LESION_SHARE,
          lambda said, true: abs(100 / true[0] - said[0]) < 10),
    Claim(NOTEBOOK, r"Accuracy is ([\d.]+), and not one lesion is found", LAZY,
          lambda said, true: abs(said[0] - true[1]) < 0.005 and true[0] == true[2] == 0),
    Claim(NOTEBOOK, r"an empty mask has accuracy ([\d.]+) and F1 0", LAZY,
          lambda said, true: said[0] == true[1] and true[2] == 0),
    Claim(NOTEBOOK, r"about doubles the share of lesion pixels",
          output(r"all slices: ([\d.]+)% of.*\npositive slices only: ([\d.]+)%"),
          lambda _, true: 1.6 < true[1] / true[0] < 2.4),
    Claim(NOTEBOOK, r"one would expect (\d+) excluded and (\d+) left", EXPECTED_SLICES),
    Claim(NOTEBOOK, r"its own counts give (\d+) and (\d+)", EXPECTED_SLICES),
    Claim(NOTEBOOK, r"reports ([\d.]+) % to (\d+) % of lesion on a positive slice",
          known(*(100 * share for share in paper.POSITIVE_SHARE_RANGE))),
    Claim(NOTEBOOK, r"where notebook 05 takes ([\d,]+) of (\d)\b",
          known(LONG["light U-Net"].recipe.updates, LONG["light U-Net"].recipe.batch_size)),
    Claim(NOTEBOOK, r"positive slices only is ahead by a little, and both are above the copy by a little",
          together(OURS, COPY), lambda _, true: true[4] < true[2] < true[0] < true[4] + 0.06),
    Claim(NOTEBOOK, r"leaves half of them empty, fewer than a mere copy does; the second nearly all",
          together(OURS, COPY), lambda _, true: true[1] == 0.5 < true[5] and true[3] > 0.9),
    Claim(NOTEBOOK, r"between their medians lies less than (0\.\d\d)", spread("test_f1", *CONTEST[:2]),
          lambda said, true: 0 < true[1] - true[4] < said[0]),
    Claim(NOTEBOOK, r"negative slices left empty tells them apart at once", ahead("left_empty", *CONTEST[:2]),
          lambda _, true: true[0] < 0.03),
    Claim(NOTEBOOK, r"marks something on many of them; one that .* leaves nearly all of them empty",
          spread("left_empty", *CONTEST[:2]), lambda _, true: true[1] < 0.75 and true[4] > 0.85),
    Claim(NOTEBOOK, r"Most trainings of either recipe end above its F1, and not one of them by as much as 0\.1",
          together(COPY_F1, spread("test_f1", *CONTEST[:2])), above_copy),
    Claim(NOTEBOOK, r"positive slices only, the copy leaves more slices empty",
          together(COPY, spread("left_empty", CONTEST[0])), lambda _, true: true[3] < true[1]),
    Claim(NOTEBOOK, r"most trainings end little above copying the nearest slice's mask, F1 ([\d.]+)",
          together(COPY_F1, spread("test_f1", *CONTEST[:2])),
          lambda said, true: said[0] == true[0] and above_copy(said, true)),
    Claim(NOTEBOOK, r"F1 lies close together; far fewer negative slices left empty",
          ahead("left_empty", *CONTEST[:2]), lambda _, true: true[0] < 0.03),
    Claim(NOTEBOOK, r"\*nothing\* costs ([\d.]+), and \*everything\* costs ([\d.]+)\.",
          output(r"^cross_entropy {8,}([\d.]+) +([\d.]+) +\d\.\d\d$")),
    Claim(NOTEBOOK, r"both cost the same, ([\d.]+)\.",
          output(r"^weighted_cross_entropy {8,}([\d.]+) +([\d.]+) +\d\.\d\d$"), lambda said, true: true == 2 * said),
    Claim(NOTEBOOK, r"\*\*Dice\*\* gives both nearly its worst value, ([\d.]+) and ([\d.]+)\.",
          output(r"^dice {8,}([\d.]+) +([\d.]+) +\d\.\d\d$")),
    Claim(NOTEBOOK, r"From \*nothing\* Dice is about as steep as cross-entropy\. From \*everything\* it is nearly flat",
          output(r"^cross_entropy +([\d.]+) +[\d.]+ +([\d.]{6})$(?:.*\n)+?dice +([\d.]+) +[\d.]+ +([\d.]{6})$"),
          lambda _, true: 0.7 < true[2] / true[0] < 1.4 and true[3] < true[1] / 1000),
    Claim(NOTEBOOK, r"the flatter Dice gets there, while cross-entropy keeps its slope",
          output(r"^cross_entropy +([\d.]+) +([\d.]+) +[\d.]{6}$(?:.*\n)+?dice +([\d.]+) +([\d.]+) +[\d.]{6}$"),
          lambda _, true: true[1] > 0.95 * true[0] and true[3] < true[2] / 20),
    Claim(NOTEBOOK, r"cross-entropy would have won, ([\d.]+) ahead of the sum",
          output(r"^as many negative +F1 ([\d.]+)  threshold.*\ncross-entropy +F1 ([\d.]+)  threshold"),
          lambda said, true: said[0] == round(true[1] - true[0], 2)),
    Claim(NOTEBOOK, r"plain cross-entropy ends above the sum more often than not", ahead("test_f1", *CONTEST[1:3]),
          lambda _, true: true[0] < 0.35),
    Claim(NOTEBOOK, r"and weighted cross-entropy below both",
          together(*(ahead("test_f1", CONTEST[3], one) for one in CONTEST[1:3])), lambda _, true: max(true) < 0.35),
    Claim(NOTEBOOK, r"But the ranges overlap: one training of each would not have told you",
          spread("test_f1", *CONTEST[1:]), lambda _, true: max(true[0::3]) < min(true[2::3])),
    Claim(NOTEBOOK, r"cross-entropy ends above its sum with Dice more often than not, the weighted form lower",
          together(*(ahead("test_f1", one, CONTEST[1]) for one in CONTEST[2:])),
          lambda _, true: true[0] > 0.65 and true[1] < 0.35),
    Claim(NOTEBOOK, r"None of the trainings above ended so", spread("test_f1", *CONTEST),
          lambda _, true: min(true) > 0.35),
    *(
        Claim(NOTEBOOK, sentence, table("study-losses", "f1", variant=variant, part="test"))
        for sentence, variant in (
            (r"([\d.]+) for cross-entropy and", "cross entropy"),
            (r"and ([\d.]+) for the sum, ", "cross entropy and dice"),
            (r"([\d.]+) for focal loss", "focal"), (r"([\d.]+) for weighted cross-entropy", "weighted cross entropy"),
            (r"([\d.]+) for Dice and", "dice"), (r"and ([\d.]+) for Tversky", "tversky"),
            (r"Dice alone does learn: ([\d.]+), against", "dice"),
            (r"against ([\d.]+) for the sum \(section 3\)", "cross entropy and dice"),
        )
    ),
    Claim(NOTEBOOK, r"one of the three is close to 1",
          output(r"^as many negative .*threshold ([\d.]+)\ncross.*threshold ([\d.]+)\nweighted.*threshold ([\d.]+)"),
          lambda _, true: true[2] > 0.9 > 0.5 > max(true[:2])),
    Claim(NOTEBOOK, r"gains a little below one half: F1 ([\d.]+) at ([\d.]+), ([\d.]+) at one half",
          output(r"^cross-entropy +at one half F1 ([\d.]+), at the chosen ([\d.]+) F1 ([\d.]+)"),
          lambda said, true: said == [true[2], true[1], true[0]]),
    Claim(NOTEBOOK, r"half of the best F1 \(notebook 03\), here about (0\.\d+)",
          output(r"^cross-entropy +at one half F1 [\d.]+, at the chosen [\d.]+ F1 ([\d.]+)"),
          lambda said, true: said[0] == true[0] / 2),
    Claim(NOTEBOOK, r"marks far too much, F1 ([\d.]+), and .* a threshold close to 1, where it has ([\d.]+)\.",
          output(r"^weighted cross-entropy +at one half F1 ([\d.]+), at the chosen [\d.]+ F1 ([\d.]+)")),
    Claim(NOTEBOOK, r"From 0\.1 to 0\.7 F1 hardly moves",
          output(r"^threshold 0.100 .*F1 ([\d.]+)\n.*F1 ([\d.]+)\n.*F1 ([\d.]+)\nthreshold 0.700 .*F1 ([\d.]+)"),
          lambda _, true: max(true) - min(true) < 0.015),
    Claim(NOTEBOOK, r"To find (\d+) lesion pixels in a hundred, .* about a third of what is marked is then false", WALK,
          lambda said, true: said[0] == round(100 * true[0]) and 0.64 < true[1] < 0.7),
    Claim(NOTEBOOK, r"Up to one pixel none is lost: .* With two pixels (\d+) % of the smallest lesions are",
          output(r"^under 16 +(\d+)% +(\d+)% +(\d+)%"), lambda said, true: true[:2] == [0, 0] and said[0] == true[2]),
    Claim(NOTEBOOK, r"covers about (\d+) pixels of a slice of 630 x 630", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"One pixel costs the largest about a tenth of F1, and the smallest nearly half",
          output(r"^under 16 +[\d.]+ +([\d.]+)(?:.*\n)+?256 and more +[\d.]+ +([\d.]+)"),
          lambda _, true: 0.5 < true[0] < 0.58 and 0.86 < true[1] < 0.94),
    Claim(NOTEBOOK, r"the true lesions exactly would score ([\d.]+) against such an expert", HURRIED),
    Claim(NOTEBOOK, r"one pixel of wander: F1 ([\d.]+), of small lesions [\d.]+", HURRIED),
    Claim(NOTEBOOK, r"of wander: F1 [\d.]+, of small lesions ([\d.]+)",
          output(r"^under 16 +[\d.]+ +([\d.]+) ")),
    Claim(NOTEBOOK, r"agree less with each other than each does with the truth",
          output(r"the reference: F1 ([\d.]+)\ntwo experts against each other: +F1 ([\d.]+)"),
          lambda _, true: true[1] < true[0]),
]  # fmt: skip
