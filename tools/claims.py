"""What the notebooks say of numbers that are not in their own outputs; see tools/prose.py.

Of many trainings they say what studies/results/runs/spread.csv holds, all on one split.
"""

import math
import re

import nbformat
import numpy as np
from nbformat import NotebookNode

from covidlab import paper
from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU
from covidlab.tables import read_table
from covidlab.training.recipe import recipe_for
from studies.lessons import LONG
from studies.spread import RECIPES, TRAININGS
from tools.notebook_guards import all_text
from tools.prose import (
    RESULTS,
    ROOT,
    Claim,
    Source,
    known,
    lesson,
    output,
    read_page,
    table,
    together,
)  # fmt: skip

# Numbers of questions and of other papers, by notebook.
EXAMPLES = {
    "00_start_here": "0.73",
    "01_ct_background": "0.95",
    "02_data_loading": "0.82 0.03 0.95",
    "03_patch_cnn": "0.01 0.99",
    "06_class_imbalance": "0.66 0.62",
    "10_real_patients": "0.87 5.394 3.015",
    "11_share_a_scan": "0.19",
}

# Real slices, light U-Net, test: patients with slices in training, and patients never seen; and one recipe by either
# protocol.
SLICE_F1 = table("models.md", "f1", variant="light_unet", part="test")
PATIENT_F1 = table("patient-radiopaedia.md", "f1", case="all, pooled")
SLICE_RUN = table("runs/pixel-counts.csv", "f1", study="slice-recipe", part="test")
SECONDS = known(*paper.SECONDS_PER_SLICE)
SPLIT = known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))
LONG_RECIPE = LONG["light U-Net"].recipe
THREE = ("patch-cnn", "fcn-8s", "light-u-net")


def same_recipe(notebook: NotebookNode) -> list[float]:
    """F1 of one recipe by slice, and by patient."""
    return [round(value, 3) for value in together(SLICE_RUN, PATIENT_F1)(notebook)]


def study(page: str, *variants: str) -> Source:
    """F1 on test of some variants of a study."""
    return together(*(table(page, "f1", variant=variant, part="test") for variant in variants))


# Where trainings end ------------------------------------------------------------------------------------------------


def trainings(column: str, recipe: str) -> np.ndarray:
    """Where all trainings of a recipe ended."""
    rows = read_table(TRAININGS)
    ends = np.array([float(row[column]) for row in rows if row["recipe"] == recipe])
    if not len(ends):
        raise LookupError(f"{TRAININGS.name} has no training of {recipe}")
    return ends


def number_of(*recipes: str) -> int:
    """How many trainings of some recipes there are."""
    return sum(len(trainings("validation_f1", name)) for name in recipes)


def spread(column: str, *recipes: str) -> Source:
    """Lowest, median and highest of each of some recipes, one after the other."""
    return lambda _: [float(end) for name in recipes for end in np.quantile(trainings(column, name), (0, 0.5, 1))]


def mean(column: str, *recipes: str) -> Source:
    """The mean of all trainings of each of some recipes, to two digits."""
    return lambda _: [round(float(trainings(column, name).mean()), 2) for name in recipes]


def ends_on_test(recipe: str) -> Source:
    """How many trainings of a recipe there are, and the lowest and the highest F1 on test, to two digits."""

    def read(_: NotebookNode) -> list[float]:
        f1 = trainings("test_f1", recipe)
        return [len(f1), round(float(f1.min()), 2), round(float(f1.max()), 2)]

    return read


def by_first_weights(recipe: str) -> Source:
    """By how much F1 on test differs between trainings of a recipe on one kind of kernel: at least, of all kinds."""

    def read(_: NotebookNode) -> list[float]:
        rows = [row for row in read_table(TRAININGS) if row["recipe"] == recipe]
        lanes = {row["lane"] for row in rows}
        return [min(np.ptp([float(row["test_f1"]) for row in rows if row["lane"] == lane]) for lane in lanes)]

    return read


def gaps(protocol: str) -> Source:
    """By how much train F1 lies above test F1, at least and at most."""

    def read(_: NotebookNode) -> list[float]:
        gap = trainings("train_f1", f"nano U-Net {protocol}") - trainings("test_f1", f"nano U-Net {protocol}")
        return [float(gap.min()), float(gap.max())]

    return read


def ahead(column: str, first: str, second: str) -> Source:
    """From how many first weights the first recipe ends above the second, by how much at least and at most: the ten
    trainings of each that notebook 06 shows, on one kind of processor."""

    def read(_: NotebookNode) -> list[float]:
        rows = [row for row in read_table(TRAININGS) if row["lane"] == "oneDNN"]
        ends = ([float(row[column]) for row in rows if row["recipe"] == name] for name in (first, second))
        difference = np.subtract(*ends)
        return [int((difference > 0).sum()), float(difference.min()), float(difference.max())]

    return read


# The course's own networks ------------------------------------------------------------------------------------------


def three(score: str) -> Source:
    """A score on test of each of the three networks."""
    return together(*(lesson(run, score, "test") for run in THREE))


def best_band(_: NotebookNode) -> list[float]:
    """F1 of the best band of grey, as notebook 01 prints it."""
    notebook = nbformat.read(ROOT / "notebooks" / "01_ct_background.ipynb", as_version=4)
    return output(r"^-?\d+ to -?\d+ HU: F1 ([\d.]+)")(notebook)


