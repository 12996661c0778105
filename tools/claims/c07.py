"""What notebook 07 says of numbers that a run could change."""

import csv
import re
from collections.abc import Callable

from nbformat import NotebookNode

from covidlab import paper
from covidlab.training.thresholds import THRESHOLDS
from tools.notebook_guards import all_text
from tools.prose import PATIENT_F1, ROOT, SLICE_F1, Claim, Source, _number, known, measured, output, result, together

NOTEBOOK = "07_evaluation_and_cpu_timing"
# Three networks, in the order patch CNN, FCN-8s, light U-Net.
LESSONS = "covidlab/weights/lessons"
THREE = ("patch_cnn", "fcn8s", "light_unet")

THREE_F1 = output(  # F1 on train and test, and the threshold, of each
    "\n".join(rf"{name} +train F1 ([\d.]+) .* test F1 ([\d.]+)  threshold ([\d.]+)" for name in THREE)
)

VALIDATION_F1 = output("\n".join(rf"{name} +train F1 .* validation F1 ([\d.]+) .*" for name in THREE))

THREE_VOLUMES = r"  volumes " + r"  +phantom_\d+_\d ([\d.]+)" * 3

VOLUMES = output(  # F1 of the three volumes, of each network
    r"\n(?:.*\n){2}".join(rf"{name}: pooled F1 [\d.]+\n{THREE_VOLUMES}" for name in THREE)
)

SLICES_F1 = r"  volumes .*\n  slices     quartiles ([\d.]+) .*\n"

NEGATIVES = r"  negatives  left empty ([\d.]+), false pixels on each ([\d.]+)\n?"

THREE_TABLES = output(  # lowest quartile of slices, negative slices left empty, false pixels on each; of each
    "".join(rf"{name}: pooled F1 [\d.]+\n{SLICES_F1}{NEGATIVES}" for name in THREE)
)

CAUGHT = output(  # missed, positive, caught within 1, 2, 3 slices, longest miss; of each
    "\n".join(
        rf"{name}: missed (\d+) of (\d+) positive slices\n.*: of (\d+), (\d+), (\d+) of those\n.* longest miss (\d+)"
        for name in THREE
    )
)

INTERVALS = output(  # number and width, over patients and over slices; train and test of the patch CNN, of the U-Net
    "\n".join(
        rf"{name}, {part}: .*\n +over +(\d+) patients .*, width ([\d.]+)\n +over +(\d+) slices .*, width ([\d.]+)"
        for name in ("patch_cnn", "light_unet") for part in ("train", "test")
    )
)  # fmt: skip

ENDS = output(  # two patients' scores, and the ends of the interval over them
    r"^patch_cnn, test: F1 ([\d.]+), ([\d.]+) by patient\n +over +2 patients +([\d.]+) to ([\d.]+),"
)

HD95 = output(  # median and quartiles of the patch CNN, then of FCN-8s
    r"^\| HD95, mm, [^|]*" + r" ".join([r"\| ([\d.]+) \(([\d.]+) to ([\d.]+)\)"] * 2)
)

TWO_PIXELS = output(  # the reference's pieces a slice; NSD, pieces and slices without a mark of each
    r"^reference: ([\d.]+) pieces a slice\n"
    + "\n".join(
        rf"{name}: NSD at 2 px ([\d.]+), ([\d.]+) pieces a slice, nothing marked on (\d+) of \d+" for name in THREE
    )
)

FX_PEAK = paper.PROCESSOR_CORES / 2 * 16 * paper.PROCESSOR_GHZ
FX_BOOST = paper.PROCESSOR_CORES / 2 * 16 * 4.0  # the FX-8320's highest clock, GHz

FULL_GFLOP = output(r"^FCN-8s +([\d.]+) GFLOP, at least")
NARROW_GFLOP = output(r"^a sixteenth of the width: ([\d.]+) by hand")


def three(words: str) -> Source:
    """A row of the table on borders: the first number of each network."""
    return output(rf"^\| {words}[^|]*" + r"\| ([\d.]+)(?: \([\d.a-z ]+\))? " * 3 + r"\|$")


