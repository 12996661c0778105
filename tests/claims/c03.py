"""What notebook 03 says of numbers that a run could change."""

from covidlab import paper
from covidlab.training import THRESHOLDS
from tests.prose import SCORES, Claim, elsewhere, known, output

NOTEBOOK = "03_patch_cnn"
VALIDATION_SHARE = output(r"^of the validation pixels ([\d.]+)% are lesion")

CLAIMS = [
    Claim(NOTEBOOK, r"You cut patches and counted ([\d,]+) of them", known(paper.PATCHES_PER_SLICE)),
    Claim(NOTEBOOK, r"\| ([\d,]+) patches of 11 x 11 in a slice",
          output(r"^([\d,]+) by hand, [\d,]+ by covidlab")),
    Claim(NOTEBOOK, r"Every pixel lies in (\d+) patches", output(r"would take (\d+) times the memory")),
    Claim(NOTEBOOK, r"The threshold is not one half\. It is close to 1", output(r"^threshold ([\d.]+)$"),
          lambda _, true: 0.9 < true[0] < 1),
    Claim(NOTEBOOK, r"we stored ([\d.]+) was chosen, the last one tried", output(r"^threshold ([\d.]+)$"),
          lambda said, true: said == true == [THRESHOLDS[-1]]),
    Claim(NOTEBOOK, r"A network that says 0\.9 means: one in (seventeen)", VALIDATION_SHARE,
          lambda said, true: round(1 + (1 - true[0] / 100) / (9 * true[0] / 100)) == said[0]),
    Claim(NOTEBOOK, r"it was more than (ten) times, so more than the eight that we counted",
          output(r"ms: (\d+) times as long$"), lambda said, true: true[0] > said[0]),
    Claim(NOTEBOOK, r"Accuracy is ([\d.]+) or more on every part", SCORES,
          lambda said, true: min(true[2::4]) == said[0]),
    Claim(NOTEBOOK, r"So the share says where to look: far above one half, near ([\d.]+)\.",
          output(r"^threshold ([\d.]+)$(?:\n.*)*?^([\d.]+) among balanced patches is 0\.50 in"),
          lambda said, true: max(abs(value - said[0]) for value in true) < 0.01),
    Claim(NOTEBOOK, r"It is lower on new patients than on those that trained", SCORES,
          lambda _, true: true[11] < true[3] - 0.05),
    Claim(NOTEBOOK, r"Recall holds: .* Precision falls: much else is marked", SCORES,
          lambda _, true: true[9] > true[1] - 0.05 and true[8] < true[0] - 0.1),
    Claim(NOTEBOOK, r"It is better on both: it sees what lies around the patch",
          lambda notebook: SCORES(notebook)[3::8] + elsewhere("05_light_unet", SCORES)(notebook)[3::8],
          lambda _, true: true[0] < true[2] and true[1] < true[3]),
    Claim(NOTEBOOK, r"reaches (0\.\d+) on the patients that it learnt from, and (0\.\d+) on the same test",
          elsewhere("05_light_unet", SCORES), lambda said, true: said == [true[3], true[11]]),
    Claim(NOTEBOOK, r"F1 about (0\.\d) \|", SCORES, lambda said, true: said == [round(true[11], 1)]),
    Claim(NOTEBOOK, r"C, E, F and H are lesion", output(r"^lesion: C, E, F, H$")),
]  # fmt: skip
