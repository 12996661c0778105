"""What notebook 07 says of numbers that a run could change."""

import re

from nbformat import NotebookNode

from covidlab import paper
from covidlab.training import THRESHOLDS
from tests.notebook_guards import all_text
from tests.prose import PATIENT_F1, SLICE_F1, Claim, Source, _number, known, measured, output, together

NOTEBOOK = "07_evaluation_and_cpu_timing"
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
    # Notebook 07: what three trained networks do is said of the stored run.
    Claim(NOTEBOOK, r"the U-Net is above FCN-8s on \*all\* parts, .*? the best of the three on each",
          together(THREE_F1, VALIDATION_F1),
          lambda _, true: all(true[c] > max(true[a], true[b]) for a, b, c in ((0, 3, 6), (1, 4, 7), (9, 10, 11)))),
    Claim(NOTEBOOK, r"on the validation patients the little patch CNN is far ahead of FCN-8s", VALIDATION_F1,
          lambda _, true: true[0] > true[1] + 0.1),
    Claim(NOTEBOOK, r"On the test patients the two are level, as they are on those that trained them", THREE_F1,
          lambda _, true: max(abs(true[1] - true[4]), abs(true[0] - true[3])) < 0.02),
    Claim(NOTEBOOK, r"It has ([\d,]+) weights and sees", output(r"^patch_cnn +([\d,]+) weights")),
    Claim(NOTEBOOK, r"there FCN-8s is still below the U-Net on test, but by less than here",
          together(
              measured(r"^\| FCN-8s, a quarter [^|]*(?:\| [^|]+ ){3}\| ([\d.]+) "),
              measured(r"^\| light U-Net (?:\| [^|]+ ){3}\| ([\d.]+) "), THREE_F1,
          ),
          lambda _, true: 0 < true[1] - true[0] < true[9] - true[6]),
    Claim(NOTEBOOK, r"nano U-Net, a smaller sister with a quarter of the weights, fits without them",
          output(r"^our nano U-Net .* at least ([\d.]+) s"), lambda _, true: true[0] < paper.SECONDS_PER_SLICE[1]),
    Claim(NOTEBOOK, r"Validation chose ([\d.]+) for the U-Net and ([\d.]+) for FCN-8s", THREE_F1,
          lambda said, true: said == [true[8], true[5]]),
    Claim(NOTEBOOK, r"For the patch CNN validation chose ([\d.]+), the last threshold on offer", THREE_F1,
          lambda said, true: said[0] == true[2] == THRESHOLDS[-1]),
    Claim(NOTEBOOK, r"the patch CNN and FCN-8s have nearly the same pooled F1", THREE_F1,
          lambda _, true: abs(true[1] - true[4]) < 0.06),
    Claim(NOTEBOOK, r"it leaves three in four of them empty, the patch CNN one in ten, with nearly twenty times as many "
          r"false pixels", THREE_TABLES,
          lambda _, true: abs(true[4] - 3 / 4) < 0.03 and abs(true[1] - 0.1) < 0.02 and 17 < true[2] / true[5] < 20),
    Claim(NOTEBOOK, r"Volumes of one network differ by up to ([\d.]+)\.", volume_gap),
    Claim(NOTEBOOK, r"the two scans of phantom_03 lie further apart than its first scan and the other patient's", VOLUMES,
          lambda _, true: all(abs(true[k] - true[k + 1]) > abs(true[k] - true[k + 2]) + 0.05 for k in (0, 3, 6))),
    Claim(NOTEBOOK, r"a quarter of its slices score under ([\d.]+) or so, and a quarter of FCN-8s' under ([\d.]+)\.",
          THREE_TABLES, lambda said, true: abs(true[0] - said[0]) < 0.02 and said[1] - 0.05 < true[3] < said[1]),
    Claim(NOTEBOOK, r"of them score 0\.", CAUGHT, lambda _, true: true[3] > 0),
    Claim(NOTEBOOK, r"By F1 half a square is the worst, and the far patch is nearly perfect",
          output(r"^moved +([\d.]+) .*\na patch +([\d.]+) .*\nhalf +([\d.]+) "),
          lambda _, true: true[2] == min(true) and true[1] == max(true) > 0.97),
    Claim(NOTEBOOK, r"By HD95 the far patch is by far the worst",
          output(r"^moved +[\d.]+ +([\d.]+) .*\na patch +[\d.]+ +([\d.]+) .*\nhalf +[\d.]+ +([\d.]+) "),
          lambda _, true: true[1] > 2 * max(true[0], true[2])),
    Claim(NOTEBOOK, r"The U-Net is the best, FCN-8s clearly the worst\. A network",
          three("NSD at 3 mm, mean over positive"),
          lambda _, true: true[2] == max(true) and true[1] < min(true[::2]) - 0.15),
    Claim(NOTEBOOK, r"The U-Net is the best again\. The patch CNN marks something far", three("HD95, mm"),
          lambda _, true: true[2] == min(true) and true[0] > 30),
    Claim(NOTEBOOK, r"FCN-8s has nearly the same median, and a third quartile nearly twice as large\. Where", HD95,
          lambda _, true: abs(true[3] - true[0]) < 5 and 1.6 < true[5] / true[2] < 2),
    # An infinite quartile is printed as a word, which HD95 would not match.
    Claim(NOTEBOOK, r"Such slices are fewer than a quarter, so these quartiles do not show them", HD95,
          lambda _, true: len(true) == 6),
    Claim(NOTEBOOK, r"The patch CNN marks a little too much, the U-Net too little\. .*? But FCN-8s marks just as little",
          three("marked area"),
          lambda _, true: 1.03 < true[0] < 1.2 and true[2] < 0.95 and abs(true[1] - true[2]) < 0.03),
    Claim(NOTEBOOK, r"The U-Net's are as rough as the reference, the patch CNN's far rougher",
          three("roughness"), lambda _, true: abs(true[2] - 1) < 0.03 and true[0] > 1.4),
    Claim(NOTEBOOK, r"The U-Net leaves out none, invents less than the patch CNN, and has the best borders",
          lambda notebook: [*THREE_TABLES(notebook), *CAUGHT(notebook), *three("NSD at 3 mm, mean over p")(notebook)],
          lambda _, true: true[15] == 0 and true[8] < true[2] and true[20] == max(true[18:])),
    Claim(NOTEBOOK, r"FCN-8s invents least and leaves out whole slices",
          together(THREE_TABLES, CAUGHT),
          lambda _, true: true[5] < min(true[2], true[8]) and true[12] > 5),
    Claim(NOTEBOOK, r"lowest NSD, smoothest outlines, ([\d.]+) of the area; U-Net: ([\d.]+) of the area, outlines",
          three("marked area"), lambda said, true: said == true[1:]),
    Claim(NOTEBOOK, r"FCN-8s has the smoothest outlines of all, smoother than the reference",
          three("roughness"), lambda _, true: true[1] == min(true) < 0.95),
    Claim(NOTEBOOK, r"([\d.]+) of the U-Net's; but [\d.]+ of all lesion pixels lie as near",
          three("share of misses"), lambda said, true: said[0] == true[2]),
    Claim(NOTEBOOK, r"of the U-Net's; but ([\d.]+) of all lesion pixels lie as near",
          output(r"^([\d.]+) of all lesion pixels lie within")),
    Claim(NOTEBOOK, r"lesions are small, so two thirds of a lesion is border",
          output(r"^([\d.]+) of all lesion pixels lie within"), lambda _, true: abs(true[0] - 2 / 3) < 0.05),
    Claim(NOTEBOOK, r"We practise on the (five) \*training\* patients", INTERVALS, lambda said, true: said[0] == true[0]),
    Claim(NOTEBOOK, r"too narrow, about half as wide\. It counts (\d+) witnesses, and there are (five)", INTERVALS,
          lambda said, true: said == [true[2], true[0]] and 1.6 < true[1] / true[3] < 2.6),
    Claim(NOTEBOOK, r"the interval over patients is the narrower one\. Are two patients better .*? than (\d+) slices",
          INTERVALS, lambda said, true: said[0] == true[6] and true[5] < 0.8 * true[7]),
    Claim(NOTEBOOK, r"The U-Net is ahead by ([\d.]+) to ([\d.]+) on each of the three volumes: .*? more than twice what",
          together(VOLUMES, INTERVALS),
          lambda said, true: said == [round(pick(true[6 + k] - true[k] for k in range(3)), 2) for pick in (min, max)]
          and said[0] > 2 * true[9 + 5]),
    Claim(NOTEBOOK, r"(Three): both, or twice the one, or twice the other",
          output(r"^2 patients, (\d+) different drawings")),
    Claim(NOTEBOOK, r"of the (\d+) slices that FCN-8s misses, (\d+) have a found neighbour\. .*? little more than half",
          CAUGHT, lambda said, true: said == [true[3], true[5]] and 0.5 < true[5] / true[3] < 0.65),
    Claim(NOTEBOOK, r"The others stand in rows of misses, up to (four) long", output(r"^fcn8s .* longest miss (\d+)$")),
    Claim(NOTEBOOK, r"all networks notice each run somewhere",
          output("\n".join([r"runs noticed (\d+) of (\d+), longest miss \d+"] * 3).replace("\n", r"\n.*")),
          lambda _, true: true[::2] == true[1::2]),
    Claim(NOTEBOOK, r"The patch CNN and the U-Net miss no slice", CAUGHT, lambda _, true: true[0] == true[6] == 0),
    Claim(NOTEBOOK, r"FCN-8s alone misses slices", CAUGHT, lambda _, true: true[0] == true[6] == 0 < true[3]),
    Claim(NOTEBOOK, r"on nine in ten and on nearly half of the negative slices",
          output(r"something marked: \{'patch_cnn': '([\d.]+)', .*'light_unet': '([\d.]+)'"),
          lambda _, true: abs(true[0] - 0.9) < 0.02 and 0.42 < true[1] < 0.5),
    Claim(NOTEBOOK, r"marks nothing on (\d+) of (\d+)\. Without those it has ([\d.]+), still the lowest",
          together(CAUGHT, three("NSD at 3 mm, mean over positive")),
          lambda said, true: said[:2] == true[3:5] and true[10] < min(true[9], true[11])
          and round(true[10] * true[4] / (true[4] - true[3]), 2) == said[2] < true[9]),
    Claim(NOTEBOOK, r"What FCN-8s misses is mostly smaller", output(r"^fcn8s, .* median: missed (\d+)  found (\d+)"),
          lambda _, true: true[0] < 0.75 * true[1]),
    Claim(NOTEBOOK, r"\| (\d+) of (\d+), all of them FCN-8s'", CAUGHT,
          lambda said, true: said == [true[5], true[3]] == [sum(true[2::3]), sum(true[::3])]),
    Claim(NOTEBOOK, r"FCN-8s has (four) times as many weights as the U-Net, and takes fewer",
          output(r"^fcn8s +([\d,]+) weights.*?([\d.]+) at 630 px\n+light_unet +([\d,]+) weights.*?([\d.]+) at 630 px$"),
          lambda said, true: round(true[0] / true[2]) == said[0] and true[1] < true[3]),
    Claim(NOTEBOOK, r"FCN-8s at full width takes (\d+) GFLOP", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"It is short by a factor of (\d+)", FULL_GFLOP,
          lambda said, true: said[0] == round(true[0] / FX_PEAK / paper.SECONDS_PER_SLICE[1])),
    Claim(NOTEBOOK, r"Our light U-Net is too slow by a little more than (two)",
          output(r"^our light U-Net .* at least ([\d.]+) s"),
          lambda said, true: said[0] < true[0] / paper.SECONDS_PER_SLICE[1] < said[0] + 0.5),
    Claim(NOTEBOOK, r"FCN-8s fits at (\d+) x 64 pixels", output(r"up to (\d+) pixels a side")),
    Claim(NOTEBOOK, r"does ([\d,]+) GFLOP/s at best\. That is (\d+) ms at about 320 x 320, and "
          r"(\d+) ms at 630", FULL_GFLOP,
          lambda said, true: said[1:] == [round(1000 * true[0] * share / said[0]) for share in (1 / 4, 1)]),
    Claim(NOTEBOOK, r"reports ([\d.]+) to ([\d.]+) s a slice on an AMD",
          known(*paper.SECONDS_PER_SLICE)),
    Claim(NOTEBOOK, r"The first call always takes longer, often many times",
          together(calls(128), calls(630)),
          lambda _, true: all(true[k] > true[k + 1] for k in (0, 2, 5, 7)) and true[2] > 5 * true[3]),
    Claim(NOTEBOOK, r"`predict` loses most on small slices",
          together(calls(128), calls(630)), lambda _, true: true[4] > 1.5 * true[9]),
    Claim(NOTEBOOK, r"every bar ends beyond the paper's range", compiled,
          lambda _, true: min(true[::2]) > 1000 * paper.SECONDS_PER_SLICE[1]),
    Claim(NOTEBOOK, r"on one thread a compiled call reaches more than half of the peak", compiled,
          lambda _, true: len(true) == 8 and min(true[1], true[5]) > 50),
    Claim(NOTEBOOK, r"With two threads a compiled call takes more than half of its time with one",
          compiled, lambda _, true: true[2] > true[0] / 2 and true[6] > true[4] / 2),
    Claim(NOTEBOOK, r"measured here, 600 updates \| patient \| ([\d.]+)", THREE_F1,
          lambda said, true: said[0] == true[7]),
    Claim(NOTEBOOK, r"7,500 updates \| slice, which leaks \| ([\d.]+)",
          SLICE_F1),
    Claim(NOTEBOOK, r"1,500 updates after the phantom \| patient \| ([\d.]+)", PATIENT_F1),
]  # fmt: skip