def scores_of(name: str) -> Source:
    """Precision and recall on test of each network, from what comes along."""
    runs = ("patch-cnn", "fcn-8s", "light-u-net")
    found = together(*(result(f"{LESSONS}/{run}/scores.json", "parts", "test", name) for run in runs))
    return lambda notebook: [round(value, 2) for value in found(notebook)]


def learning(*updates: int) -> Source:
    """Validation F1 of each network after so many updates; all networks at the first, then all at the next."""

    def read(_: NotebookNode) -> list[float]:
        found = []
        for run in ("patch-cnn", "fcn-8s", "light-u-net"):
            with (ROOT / LESSONS / run / "history.csv").open(encoding="utf-8") as file:
                found.append({int(row["updates"]): float(row["validation_f1"]) for row in csv.DictReader(file)})
        return [round(history[number], 2) for number in updates for history in found]

    return read


def one_pixel_off(notebook: NotebookNode) -> list[tuple[float, float]]:
    """Each scan's pixel, mm, and the NSD of its reference moved by one."""
    found = re.findall(r"a pixel is ([\d.]+) mm, one pixel off has NSD ([\d.]+)", all_text(notebook))
    return [(float(pixel), float(nsd)) for pixel, nsd in found]


def volume_gap(notebook: NotebookNode) -> list[float]:
    """By how much the volumes of one network differ in F1 at most."""
    lines = re.findall(r"^  volumes +(.*)$", all_text(notebook), re.MULTILINE)
    values = [[_number(value) for value in re.findall(r" ([\d.]+)(?:  |$)", line)] for line in lines]
    return [round(max(max(one) - min(one) for one in values), 2)]


def leads(true: list[float]) -> list[float]:
    """By how much the U-Net is ahead of the patch CNN on each volume."""
    return [round(true[6 + k] - true[k], 2) for k in range(3)]


def calls(size: int) -> Source:
    """Cold and warm milliseconds of predict and of a compiled call, and how many times as long predict takes."""
    line = rf"^{size} px, (?:predict|compiled call): cold ~(\d+) ms, warm ~(\d+) ms.*\n"
    return output(line + line[1:] + rf"{size} px, warm: predict takes ~([\d.]+) times")


def best(choose: Callable, *rows: float) -> bool:
    """Whether the U-Net's number, the last of three, is the one that is chosen."""
    return rows[-1] == choose(rows)


