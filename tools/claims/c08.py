"""What notebook 08 says of numbers that a run could change."""


from covidlab import paper
from covidlab.tables import read_table
from tools.prose import PATIENT_F1, ROOT, SLICE_F1, Claim, known, output, same_recipe, table, together

NOTEBOOK = "08_beyond_the_paper"
# Threshold, F1 and recall of one look and of two, at the old threshold and at the new one.
MIRROR = [
    output(r"mirror False threshold (0\.\d+)  F1 ([\d.]+)  recall ([\d.]+)\n"
           r"mirror True  threshold (0\.\d+)  F1 ([\d.]+)  recall ([\d.]+)\n" + after)
    for after in ("(?=mirror)", "(?!mirror)")
]  # fmt: skip

DOUBT = output(  # over all pixels and near lesions: of 20 passes, of p (1 - p)
    r"20 passes: all pixels ([\d.]+), near lesions ([\d.]+)\np \(1 - p\): all pixels ([\d.]+), near lesions ([\d.]+)"
)

ONE = r"phantom_\d+: ([\d.]+) before, ~([\d.]+) after; the other: ([\d.]+) before, ~([\d.]+) after"

ADAPTED = output(rf"{ONE}\n(?:\[progress.*\n)?{ONE}")  # of each of the two patients, and of the other one

CORONACASES_F1 = table("patient-coronacases", "f1", case="all, pooled")

NAMES = [row["recipe"] for row in read_table(ROOT / "studies/results/patient-recipes.csv")]

SEEDS = [
    table("patient-seeds", "F1", recipe=row["recipe"])
    for row in read_table(ROOT / "studies/results/patient-seeds.csv")
]

ADAPTATION_GAIN = {number: table("adaptation", f"{number} slices", patient="mean gain") for number in ("2", "8")}

RECIPES = {name: table("patient-recipes", "F1", recipe=name) for name in NAMES}

EMPTY = {name: table("patient-recipes", "negative slices left empty", recipe=name) for name in NAMES}

CLAIMS = [
    Claim(NOTEBOOK, r"Recall rises\. The threshold of these weights is low", MIRROR[0],
          lambda _, true: true[5] > true[2] and true[0] < 0.3),
    Claim(NOTEBOOK, r"Validation wants a higher threshold for two looks", MIRROR[1],
          lambda _, true: true[3] > true[0]),
    Claim(NOTEBOOK, r"F1 rises a little, and the recall that was won is given back",
          together(MIRROR[0], MIRROR[1]),
          lambda _, true: 0.005 < true[10] - true[4] < 0.03 and true[8] == true[11] < true[5]),
    Claim(NOTEBOOK, r"Over all pixels\*\* both doubts look excellent", DOUBT,
          lambda _, true: min(true[0], true[2]) > 0.9),
    Claim(NOTEBOOK, r"0\.01, both are weaker", DOUBT,
          lambda _, true: true[1] < true[0] - 0.02 and true[3] < true[2] - 0.02),
    Claim(NOTEBOOK, r"Twenty passes do no better than one", DOUBT,
          lambda _, true: -0.05 < true[1] - true[3] < 0.01),
    Claim(NOTEBOOK, r"Most missed pixels have next to no deviation",
          output(r"of the missed pixels, (\d+)% have"), lambda _, true: true[0] > 60),
    Claim(NOTEBOOK, r"F1 rises on phantom_03, by ([\d.]+)\. On phantom_08 it stays", ADAPTED,
          lambda said, true: said[0] == round(true[1] - true[0], 2) and true[5] == true[4]),
    Claim(NOTEBOOK, r"the network is worse on phantom_08 by ([\d.]+): more is lost there than was won",
          ADAPTED, lambda said, true: said[0] == round(true[2] - true[3], 2) > true[1] - true[0]),
    Claim(NOTEBOOK, r"Fitted to phantom_08, it is worse on phantom_03, by ([\d.]+)\.", ADAPTED,
          lambda said, true: said[0] == round(true[6] - true[7], 2)),
    Claim(NOTEBOOK, r"higher by ([\d.]+), or as before; on the control lower by ([\d.]+), or ([\d.]+)",
          ADAPTED, lambda said, true: said == [round(true[k] - true[j], 2) for k, j in ((1, 0), (2, 3), (6, 7))]),
    Claim(NOTEBOOK, r"The int8 file is about a quarter of the size",
          output(r"ONNX: ([\d.]+) MB(?:.|\n)*int8: ([\d.]+) MB"), lambda _, true: 3 < true[0] / true[1] < 5),
    Claim(NOTEBOOK, r"the light U-Net reaches an F1 of ([\d.]+)\.", SLICE_F1),
    Claim(NOTEBOOK, r"trained on from there: \+([\d.]+)\.",
          together(RECIPES["1-from-scratch"], RECIPES["2-pretrained-on-the-phantom"]),
          lambda said, true: said[0] == round(true[1] - true[0], 2)),
    Claim(NOTEBOOK, r"Dropped \(4\), ([\d.]+) of the negative slices stay empty instead of ([\d.]+)",
          together(EMPTY["4-and-specks-dropped"], EMPTY["3-and-turned-twice-as-far"]),
          lambda said, true: said == [round(number, 2) for number in true]),
    Claim(NOTEBOOK, r"and \*\*two looks at a slice\*\* \(9, as in section 3\) hardly changed F1",
          lambda notebook: [value for name in ("6-or-coronacases-added", "8-or-half-as-many-negatives",
                                               "7-and-specks-dropped", "9-or-mirrored-slices-too")
                            for value in RECIPES[name](notebook)],
          lambda _, true: abs(true[0] - true[1]) < 0.02 and abs(true[2] - true[3]) < 0.02),
    Claim(NOTEBOOK, r"F1 ([\d.]+) without coronacases, ([\d.]+) with them",
          together(PATIENT_F1, CORONACASES_F1)),
    Claim(NOTEBOOK, r"are that recipe: ([\d.]+), ([\d.]+) and ([\d.]+)\.", together(*SEEDS[:3])),
    Claim(NOTEBOOK, r"it gave ([\d.]+) with the first seeds", SEEDS[0]),
    Claim(NOTEBOOK, r"Now the three lie between ([\d.]+) and ([\d.]+)\.", together(*SEEDS[4:7]),
          lambda said, true: said == [min(true), max(true)]),
    Claim(NOTEBOOK, r"three times the time, and better than each of them", together(*SEEDS),
          lambda _, true: true[3] > max(true[:3]) and true[7] > max(true[4:7])),
    Claim(NOTEBOOK, r"The same recipe by slice gives ([\d.]+), by patient ([\d.]+): the",
          same_recipe),
    Claim(NOTEBOOK, r"the leak is worth (\d+) points", same_recipe,
          lambda said, true: said[0] == round(100 * (true[0] - true[1]))),
    Claim(NOTEBOOK, r"the phantom alone, and no real slice, reach ([\d.]+) on them",
          table("phantom-to-real", "f1", case="all, pooled")),
    Claim(NOTEBOOK, r"by ([\d.]+) in the mean of six, and two slices lowered it by ([\d.]+) ",
          together(ADAPTATION_GAIN["8"], ADAPTATION_GAIN["2"]),
          lambda said, true: said == [true[0], -true[1]]),
    Claim(NOTEBOOK, r"or 0\.\d+; on real patients higher by ([\d.]+) \|", ADAPTATION_GAIN["8"]),
    Claim(NOTEBOOK, r"([\d,]+) weights take with 8 bits", output(r"^([\d,]+) weights, [\d.]+ MB")),
    Claim(NOTEBOOK, r"\"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
]  # fmt: skip
