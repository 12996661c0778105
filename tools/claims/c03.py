"""What notebook 03 says of numbers that a run could change."""

from covidlab import paper
from covidlab.training.thresholds import THRESHOLDS
from tools.prose import SCORES, Claim, known, output, result, together

NOTEBOOK = "03_patch_cnn"
VALIDATION_SHARE = output(r"^of the validation pixels ([\d.]+)% are lesion")
THRESHOLD = output(r"^threshold ([\d.]+)$")
# Threshold, pixels marked against the chosen one's, F1: at one half, by the rule, as chosen, beyond what was tried.
FOUR = output(
    "\n".join(
        rf"{name} +([\d.]+): ([\d.]+) times as many pixels as chosen, F1 ([\d.]+)"
        for name in ("one half", "the rule", "chosen", "beyond")
    )
)
BETWEEN = output(r"^between rule and choice (\d+)% of the pixels are lesion; half of F1 is (\d+)%$")
UNET = together(
    *(result("covidlab/weights/lessons/light-u-net/scores.json", "parts", part, "f1") for part in ("train", "test"))
)

CLAIMS = [
    Claim(NOTEBOOK, r"You cut patches and counted ([\d,]+) of them", known(paper.PATCHES_PER_SLICE)),
    Claim(NOTEBOOK, r"\| ([\d,]+) patches of 11 x 11 in a slice",
          output(r"^([\d,]+) by hand, [\d,]+ by covidlab")),
    Claim(NOTEBOOK, r"Away from the edges, every pixel lies in (\d+) patches",
          output(r"would take (\d+) times the memory")),
    Claim(NOTEBOOK, r"A test F1 of (0\.\d+): is that all", SCORES, lambda said, true: said == [true[11]]),
    Claim(NOTEBOOK, r"Expect an F1 clearly below ours",
          output(r"ours, 1,500 updates \|.* ([\d.]+) \| [\d.]+ \|\n.*yours, 300 updates \|.* ~([\d.]+) \| ~[\d.]+ \|"),
          lambda _, true: true[1] < true[0] - 0.05),
    Claim(NOTEBOOK, r"The threshold is not one half\. It is close to 1", THRESHOLD, lambda _, true: 0.9 < true[0] < 1),
    Claim(NOTEBOOK, r"there most of what is marked at one half is healthy",
          # The precision at one half, from its F1, the pixels it marks, and precision and recall at the chosen one.
          together(FOUR, SCORES), lambda _, true: true[2] * (1 + true[16] / true[17] / true[1]) / 2 < 0.5),
    Claim(NOTEBOOK, r"Among balanced patches its answers are roughly right",
          output("\n".join([r"it says ([\d.]+) to ([\d.]+): ([\d.]+) of them are lesion"] * 4)),
          lambda _, true: all(low <= share <= high for low, high, share in zip(true[::3], true[1::3], true[2::3]))),
    Claim(NOTEBOOK, r"When the network says 0\.9, the chance in a slice is one in (seventeen)", VALIDATION_SHARE,
          lambda said, true: round(1 + (1 - true[0] / 100) / (9 * true[0] / 100)) == said[0]),
    Claim(NOTEBOOK, r"far above one half, near ([\d.]+)\. At one half", FOUR,
          lambda said, true: max(abs(value - said[0]) for value in true[3:9:3]) < 0.01),
    Claim(NOTEBOOK, r"the network marks ([\d.]+) times as many pixels, and its F1 is ([\d.]+) instead of ([\d.]+)\.",
          FOUR, lambda said, true: said == [true[1], true[2], true[8]]),
    Claim(NOTEBOOK, r"It says ([\d.]+), and validation chose ([\d.]+), the last threshold that was tried", FOUR,
          lambda said, true: said == true[3:9:3] and said[1] == THRESHOLDS[-1]),
    Claim(NOTEBOOK, r"At ([\d.]+), beyond it, F1 is no better", FOUR,
          lambda said, true: said[0] == true[9] and true[11] <= true[8]),
    Claim(NOTEBOOK, r"pays if at least (\d+)% of them are lesion, and (\d+)% are", BETWEEN,
          lambda said, true: said == true[::-1] and true[0] < true[1]),
    Claim(NOTEBOOK, r"round accuracy to ([\d.]+)\. On the test patients it is ([\d.]+), which says nothing", SCORES,
          lambda said, true: said[1] == true[10] and all(round(value, 2) == said[0] for value in true[2::4])),
    Claim(NOTEBOOK, r"an empty mask reaches ([\d.]+) there", output(r"^accuracy of an empty mask: .* test ([\d.]+)$")),
    Claim(NOTEBOOK, r"It is lower on new patients than on those that trained", SCORES,
          lambda _, true: true[11] < true[3] - 0.05),
    Claim(NOTEBOOK, r"Recall holds: .* Precision falls: much else is marked", SCORES,
          lambda _, true: true[9] > true[1] - 0.05 and true[8] < true[0] - 0.1),
    Claim(NOTEBOOK, r"reaches (0\.\d+) on the patients that it learnt from, and (0\.\d+) on the same test", UNET,
          lambda said, true: said == [round(value, 2) for value in true]),
    Claim(NOTEBOOK, r"It is better on both, and this time the number of updates is equal", together(UNET, SCORES),
          lambda _, true: true[0] > true[5] and true[1] > true[13]),
    Claim(NOTEBOOK, r"it also has (seven) times as many weights",
          together(known(486_441), output(r"of ([\d,]+) weights")),
          lambda said, true: said[0] == round(true[0] / true[1])),
    Claim(NOTEBOOK, r"Patch by patch took more than the (eight) times that we counted",
          together(output(r"multiplications: (\d+) times as many$"), output(r"ms: ~(\d+) times as long$")),
          lambda said, true: said[0] == true[0] < true[1]),
    Claim(NOTEBOOK, r"in our run under a second, patch by patch; less than a tenth of that in the dense form",
          output(r"^patch by patch ~(\d+) ms, dense ~(\d+) ms"), lambda _, true: true[1] < true[0] / 10 < 100),
    Claim(NOTEBOOK, r"test F1 (0\.\d+) \| not known", SCORES, lambda said, true: said == [true[11]]),
    Claim(NOTEBOOK, r"C, E, F and H are lesion", output(r"^lesion: C, E, F, H$")),
]  # fmt: skip