CLAIMS = [
    Claim(NOTEBOOK, r"The U-Net is above FCN-8s on \*all\* parts, .*? the best of the three on each",
          together(THREE_F1, VALIDATION_F1),
          lambda _, true: all(true[c] > max(true[a], true[b]) for a, b, c in ((0, 3, 6), (1, 4, 7), (9, 10, 11)))),
    Claim(NOTEBOOK, r"FCN-8s is the last on every part, behind the little patch CNN",
          together(THREE_F1, VALIDATION_F1),
          lambda _, true: all(true[b] < min(true[a], true[c]) for a, b, c in ((0, 3, 6), (1, 4, 7), (9, 10, 11)))),
    Claim(NOTEBOOK, r"which has ([\d,]+) weights and sees", output(r"^patch_cnn +([\d,]+) weights")),
    Claim(NOTEBOOK, r"as much of the lesions as the U-Net, a recall of ([\d.]+)\.", scores_of("recall"),
          lambda said, true: said == [true[0]] == [true[2]]),
    Claim(NOTEBOOK, r"by its precision, ([\d.]+), which is even below the ([\d.]+) of FCN-8s", scores_of("precision"),
          lambda said, true: said == true[:2] and true[0] < true[1]),
    Claim(NOTEBOOK, r"FCN-8s starts lowest and rises slowly\.", learning(100, 300, 1500),
          lambda _, true: true[1] < min(true[0], true[2]) and true[7] < min(true[6], true[8])),
    Claim(NOTEBOOK, r"It reaches ([\d.]+) after 500 updates and is back at ([\d.]+) after 700, the last of the three",
          learning(500, 700), lambda said, true: said == [true[2], true[5]] and true[5] == min(true[3:])),
    Claim(NOTEBOOK, r"From 800 on it is the first\.", learning(*range(800, 1501, 100)),
          lambda _, true: all(true[k + 2] > max(true[k], true[k + 1]) for k in range(0, len(true), 3))),
    Claim(NOTEBOOK, r"there FCN-8s is still below the U-Net on test, but by less than here",
          together(
              measured(r"^\| FCN-8s, a quarter [^|]*(?:\| [^|]+ ){3}\| ([\d.]+) "),
              measured(r"^\| light U-Net (?:\| [^|]+ ){3}\| ([\d.]+) "), THREE_F1,
          ),
          lambda _, true: 0 < true[1] - true[0] < true[9] - true[6]),
    Claim(NOTEBOOK, r"Validation chose ([\d.]+) for the U-Net and ([\d.]+) for FCN-8s", THREE_F1,
          lambda said, true: said == [true[8], true[5]]),
    Claim(NOTEBOOK, r"For the patch CNN validation chose ([\d.]+), the last threshold on offer", THREE_F1,
          lambda said, true: said[0] == true[2] == THRESHOLDS[-1]),
    Claim(NOTEBOOK, r"sees a low precision, and takes it for a property", scores_of("precision"),
          lambda _, true: true[0] == min(true)),
    Claim(NOTEBOOK, r"have the same order in all rows: the U-Net, the patch CNN, FCN-8s", THREE_F1,
          lambda _, true: true[7] > true[1] > true[4]),
    Claim(NOTEBOOK, r"More than half of the test slices have none", output(r"^test +(\d+) slices, +(\d+) with lesion"),
          lambda _, true: true[1] < true[0] / 2),
    Claim(NOTEBOOK, r"by pooled F1 the U-Net comes first, the patch CNN second, FCN-8s last", THREE_F1,
          lambda _, true: true[7] > true[1] > true[4]),
    Claim(NOTEBOOK, r"FCN-8s leaves nine in ten negative slices empty, the U-Net about half, the patch CNN "
          r"one in four, with "
          r"nearly eight times as many false pixels", THREE_TABLES,
          lambda _, true: abs(true[4] - 0.9) < 0.02 and abs(true[7] - 0.5) < 0.06 and abs(true[1] - 0.25) < 0.02
          and 7.4 < true[2] / true[5] < 8),
    Claim(NOTEBOOK, r"a quarter of its slices score under ([\d.]+), a quarter of the patch CNN's under ([\d.]+)\.",
          THREE_TABLES, lambda said, true: said[0] - 0.05 < true[3] < said[0] and said[1] == true[0]),
    Claim(NOTEBOOK, r"on the first scan of phantom_03 the two have ([\d.]+) and ([\d.]+)\.", VOLUMES,
          lambda said, true: said == [true[0], true[3]]),
    Claim(NOTEBOOK, r"Volumes of one network differ by up to ([\d.]+)\.", volume_gap),
    Claim(NOTEBOOK, r"With FCN-8s and the patch CNN the two scans of phantom_03, one patient, lie further apart",
          VOLUMES,
          lambda _, true: all(abs(true[k] - true[k + 1]) > abs(true[k] - true[k + 2]) + 0.02 for k in (0, 3))),
    Claim(NOTEBOOK, r"which slices are they\? (Ten) slices score 0\.", CAUGHT, lambda said, true: said[0] == true[6]),
    Claim(NOTEBOOK, r"has (ten) slices with an F1 of 0; two of them are here", CAUGHT,
          lambda said, true: said[0] == true[6]),
    Claim(NOTEBOOK, r"Most of them have little lesion", output(r"^fcn8s, .* median: missed (\d+)  found (\d+)"),
          lambda _, true: true[0] < true[1] / 2),
    Claim(NOTEBOOK, r"By F1 half a square is the worst, and the far patch is nearly perfect",
          output(r"^moved +([\d.]+) .*\na patch +([\d.]+) .*\nhalf +([\d.]+) "),
          lambda _, true: true[2] == min(true) and true[1] == max(true) > 0.97),
    Claim(NOTEBOOK, r"By HD95 the far patch is by far the worst",
          output(r"^moved +[\d.]+ +([\d.]+) .*\na patch +[\d.]+ +([\d.]+) .*\nhalf +[\d.]+ +([\d.]+) "),
          lambda _, true: true[1] > 2 * max(true[0], true[2])),
    Claim(NOTEBOOK, r"Either 1\.00 or about 0\.3: .*? In six scans .*? In the other four", one_pixel_off,
          lambda _, true: [nsd for pixel, nsd in true if pixel <= 3] == [1.0] * 6
          and [abs(nsd - 0.3) < 0.08 for pixel, nsd in true if pixel > 3] == [True] * 4),
    Claim(NOTEBOOK, r"All our test scans are of the first kind",
          output(r"\n(?:.*\n)*?".join(rf"{name}: .* has NSD ([\d.]+)" for name in
                                       ("phantom_03_1", "phantom_03_2", "phantom_08_1"))),
          lambda _, true: true == [1.0] * 3),
    Claim(NOTEBOOK, r"The U-Net is the best, FCN-8s clearly the worst, at 3 mm and at two pixels",
          together(three("NSD at 3 mm, mean over positive"), TWO_PIXELS),
          lambda _, true: best(max, *true[:3]) and best(max, true[4], true[7], true[10])
          and true[1] < min(true[0], true[2]) - 0.15 and true[7] < min(true[4], true[10]) - 0.15),
    Claim(NOTEBOOK, r"FCN-8s marks nothing on (\d+) of (\d+)\. Without those it has ([\d.]+) at 3 mm, still "
          r"the lowest",
          together(three("NSD at 3 mm, mean over positive"), TWO_PIXELS, CAUGHT),
          lambda said, true: said[:2] == [true[9], true[20]]
          and abs(true[1] * said[1] / (said[1] - said[0]) - said[2]) < 0.006 and said[2] < min(true[0], true[2])),
    Claim(NOTEBOOK, r"The U-Net is the best again, by far\. The patch CNN marks something far", three("HD95, mm"),
          lambda _, true: true[2] < min(true) * 1.01 < max(true) / 4 and true[0] > 30),
    Claim(NOTEBOOK, r"FCN-8s has nearly the same median, and a third quartile twice as large\. Where", HD95,
          lambda _, true: abs(true[3] - true[0]) < 8 and 1.8 < true[5] / true[2] < 2.2),
    # An infinite quartile is printed as a word, which HD95 would not match.
    Claim(NOTEBOOK, r"Such slices are fewer than a quarter, so these quartiles do not show them",
          together(HD95, TWO_PIXELS), lambda _, true: len(true) == 16 and max(true[9], true[12], true[15]) < 12),
    Claim(NOTEBOOK, r"The patch CNN marks about as much as there is, the U-Net a little less\. .*? But FCN-8s "
          r"marks less still",
          three("marked area"),
          lambda _, true: abs(true[0] - 1) < 0.05 and 0.85 < true[2] < 0.95 and true[1] < true[2] - 0.1),
    Claim(NOTEBOOK, r"FCN-8s has the lowest roughness, lower than the reference, the U-Net that of the "
          r"reference, the patch CNN a "
          r"higher one", three("roughness"),
          lambda _, true: true[1] == min(true) < 0.9 and abs(true[2] - 1) < 0.03 and true[0] > 1.1),
    Claim(NOTEBOOK, r"masks fall into ([\d.]+) pieces a slice, FCN-8s' into ([\d.]+), the reference into ([\d.]+)\.",
          TWO_PIXELS,
          lambda said, true: said == [true[2], true[5], true[0]]),
    Claim(NOTEBOOK, r"The U-Net leaves out none, invents less than the patch CNN, and has the best borders",
          together(THREE_TABLES, CAUGHT, three("NSD at 3 mm, mean over p")),
          lambda _, true: true[9 + 12] == 0 and true[8] < true[2] and best(max, *true[-3:])),
    Claim(NOTEBOOK, r"FCN-8s invents least and leaves out whole slices", together(THREE_TABLES, CAUGHT),
          lambda _, true: true[5] < min(true[2], true[8]) and true[9 + 6] > 5),
    Claim(NOTEBOOK, r"lowest NSD, smoothest outlines, ([\d.]+) of the area; U-Net: ([\d.]+) of the area, outlines",
          three("marked area"), lambda said, true: said == true[1:]),
    Claim(NOTEBOOK, r"([\d.]+) of the U-Net's; but [\d.]+ of all lesion pixels lie as near",
          three("share of misses"), lambda said, true: said[0] == true[2]),
    Claim(NOTEBOOK, r"of the U-Net's; but ([\d.]+) of all lesion pixels lie as near",
          output(r"^([\d.]+) of all lesion pixels lie within")),
    Claim(NOTEBOOK, r"lesions are small, so two thirds of a lesion is border",
          output(r"^([\d.]+) of all lesion pixels lie within"), lambda _, true: abs(true[0] - 2 / 3) < 0.05),
    Claim(NOTEBOOK, r"We practise on the (five) \*training\* patients",
          INTERVALS, lambda said, true: said[0] == true[0]),
    Claim(NOTEBOOK, r"interval over slices is too narrow, about two thirds as wide\. It counts (\d+) "
          r"witnesses, and there "
          r"are (five)", INTERVALS, lambda said, true: said == [true[2], true[0]] and 0.6 < true[3] / true[1] < 0.73),
    Claim(NOTEBOOK, r"The U-Net's two are alike: its five patients score alike", INTERVALS,
          lambda _, true: abs(true[9] - true[11]) < 0.005),
    Claim(NOTEBOOK, r"the other way round, for both: the interval over patients is the narrower one\. .*? "
          r"than (\d+) slices",
          INTERVALS, lambda said, true: said[0] == true[6] and true[5] < true[7] and true[13] < true[15]),
    Claim(NOTEBOOK, r"The ends of the interval are the two patients' own scores", ENDS,
          lambda _, true: sorted(true[:2]) == true[2:]),
    Claim(NOTEBOOK, r"the U-Net's lowest volume has ([\d.]+), the patch CNN's highest ([\d.]+)\.", VOLUMES,
          lambda said, true: said == [min(true[6:]), max(true[:3])] and said[0] < said[1]),
    Claim(NOTEBOOK, r"volume by volume the U-Net is ahead each time, by ([\d.]+) to ([\d.]+)\.", VOLUMES,
          lambda said, true: said == [min(leads(true)), max(leads(true))]),
    Claim(NOTEBOOK, r"(Three): both, or twice the one, or twice the other",
          output(r"^2 patients, (\d+) different drawings")),
    Claim(NOTEBOOK, r"Of the (\d+) slices that FCN-8s misses, (\d+) have a found neighbour right beside them, "
          r"and all (\d+) have one "
          r"within two slices", CAUGHT, lambda said, true: said == [true[6], true[8], true[9]] and true[6] == true[9]),
    Claim(NOTEBOOK, r"Misses do keep together, in rows of up to (three), but all",
          CAUGHT, lambda said, true: said[0] == true[11]),
    Claim(NOTEBOOK, r"all networks notice each run somewhere",
          output("\n".join([r"runs noticed (\d+) of (\d+), longest miss \d+"] * 3).replace("\n", r"\n(?:.*\n){2} *")),
          lambda _, true: true[::2] == true[1::2]),
    Claim(NOTEBOOK, r"The patch CNN and the U-Net miss no slice", CAUGHT, lambda _, true: true[0] == true[12] == 0),
    Claim(NOTEBOOK, r"FCN-8s alone misses slices", CAUGHT, lambda _, true: true[0] == true[12] == 0 < true[6]),
    Claim(NOTEBOOK, r"on three in four and on nearly half of the negative slices",
          output(r"something marked: \{'patch_cnn': '([\d.]+)', .*'light_unet': '([\d.]+)'"),
          lambda _, true: abs(true[0] - 0.75) < 0.03 and 0.42 < true[1] < 0.5),
    Claim(NOTEBOOK, r"the patch CNN has the most, FCN-8s a few",
          output(r"something marked: \{'patch_cnn': '([\d.]+)', 'fcn8s': '([\d.]+)', 'light_unet': '([\d.]+)'"),
          lambda _, true: true[0] == max(true) and true[1] < 0.15),
    Claim(NOTEBOOK, r"What FCN-8s misses is mostly smaller", output(r"^fcn8s, .* median: missed (\d+)  found (\d+)"),
          lambda _, true: true[0] < 0.75 * true[1]),
    Claim(NOTEBOOK, r"these are (ten) misses of one network", CAUGHT, lambda said, true: said[0] == true[6]),
    Claim(NOTEBOOK, r"\| (\d+) of (\d+) by the very next, (\d+) of \d+ within two slices; all of them FCN-8s'",
          CAUGHT,
          lambda said, true: said == [true[8], true[6], true[9]] and true[6] == sum(true[::6])),
    Claim(NOTEBOOK, r"FCN-8s has about as many weights as the U-Net, and takes a seventh of its operations",
          output(r"^light_unet +([\d,]+) weights.*?([\d.]+) at 630 px\n+fcn8s +([\d,]+) weights.*?([\d.]+) at 630 px$"),
          lambda _, true: abs(true[2] / true[0] - 1) < 0.1 and round(true[1] / true[3]) == 7),
    Claim(NOTEBOOK, r"at a sixteenth of the width, ([\d.]+) GFLOP", NARROW_GFLOP),
    Claim(NOTEBOOK, r"our narrow FCN-8s has ([\d.]+) GFLOP a slice, which even the paper's processor could do",
          NARROW_GFLOP,
          lambda said, true: said == true and true[0] < FX_PEAK * paper.SECONDS_PER_SLICE[0]),
    Claim(NOTEBOOK, r"At its published width it has (\d+)\.",
          FULL_GFLOP, lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"FCN-8s at full width takes (\d+) GFLOP", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"it would have to be (\d+) times as fast as it can be", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0] / FX_PEAK / paper.SECONDS_PER_SLICE[1])),
    Claim(NOTEBOOK, r"Then it does (\d+) GFLOP/s, and the factor is (\d+)\. .*? makes up for (\d+)\.", FULL_GFLOP,
          lambda said, true: said == [FX_BOOST, *[round(true[0] / FX_BOOST / paper.SECONDS_PER_SLICE[1])] * 2]),
    Claim(NOTEBOOK, r"Our light U-Net is too slow by a little more than (two)",
          output(r"^our light U-Net .* at least ([\d.]+) s"),
          lambda said, true: said[0] < true[0] / paper.SECONDS_PER_SLICE[1] < said[0] + 0.5),
    Claim(NOTEBOOK, r"nano U-Net, a smaller sister with a quarter of the weights, fits without them",
          output(r"^our nano U-Net .* at least ([\d.]+) s"), lambda _, true: true[0] < paper.SECONDS_PER_SLICE[1]),
    Claim(NOTEBOOK, r"FCN-8s fits at (\d+) x 64 pixels", output(r"up to (\d+) pixels a side")),
    Claim(NOTEBOOK, r"does ([\d,]+) GFLOP/s at best\. That is (\d+) ms at about 320 x 320, and "
          r"(\d+) ms at 630", FULL_GFLOP,
          lambda said, true: said[1:] == [round(1000 * true[0] * share / said[0]) for share in (1 / 4, 1)]),
    Claim(NOTEBOOK, r"reports ([\d.]+) to ([\d.]+) s a slice on an AMD",
          known(*paper.SECONDS_PER_SLICE)),
    Claim(NOTEBOOK, r"The first call takes longer, often many times",
          together(calls(128), calls(630)),
          lambda _, true: all(true[k] > true[k + 1] for k in (0, 2, 5, 7)) and true[2] > 5 * true[3]),
    Claim(NOTEBOOK, r"its share is large on small slices, and shrinks on large ones",
          together(calls(128), calls(630)), lambda _, true: true[4] > 1.5 * true[9]),
    Claim(NOTEBOOK, r"measured here, 1,500 updates \| patient \| ([\d.]+)", THREE_F1,
          lambda said, true: said[0] == true[7]),
    Claim(NOTEBOOK, r"7,500 updates \| slice, which leaks \| ([\d.]+)",
          SLICE_F1),
    Claim(NOTEBOOK, r"1,500 updates after the phantom \| patient \| ([\d.]+)", PATIENT_F1),
]  # fmt: skip