START = [
    Claim(r"\| (\d+) of (\d+) slices show lesion .*? \| about half, too", known(paper.POSITIVE_SLICES, paper.SLICES)),
]
# F1 of the copied masks by slice: pooled, then of each split.
COPIED = output(r"^slice +[\d.]+ +[\d.]+ +([\d.]+) +([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)$")
DATA = [
    Claim(r"the CT numbers from (-\d+) to (\d+) HU on 0 to 255", known(LOWEST_HU, HIGHEST_HU)),
    Claim(r"greys go from 0 \((-\d+) HU or less\) to 255 \((\d+) HU or more\)", known(LOWEST_HU, HIGHEST_HU)),
    Claim(r"The paper counts (\d+) of (\d+) slices with lesion", known(paper.POSITIVE_SLICES, paper.SLICES)),
    Claim(r"By slice, test F1 is about as good as train F1\. By patient, test F1 falls behind",
          together(gaps("by slice"), gaps("by patient")), lambda _, true: true[1] < 0.05 < true[2]),
    Claim(r"the lowest test F1 by slice lies above the highest by patient",
          spread("test_f1", "nano U-Net by slice", "nano U-Net by patient"), lambda _, true: true[0] > true[5]),
    Claim(r"an F1 of ([\d.]+), and by patient next to nothing, on each of the four splits",
          together(COPIED, output(r"^patient +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)$")),
          lambda said, true: said == true[:1] and min(true[1:5]) > 0.7 and max(true[5:]) < 0.15),
    Claim(r"loses to the machine that only copies, on the same split\. By patient, it scores far above the copy",
          together(spread("test_f1", "nano U-Net by slice", "nano U-Net by patient"), COPIED,
                   output(r"^patient +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+) ")),
          lambda _, true: true[2] < true[7] and true[3] > 3 * true[-1]),
    *(
        Claim(sentence, SLICE_F1, lambda said, true: said[0] == round(true[0], 2))
        for sentence in (r"The course's light U-Net scores ([\d.]+) there by slice",
                         r"A network scores an F1 of ([\d.]+) by slice, and a lookup table")
    ),
    Claim(r"remember that the best band of grey had (0\.\d+)", best_band),
    Claim(r"the light U-Net \(not the one that gave 0\.87\) reaches an F1 of ([\d.]+) by slice "
          r"\(one split\) and ([\d.]+) by patient", same_recipe),
    Claim(r"divides its images: (\d+) % for testing, and of the rest (\d+) % for validation", SPLIT),
]  # fmt: skip
PATCHES = [
    Claim(r"Validation chose the last threshold of the list",
          output(r"^threshold ([\d.]+); the last of the list is ([\d.]+)$"),
          lambda _, true: true[0] == true[1]),
    Claim(r"On the slices that it was trained on, the rule comes nearer",
          together(output(r"^ +0\.99 +([\d.]+) +([\d.]+)$"),
                   output(r"^0\.99 on the training slices: by Bayes' rule ([\d.]+), counted ([\d.]+)$")),
          lambda _, true: abs(true[2] - true[3]) < abs(true[0] - true[1])),
]  # fmt: skip
FCN = [
    Claim(r"We ran (\d+) short trainings, from ten random initialisations, each on four processor settings\. "
          r"Their test F1 lay anywhere between ([\d.]+) and ([\d.]+)",
          ends_on_test("FCN-8s")),
    Claim(r"the random initialisation alone moves test F1 by more than any step here",
          together(by_first_weights("FCN-8s"), *(
              lesson(name, "f1", "train", "validation", "test") for name in ("fcn-32s", "fcn-16s", "fcn-8s"))),
          lambda _, true: true[0] > max(after - before for before, after in zip(true[1:7], true[4:]))),
    Claim(r"below it on both: F1 ([\d.]+) against ([\d.]+), and ([\d.]+) against (0\.\d+)",
          together(*(lesson(run, "f1", part) for part in ("train", "test") for run in ("fcn-8s", "light-u-net")))),
    Claim(r"FCN-8s and the light U-Net are level: F1 ([\d.]+) and ([\d.]+), on the phantom",
          together(*(table("judged.md#phantom-630", name, measure="F1, pooled (95 % over patients)")
                     for name in ("fcn8s", "light_unet")))),
    Claim(r"FCN-8s is far behind: F1 ([\d.]+) against ([\d.]+), on patients never seen",
          together(*(lesson(run, "f1", "test") for run in ("fcn-8s", "light-u-net")))),
    Claim(r"the wide FCN-8s is behind, too: ([\d.]+) against the U-Net's ([\d.]+) ",
          together(*(table("models.md", "f1", variant=name, part="test") for name in ("fcn8s", "light_unet")))),
    Claim(r"times as many maps in each layer, and (\d+) times as many weights",
          output(r"^([\d,]+) weights, in the package .* as published ([\d,]+)$"),
          lambda said, true: said == [round(true[1] / true[0])]),
]  # fmt: skip
# Fractions of the lesion pixels that are missed, at the border and inside, and inside with the ten noises.
MISSED = r"^\| {} \| (\d+)% \| (\d+)% \|"
CUT_AND_BLUR = MISSED.format("without skip {}") + r".*\n\| blur \| (\d+)% \| (\d+)% \|"
WITH_NOISE = r"^missed inside, by each of the {}: (\d+)% to (\d+)%"
UNET = [
    Claim(r"We keep a few of them, (three) for every (ten) with lesion",
          known(recipe_for(True).negatives_per_positive), lambda said, true: said[0] / said[1] == true[0]),
    Claim(r"After each \*\*epoch\*\*, here (\d+) updates", known(LONG_RECIPE.updates_per_epoch)),
    Claim(r"trained beforehand for ([\d,]+) updates", known(LONG_RECIPE.updates)),
    Claim(r"but a fifth of the updates", known(RECIPES["light U-Net"].recipe.updates, LONG_RECIPE.updates),
          lambda _, true: 5 * true[0] == true[1]),
    Claim(r"Over (\d+) short trainings of each \(ten random initialisations, each on four processor settings\), "
          r"test F1 has a mean of ([\d.]+) with concatenation and ([\d.]+) with sums",
          together(known(number_of("light U-Net")), mean("test_f1", "light U-Net", "light U-Net with sums")),
          lambda said, true: said == true),
    Claim(r"we chose ours to fit its \"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
    Claim(r"cores \| ([\d,]+) updates; on real slices ([\d,]+)",
          known(LONG_RECIPE.updates, recipe_for(False).updates)),
    Claim(r"F1 ([\d.]+) against ([\d.]+) \(notebook 04, the same number of updates\)",
          together(*(lesson(run, "f1", "test") for run in ("light-u-net", "fcn-8s")))),
    Claim(r"Real slices show no difference either", study("studies.md#joins", "concatenate", "sum"),
          lambda _, true: abs(true[0] - true[1]) < 0.01),
    Claim(r"turns bright, and F1 falls to ([\d.]+)\.", output(r"^without skip 1 +test F1 ([\d.]+)")),
    Claim(r"There the cut of skip 1 misses hardly more than the blur, and less than each of the ten noises\.",
          together(output(CUT_AND_BLUR.format(1)), output(WITH_NOISE.format("ten noises"))),
          lambda _, true: true[1] - true[3] <= 1 and true[1] < true[4]),
    Claim(r"The cut of skip 2 misses as much inside as noise does, and more than the blur",
          together(output(CUT_AND_BLUR.format(2)), output(WITH_NOISE.format("noises matched to skip 2"))),
          lambda _, true: true[4] <= true[1] <= true[5] and true[1] > true[3] + 2),
    Claim(r"Trained without skip 1, a network draws even the borders as well\.",
          together(output(MISSED.format("trained without skip 1")), output(MISSED.format("all skips"))),
          lambda _, true: abs(true[0] - true[2]) <= 1),
    Claim(r"But (\d+) % of the yellow lies on slices without any lesion",
          output(r"^(\d+)% of the false pixels lie on slices without lesion")),
]  # fmt: skip

POSITIVE, NEGATIVE, PLAIN, WEIGHTED = (
    "positive only", "as many negative", "cross-entropy", "weighted cross-entropy",
)  # fmt: skip
LONGER, MATCHED, DICE = "positive only, 360 updates", "as many negative, 360 updates", "Dice alone"
LARGER = "as many negative, batches of 16"


# What the text calls each loss of the study.
STUDIED = {
    "cross-entropy": "cross-entropy", "cross-entropy plus Dice": "cross-entropy-and-dice", "focal": "focal",
    "weighted cross-entropy": "weighted-cross-entropy", "Dice": "dice", "Tversky": "tversky",
}  # fmt: skip


def seeds(run: str, digits: int = 3) -> Source:
    """Test F1 of both seeds of what a study varied."""
    both = together(*(table("runs/pixel-counts.csv", "f1", run=f"{run}/seed{seed}", part="test") for seed in (0, 1)))
    return lambda notebook: [round(f1, digits) for f1 in both(notebook)]


IMBALANCE = [
    Claim(r"reports ([\d.]+) % to (\d+) % of lesion on a positive slice",
          known(*(100 * share for share in paper.POSITIVE_SHARE_RANGE))),
    Claim(r"With equal updates, \*positive only\* is ahead in F1 from each of the ten random",
          together(ahead("test_f1", POSITIVE, NEGATIVE), ahead("test_f1", LONGER, MATCHED)),
          lambda _, true: (true[0], true[3]) == (10, 10)),
    *(
        Claim(sentence, ahead("left_empty", POSITIVE, NEGATIVE), lambda _, true: true[0] == 0 and true[2] < -0.1)
        for sentence in (r"A network that never saw a negative slice marks something on many of them",
                         r"ahead in F1 with equal updates; far fewer negative slices left empty")
    ),
    Claim(r"with twice the updates it is ahead itself, from nine of the ten, and with batches of 16 from five\.",
          together(ahead("test_f1", MATCHED, POSITIVE), ahead("test_f1", LARGER, POSITIVE)),
          lambda _, true: (true[0], true[3]) == (9, 5)),
    Claim(r"a longer training does not mend that", ahead("left_empty", MATCHED, LONGER), lambda _, true: true[0] == 10),
    Claim(r"The other difference stays", ahead("left_empty", MATCHED, POSITIVE), lambda _, true: true[0] == 10),
    Claim(r"But it leaves only seven in ten negative slices empty, and the second leaves all",
          output(r"^positive only +threshold .* left empty ([\d.]+)\n"
                 r"as many negative +threshold .* left empty ([\d.]+)$"),
          lambda _, true: round(true[0], 1) == 0.7 and true[1] == 1),
    *(
        Claim(sentence, together(ahead("test_f1", PLAIN, NEGATIVE), ahead("test_f1", NEGATIVE, WEIGHTED)),
              lambda _, true: (true[0], true[3]) == (10, 8))
        for sentence in (
            r"Cross-entropy alone beats the sum from all ten initialisations\.",
            r"ends above its sum with Dice from ten of ten initialisations \|")
    ),
    Claim(r"Yet the sum's range overlaps with both others: one training of each, from different initialisations",
          spread("test_f1", NEGATIVE, PLAIN, WEIGHTED), lambda _, true: true[0] < true[8] and true[3] < true[2]),
    Claim(r"Where (\d+) of 100 lesion pixels are found, one marked pixel in five is false\.",
          output(r"^threshold 0\.030  recall ([\d.]+)  precision ([\d.]+)"),
          lambda said, true: said[0] == round(100 * true[0]) and round(5 * (1 - true[1])) == 1),
    Claim(r"none of the (\d+) trainings behind these notebooks did", spread("validation_f1", *RECIPES),
          lambda said, true: said == [number_of(*RECIPES)]
          and all(low > middle / 2 for low, middle in zip(true[::3], true[1::3]))),
    Claim(r"Without normalisation (\d) of 10 trainings of our recipe did",
          table("studies.md#collapse", "below 0.35", variant="as it was")),
    Claim(" ".join(rf"\| {words} \| ([\d.]+) \| ([\d.]+) \|" for words in STUDIED),
          together(*(seeds(f"losses/{loss}") for loss in STUDIED.values())),
          lambda said, true: said == true and min(true[:4]) > max(true[4:])),
    Claim(r"On real slices, after 1,000 updates, cross-entropy and the sum tie",
          together(seeds("losses/cross-entropy-and-dice"), seeds("losses/cross-entropy")),
          lambda _, true: abs(sum(true[:2]) - sum(true[2:])) < 0.01),
    Claim(r"From all (ten) random initialisations Dice alone ended below the sum", ahead("test_f1", NEGATIVE, DICE),
          lambda said, true: said[0] == true[0]),
    Claim(r"The (ten) lay between ([\d.]+) and ([\d.]+): ", ends_on_test(DICE)),
]  # fmt: skip

FULL_GFLOP = output(r"^\| FCN-8s, full width \| ([\d.]+) \|")
# The FX-8320 does 16 operations a clock and module at best, at up to 4 GHz.
FX_PEAK = paper.PROCESSOR_CORES / 2 * 16 * 4.0


# A row of notebook 07: a network, its pooled F1, and F1 of the three test volumes, both scans of phantom_03 first.
VOLUMES = r"^\| {} \| {} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$"


def volumes(notebook: NotebookNode) -> list[list[float]]:
    """F1 of each volume, a list a network."""
    lines = re.findall(VOLUMES.format("[^|]+", "[\\d.]+"), all_text(notebook), re.MULTILINE)
    return [[float(f1) for f1 in line] for line in lines]


def leads(notebook: NotebookNode) -> list[float]:
    """By how much the U-Net is ahead of the patch CNN on a volume, at least and at most."""
    patch, _, unet = volumes(notebook)
    found = [round(one - other, 2) for one, other in zip(unet, patch, strict=True)]
    return [min(found), max(found)]


# Of each of the three networks, on training and on test.
RECALLS = together(*(
    (lambda notebook, read=read: [round(value, 2) for value in read(notebook)])
    for read in (lesson(run, "recall", "train", "test") for run in ("fcn-8s", "light-u-net", "patch-cnn"))
))  # fmt: skip
NSD_630 = together(*(
    (lambda notebook, read=read: [round(value, 2) for value in read(notebook)])
    for read in (table("judged.md#phantom-630", name, measure="NSD at 3 mm, mean over positive slices")
                 for name in ("fcn8s", "light_unet"))
))  # fmt: skip
# Rows of that notebook: false-positive rates of training and of test, precision on test and at training's recall and
# rate; NSD around lesions, at 2 px and at 1 px, and the pixels missed and marked falsely there; what is missed at the
# border and inside, in per cent, by the mask as it is and by one of the reference's area.
RATES = r"^\| {} \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+) \| ([\d.]+) \|$"
NSD = r"^\| {} \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \| (\d+) \| (\d+) \|$"
MISSED = r"^\| {} \| (\d+)%, (\d+)% \| (\d+)%, (\d+)% \|$"
EVALUATION = [
    Claim(r"marking as carefully as in training, its precision would fall from ([\d.]+) to ([\d.]+), and it fell to "
          r"([\d.]+) ",
          together(output(r"^\| U-Net \| train \| ([\d.]+) \|"), output(RATES.format("U-Net"))),
          lambda said, true: said == [true[0], true[4], true[3]]),
    Claim(r"The U-Net lost more than that, for its rate more than doubled\. FCN-8s' rate halved",
          together(output(RATES.format("U-Net")), output(RATES.format("FCN-8s"))),
          lambda _, true: true[2] < true[3] and true[1] > 2 * true[0] and abs(true[5] / true[4] - 1 / 2) < 0.05),
    Claim(r"In validation each network has an F1 of ([\d.]+) or less on",
          output(r"one patient with an F1 of ([\d.]+) or less\.\*$")),
    Claim(r"FCN-8s is still below the U-Net on test, by slice, but by less than here",
          together(table("models.md", "f1", variant="fcn8s", part="test"), SLICE_F1, three("f1")),
          lambda _, true: 0 < true[1] - true[0] < true[4] - true[3]),
    Claim(r"On test pooled F1 gains ([\d.]+), .*? rise from ([\d.]+) to ([\d.]+)\.",
          together(output(r"^\| patch CNN \| ([\d.]+)" + r" \| [\d.]+" * 3 + r" \|$"),
                   output(r"^patch CNN: negative slices left empty ([\d.]+);"),
                   output(r"^test, 40 px: F1 ([\d.]+), left empty ([\d.]+)$")),
          lambda said, true: said == [round(true[2] - true[0], 2), true[1], true[3]]),
    Claim(r"the patch CNN draws the border as well as the U-Net, at either tolerance\. .*? the patch CNN draws a "
          r"lesion too small, the U-Net too large, .*? FCN-8s is lowest even around the lesions .*? misses most of all",
          together(*(output(NSD.format(name)) for name in ("patch CNN", "U-Net", "FCN-8s"))),
          lambda _, true: all(abs(true[k] - true[4 + k]) < 0.02 and true[8 + k] < true[k] - 0.1 for k in range(2))
          and true[2] > true[3] and true[6] < true[7] and true[10] > max(true[2], true[6])),
    Claim(r"an NSD of ([\d.]+) for FCN-8s, ([\d.]+) for the U-Net", NSD_630),
    Claim(r"There the U-Net misses (\d+) % at a border and (\d+) % inside", output(MISSED.format("U-Net")),
          lambda said, true: said == true[2:]),
    Claim(r"the same 12 misses would have even more found neighbours",
          together(output(r"^FCN-8s: missed (\d+) of .*: (\d+), \d+, \d+$"), output(r"at random: ([\d.]+) of them")),
          lambda _, true: true[0] == 12 and true[2] > true[1]),
    Claim(r"(\d+) of FCN-8s' (\d+) missed slices have a found one right beside them",
          output(r"^FCN-8s: missed (\d+) of .*: (\d+), \d+, \d+$"), lambda said, true: said == true[::-1]),
    Claim(r"9 of 12 by the very next, no more than by chance: ([\d.]+) on average",
          output(r"at random: ([\d.]+) of them")),
    Claim(r"FCN-8s loses a third of its recall, the U-Net ([\d.]+), and the patch CNN nothing",
          together(*(lesson(run, "recall", "train", "test") for run in ("fcn-8s", "light-u-net", "patch-cnn"))),
          lambda said, true: abs(1 - true[1] / true[0] - 1 / 3) < 0.02 and said[0] == round(true[2] - true[3], 2)
          and true[5] >= true[4]),
    Claim(r"it falls for FCN-8s, ([\d.]+) to ([\d.]+), hardly for the others \|", RECALLS,
          lambda said, true: said == true[:2] and true[2] - true[3] < 0.03 and true[4] - true[5] < 0.03),
    Claim(r"Volumes of one network differ by up to ([\d.]+), even two scans of one patient\.",
          lambda notebook: [max(max(f1) - min(f1) for f1 in volumes(notebook)),
                            max(f1[0] - f1[1] for f1 in volumes(notebook))],  # the two scans of phantom_03 come first
          lambda said, true: said == [round(true[0], 2)] and true[0] == true[1]),
    Claim(r"the U-Net is ahead on each test volume, by ([\d.]+) to ([\d.]+)\.", leads),
    Claim(r"With two patients the ends of the interval are simply the F1 of the one and of the other\.",
          together(output(r"^U-Net on test: F1 [\d.]+, interval ([\d.]+) to ([\d.]+)$"),
                   *(output(rf"^phantom_{name} alone: F1 ([\d.]+)$") for name in ("03", "08"))),
          lambda _, true: sorted(true[:2]) == sorted(true[2:])),
]  # fmt: skip

TIMING = [
    Claim(r"it would have to be (\d+) times as fast as it can be.*? none makes up for (\d+)\.", FULL_GFLOP,
          lambda said, true: said == [round(true[0] / FX_PEAK / paper.SECONDS_PER_SLICE[1])] * 2),
    Claim(r"Our light U-Net is too slow by a factor of (two)", output(r"^\| our U-Net \| [\d.]+ \| ([\d.]+) \|$"),
          lambda said, true: said[0] == round(true[0] / paper.SECONDS_PER_SLICE[1])),
    Claim(r"does ([\d,]+) GFLOP/s at best\. That is (\d+) ms at about 320 x 320, and (\d+) ms at 630", FULL_GFLOP,
          lambda said, true: said[1:] == [round(1000 * true[0] * share / said[0]) for share in (1 / 4, 1)]),
    Claim(r"## 2\. The paper's ([\d.]+) to ([\d.]+) seconds", SECONDS),
    Claim(r"reports ([\d.]+) to ([\d.]+) s per slice on an AMD", SECONDS),
]  # fmt: skip

CALIBRATED = "calibration-phantom.md"
# Of the four versions of a scan: the two ends of its predicted interval, and its true F1.
VERSIONS = [
    output(rf"^\| {name} \| [\d.]+ \| ([\d.]+) to ([\d.]+) \| ([\d.]+) \|$")
    for name in ("as it is", "blurred", "noise of 150 HU", "right lung filled")
]
PREDICTED = together(*(output(rf"^\| {name} \| ([\d.]+) \| [\d.]+ to ")
                       for name in ("as it is", "blurred", "noise of 150 HU")))  # fmt: skip
# Of each version: F1 of the network alone, inside the lungs, and with the greys shifted.
STEPS = {
    name: output(rf"^\| {name} \|" + r" ([\d.]+) \|" * 3 + "$")
    for name in ("as it is", "noise of 150 HU", "blurred", "right lung filled")
}
# How many of 100 lesion pixels lie in the air, and in what each further step takes for lung.
LUNG_STEPS = together(*(output(rf"^\| {step} \| [\d.]+ \| (\d+)% \|$") for step in (
    "air", "closing", "lung above and below", "lung lost at the back", "lung_mask", "and 2 pixels around"
)))  # fmt: skip


def missed_whole(_: NotebookNode) -> list[float]:
    """Of scans outside of their interval, with a true F1 under 0.01: how many, and how many of one patient."""
    rows = read_table(RESULTS / "runs" / "calibration-phantom.csv")
    found = [row["patient"] for row in rows if float(row["F1"]) < min(0.01, float(row["low"]))]
    return [len(found), max(map(found.count, found))]


TRUST = [
    Claim(r"These weights score ([\d.]+) where those scored ([\d.]+),",
          together(output(r"^F1 on both patients ([\d.]+)$"), lesson("light-u-net", "f1", "test"))),
    Claim(r"The air alone misses half of the lesions: .*? gains most\. .*? raises this to (\d+) %", LUNG_STEPS,
          lambda said, true: said == true[2:3] and abs(true[0] - 50) < 5
          and true[1] - true[0] > max(after - before for before, after in zip(true[1:], true[2:]))),
    Claim(r"Keeping the mask inside helps, and the shifted greys help once more, to ([\d.]+); on the blurred scan they "
          r"cost a little\.", together(STEPS["noise of 150 HU"], STEPS["blurred"]),
          lambda said, true: said == true[2:3] and true[0] < true[1] < true[2] and 0 < true[4] - true[5] < 0.05),
    Claim(r"On the other versions the lungs change nothing\.",
          together(*(STEPS[name] for name in ("as it is", "blurred", "right lung filled"))),
          lambda _, true: true[::3] == true[1::3]),
    Claim(r"It is (\d+) in 100 on one patient and (\d+) on the other\.",
          together(*(output(rf"^phantom_{name}: of the pixels given about 0\.8\d, ([\d.]+) are")
                     for name in ("03", "08"))),
          lambda said, true: said == [round(100 * share) for share in true]),
    Claim(r"The \*order\* of the first three is right: the untouched scan, then the blurred, then the noisy one",
          together(PREDICTED, *VERSIONS[:3]),
          lambda _, true: true[:3] == sorted(true[:3], reverse=True) and true[5] > true[8] > true[11]),
    Claim(r"and each true F1 lies above its interval", together(*VERSIONS[:3]),
          lambda _, true: all(f1 > high for high, f1 in zip(true[1::3], true[2::3]))),
    Claim(r"The interval held (\d+) of (\d+) scans as they are, and ([\d.]+) of (\d+) ",
          together(output(r"^15 scans: (\d+) true F1 lie"), output(r"^75 scans: \d+ true F1 lie inside, ([\d.]+);"),
                   *(table(CALIBRATED, "inside the 90 % interval", scans=scans)
                     for scans in ("15 as they are", "75 disturbed"))),
          lambda said, true: said == [true[0], 15, true[1], 75] and round(true[0] / 15, 2) == true[2] < 0.9
          and true[1] == true[3]),
    Claim(r"worth something \(rank correlation ([\d.]+) and ([\d.]+)\)",
          together(*(output(rf"^{scans} scans: .* rank correlation ([\d.]+)$") for scans in (15, 75)))),
    Claim(r"Of the five crosses at the bottom four are one patient's", missed_whole, lambda _, true: true == [5, 4]),
    Claim(r"on all four versions of our scan the predicted interval missed the true F1", together(*VERSIONS),
          lambda _, true: not any(low <= f1 <= high for low, high, f1 in zip(true[::3], true[1::3], true[2::3]))),
    Claim(r"Its predicted F1 is high, and nearly all of its lesion is missed", VERSIONS[3],
          lambda _, true: true[2] < 0.1 < true[0]),
    Claim(r"left out of the fit once, ECE falls from ([\d.]+) to ([\d.]+) \(",
          together(*(table(CALIBRATED, column, scans="15 as they are") for column in ("ECE", "ECE, calibrated")))),
    Claim(r"ECE falls a little for one patient and rises for the other: each curve",
          together(*(output(rf"^phantom_{name}, corrected by .*ECE ([\d.]+) before, ([\d.]+) after")
                     for name in ("03", "08"))),
          lambda _, true: true[1] < true[0] and true[3] > true[2]),
    Claim(r"Near lesions both are weaker, and twenty passes do no better than one\.",
          together(*(output(rf"^{name}: AUROC over all pixels ([\d.]+), near lesions ([\d.]+)$")
                     for name in ("20 passes", r"p \(1 - p\)"))),
          lambda _, true: true[1] < true[0] and true[1] <= true[3] < true[2]),
    Claim(r"on the blurred scan ([\d.]+), not ([\d.]+)\.", together(VERSIONS[1], STEPS["blurred"]),
          lambda said, true: said == [true[2], true[-1]]),
]  # fmt: skip

# F1 before, and its change, on the patient adapted to and on the control, for each of two patients.
ADAPTED = together(*(
    output(rf"^\| phantom_{name} \| phantom_{scored} \| ([\d.]+) \| ~(-?[\d.]+) \|$")
    for name, other in (("03", "08"), ("08", "03")) for scored in (f"{name}, other slices", f"{other}, the control")))
GAP = output(r"^gap of 2: \d+ slices, F1 [\d.]+ before, changed by ~(-?[\d.]+)$")
SEEDS = together(*(table("held-out.md#patient-seeds", "F1", recipe=row["recipe"])
                   for row in read_page("held-out.md#patient-seeds")))  # fmt: skip
# By how much recipe D is ahead of recipe C on each volume.
PAIRS = [
    round(float(coronacases["f1"]) - float(row["f1"]), 3)
    for row, coronacases in zip(read_page("patient-radiopaedia.md"), read_page("patient-coronacases.md"), strict=True)
    if row["case"].startswith("radiopaedia")
]
# What two annotated slices changed, on each patient.
TWO_SLICES = known(*(
    float(row["2 slices"]) - float(row["0 slices"])
    for row in read_page("held-out.md#adaptation") if not row["patient"].startswith("mean")
))  # fmt: skip
GAIN = {number: table("held-out.md#adaptation", f"{number} slices", patient="mean gain") for number in (2, 8)}


def copied(_: NotebookNode) -> list[float]:
    """F1 by slice, on real slices, of a machine that only copies masks."""
    text = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
    found = re.search(r"nearest training slice [^|]+ has F1 ([\d.]+) by slice", text)
    return [round(float(found[1]), 2)]


def recipes(column: str, *names: str) -> Source:
    """A column of what helps on patients never seen, of some recipes."""
    return together(*(table("held-out.md#patient-recipes", column, recipe=name) for name in names))


# F1 of both seeds with all of the maps on the way up, half, a quarter, and a quarter with a wider way down.
WAYS_UP = together(*(seeds(f"symmetry/{name}") for name in
                     ("symmetric", "half-up", "a-quarter-up", "a-quarter-up-and-wider-down")))  # fmt: skip


def in_evaluation(pattern: str) -> Source:
    """Numbers that notebook 07 prints."""
    return lambda _: output(pattern)(nbformat.read(ROOT / "notebooks" / "07_evaluation.ipynb", as_version=4))


REAL = [
    Claim(r"More is lost on the control than was won: F1 rises by ([\d.]+) on phantom_03, and phantom_08 loses "
          r"([\d.]+)\.", ADAPTED, lambda said, true: said == [true[1], -true[3]] and said[1] > said[0]),
    Claim(r"The other way round nothing is won\.", ADAPTED, lambda _, true: true[5] == 0 > true[7]),
    Claim(r"leave out two on either side, and F1 falls by ([\d.]+) on phantom_03\.", GAP,
          lambda said, true: said[0] == -true[0]),
    Claim(r"thick slices cost most\. .*? F1 falls from ([\d.]+) to ([\d.]+) if .*?, to ([\d.]+) if both must have it, "
          r"and to ([\d.]+) against the thin slices themselves\.",
          together(*(output(rf"^{name}: F1 ([\d.]+)$") for name in (
              "as it is", "slices of 10 mm", "slices of 10 mm, lesion where both thin slices have it",
              "slices of 10 mm, against the reference as it was drawn", "a lower dose", "a softer kernel"))),
          lambda said, true: said == true[:4] and max(true[1:4]) < min(true[4:])),
    Claim(r"left of the light U-Net's ([\d.]+) on patients", SLICE_F1),
    Claim(r"The start from the phantom's weights is worth most: ([\d.]+) instead of ([\d.]+)\.",
          recipes("F1", "2-pretrained-on-the-phantom", "1-from-scratch"),
          lambda said, true: said == [round(value, 2) for value in true]),
    Claim(r"were the coronacases worth ([\d.]+)\?",
          together(PATIENT_F1, table("patient-coronacases.md", "f1", case="all, pooled")),
          lambda said, true: said == [round(true[1] - true[0], 3)]),
    Claim(r"The bootstrap's interval leaves out the 0; Student's t, which suits eight patients better, just holds it\.",
          together(output(r"by the bootstrap (-?[\d.]+) to [\d.]+$"), output(r"^by Student's t (-?[\d.]+) to [\d.]+$")),
          lambda _, true: true[0] > 0 > true[1] > -0.01),
    Claim(r"Recipe D is ahead on nine of the ten volumes, though on two of these by ([\d.]+) or less\.", known(*PAIRS),
          lambda said, true: (len(true), sum(gain > 0 for gain in true)) == (10, 9)
          and sum(0 < gain <= said[0] for gain in true) == 2),
    Claim(r"Luck moved F1 by ([\d.]+), more than the ([\d.]+) that the coronacases",
          together(SEEDS, PATIENT_F1, table("patient-coronacases.md", "f1", case="all, pooled")),
          lambda said, true: said == [round(max(true[:3]) - min(true[:3]), 2), round(true[-1] - true[-2], 3)]),
    Claim(r"three times the time and is better than each of them", SEEDS,
          lambda _, true: true[3] > max(true[:3]) and true[7] > max(true[4:7])),
    Claim(r"by ([\d.]+) on average, while two slices lowered it by ([\d.]+),",
          together(GAIN[8], GAIN[2]),
          lambda said, true: said == [true[0], -true[1]]),
    Claim(r"the mean of (three) falls and (three) rises\.", TWO_SLICES,
          lambda said, true: said == [sum(gain < 0 for gain in true), sum(gain > 0 for gain in true)]),
    Claim(r"this test cannot tell \| F1 ([\d.]+), real, by slice; a machine that only copies masks has ([\d.]+) ",
          together(SLICE_F1, copied)),
    Claim(r"machine of notebook 02 that only copies masks has ([\d.]+) on these slices", copied),
    Claim(r"no network was trained without it \| F1 ([\d.]+), real, by patient; an empty mask has 0", PATIENT_F1),
    Claim(r"By patient our recipe C has ([\d.]+), and by slice ([\d.]+): nobody",
          lambda notebook: same_recipe(notebook)[::-1]),
    Claim(r"on new patients \| open: the paper did not ask \| F1 ([\d.]+), real, by patient", PATIENT_F1),
    Claim(r"borders wrong by 2 px cost ([\d.]+) and ([\d.]+) of F1 in two trainings",
          together(*(seeds(f"borders/{pixels}-px", digits=4) for pixels in (0, 2))),
          lambda said, true: said == sorted(round(true[k] - true[k + 2], 3) for k in range(2))),
    Claim(r"holds for FCN-8s, hardly for others \| FCN-8s from ([\d.]+) to ([\d.]+); new phantom patients", RECALLS,
          lambda said, true: said == true[:2] and true[2] - true[3] < 0.03 and true[4] - true[5] < 0.03),
    Claim(r"FCN-8s, a quarter as wide: F1 ([\d.]+) against ([\d.]+), but its fall from training is no larger",
          together(*(table("models.md", "f1", variant=name, part=part)
                     for part in ("test", "train") for name in ("fcn8s", "light_unet"))),
          lambda said, true: said == true[:2] and true[0] < true[1] and true[2] - true[0] <= true[3] - true[1]),
    Claim(r"NSD around the lesions that each touched ([\d.]+) against ([\d.]+); new phantom patients",
          together(*(in_evaluation(NSD.format(name)) for name in ("FCN-8s", "U-Net"))),
          lambda said, true: said == true[::4]),
    Claim(r"those that turn round at 630 pixels", NSD_630, lambda _, true: true[0] >= true[1]),
    Claim(r"([\d.]+) of the reference's area; real, by slice",
          table("judged.md#models", "light_unet", measure="marked area / reference area")),
    Claim(r"by the very next, ([\d.]+) if the misses are dealt out at random",
          in_evaluation(r"at random: ([\d.]+) of them")),
    Claim(r"F1 ([\d.]+) with 50 slices, ([\d.]+) with all; known", study("studies.md#annotated", "50", "400")),
    Claim(r"F1 ([\d.]+) with a quarter of the weights \|", table("models.md", "f1", variant="nano_unet", part="test")),
    Claim(r"\| ([\d.]+) to ([\d.]+) s per slice on an ordinary PC", SECONDS),
    Claim(r"Fewer maps on the way up ended lower each time, also with as many weights put elsewhere", WAYS_UP,
          lambda _, true: max(true[2:]) < min(true[:2])),
    Claim(r"the worst with all maps has ([\d.]+), the best of six with fewer ([\d.]+)\. By luck alone that comes once "
          r"in (\d+) times", WAYS_UP,
          lambda said, true: said == [min(true[:2]), max(true[2:]), math.comb(len(true), 2)]),
    Claim(r"the worst with all maps has F1 ([\d.]+), the best with fewer ([\d.]+); known", WAYS_UP,
          lambda said, true: said == [min(true[:2]), max(true[2:])]),
    Claim(r"trained on another day, at ([\d.]+) twice: that gap is wider",
          together(seeds("annotated/400"), seeds("borders/0-px"), WAYS_UP),
          lambda said, true: {*true[:4]} == {*said} and min(true[4:6]) - said[0] > min(true[4:6]) - max(true[6:])),
    Claim(r"with lesion on (\d) of its (\d+) slices, both recipes have an F1 of ([\d.]+)\.",
          together(*(table(f"patient-{name}.csv", column, case="radiopaedia_29_86490_1") for name, column in (
              ("radiopaedia", "positive"), ("radiopaedia", "slices"), ("radiopaedia", "f1"), ("coronacases", "f1")))),
          lambda said, true: said[:2] == true[:2] and said[2:] * 2 == [round(f1, 2) for f1 in true[2:]]),
    Claim(r"The dot at ([\d.]+) may be a collapse as in notebook 06; its twin reached ([\d.]+)\.", WAYS_UP,
          lambda said, true: said == true[4:6]),
]  # fmt: skip

SHARE = [
    Claim(r"The search finds (\d+)\. It was given", output(r"^the search finds (\d+) of")),
    Claim(r"The delete-list loses: (\d+) of the (\d+) survive it", output(r"^delete-list: (\d+) of (\d+) left")),
    Claim(r"Thirty of thirty, and nothing in the clean twin",
          output(r"^found (\d+) of (\d+); false alarms 0; .*twin (\d+)$"), lambda _, true: true == [30, 30, 0]),
    Claim(r"all thirty identifiers are found, among hundreds of false alarms",
          output(r"^found (\d+) of \d+; false alarms (\d{3});"), lambda _, true: true[0] == 30),
    Claim(r"Of the (\d+) people (\d+) are alone with an age in years, and (\d+) with a decade",
          together(output(r"in years: \d+ of (\d+)"), output(r"in years: (\d+)"), output(r"in decades: (\d+)"))),
]  # fmt: skip

CLAIMS = {
    "00_start_here": START,
    "02_data_loading": DATA,
    "03_patch_cnn": PATCHES,
    "04_fcn8s": FCN,
    "05_light_unet": UNET,
    "06_class_imbalance": IMBALANCE,
    "07_evaluation": EVALUATION,
    "08_cpu_timing": TIMING,
    "09_trust_a_mask": TRUST,
    "10_real_patients": REAL,
    "11_share_a_scan": SHARE,
}
