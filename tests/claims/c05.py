"""What notebook 05 says of numbers that a run could change."""

from covidlab import paper
from covidlab.experiment import recipe_for
from tests.prose import LESION_SHARE, SCORES, Claim, elsewhere, known, output, together

NOTEBOOK = "05_light_unet"
# Weights, and F1 on train, validation and test, of the network that concatenates and of the one that adds.
JOIN = r" +([\d,]+) weights  F1 train ([\d.]+)  validation ([\d.]+)  test ([\d.]+)"

JOINS = output(rf"^concatenate{JOIN}\nsum{JOIN}$")

SUM_SEEDS = output(r"^cross_entropy_and_dice +F1 ([\d.]+) ([\d.]+)")

AREA = output(r"^area, marked over reference: ([\d.]+); on all slices ([\d.]+)$")

CLAIMS = [
    Claim(
        NOTEBOOK, r"About (\d) MB, so under (\d) MB", output(r"on disk ([\d.]+) MB"),
        lambda said, true: round(true[0]) == said[0] and true[0] < said[1],
    ),
    Claim(NOTEBOOK, r"\| under 3 MB \| ([\d.]+) MB without optimiser state", output(r"on disk ([\d.]+) MB")),
    Claim(
        NOTEBOOK, r"Nearly half sit where the picture is smallest", output(r"bottleneck (\d+)% of all weights"),
        lambda _, true: 42 <= true[0] < 50,
    ),
    Claim(NOTEBOOK, r"Accuracy is nearly 1 everywhere", SCORES, lambda _, true: min(true[2::4]) >= 0.98),
    Claim(NOTEBOOK, r"On validation precision is the higher one: there the network misses more than it "
          r"invents\. On the test part precision and recall are equal", SCORES,
          lambda _, true: true[4] > true[5] and true[9] == true[8]),
    Claim(NOTEBOOK, r"The test score is the lowest", SCORES, lambda _, true: true[11] == min(true[3::4])),
    Claim(NOTEBOOK, r"the network marks ([\d.]+) of the area\. On all slices together it marks "
          r"as \*much\* as it should, ([\d.]+):", AREA, lambda said, true: said == true and abs(true[1] - 1) < 0.05),
    Claim(NOTEBOOK, r"a lower threshold marks more: this one, ([\d.]+), was chosen on (two) validation patients",
          output(r"^validation .*, patients (\d+)$(?:\n.*)*?^threshold ([\d.]+)$"),
          lambda said, true: said == true[::-1]),
    Claim(NOTEBOOK, r"On those, precision was above recall, so there the network marks \*less\*", SCORES,
          lambda _, true: true[4] > true[5]),
    Claim(NOTEBOOK, r"too little on the validation patients, and as much as it should on the test",
          together(SCORES, AREA), lambda _, true: true[5] < true[4] and abs(true[13] - 1) < 0.05),
    Claim(NOTEBOOK, r"These outlines are about as wavy as the reference's",
          output(r"^roughness, marked over reference: ([\d.]+)"), lambda _, true: abs(true[0] - 1) < 0.05),
    Claim(NOTEBOOK, r"yes, on slices with lesion: ([\d.]+) of the reference's area; on all slices ([\d.]+) \|",
          AREA),
    Claim(NOTEBOOK, r"\| regions smoother \| not than the reference: ([\d.]+) of its roughness",
          output(r"^roughness, marked over reference: ([\d.]+)")),
    Claim(NOTEBOOK, r"A tenth\. Only the first convolution after each skip", JOINS,
          lambda _, true: 0.08 < 1 - true[4] / true[0] < 0.12),
    Claim(NOTEBOOK, r"both networks score alike on the training patients and on validation", JOINS,
          lambda _, true: max(abs(true[1] - true[5]), abs(true[2] - true[6])) < 0.025),
    Claim(NOTEBOOK, r"On the test patients sums are ahead, by ([\d.]+)\.", JOINS,
          lambda said, true: said[0] == round(true[7] - true[3], 2)),
    Claim(NOTEBOOK, r"test F1 ([\d.]+), with sums ([\d.]+); alike on train and validation", JOINS,
          lambda said, true: said == [true[3], true[7]]),
    Claim(NOTEBOOK, r"In notebook 06 two seeds of \*one\* smaller network lie further apart than that",
          together(JOINS, elsewhere("06_class_imbalance", SUM_SEEDS)),
          lambda _, true: abs(true[9] - true[8]) > abs(true[3] - true[7])),
    Claim(NOTEBOOK, r"when one pixel in a (hundred) is lesion", elsewhere("06_class_imbalance", LESION_SHARE),
          lambda said, true: abs(100 / true[0] - said[0]) < 10),
    Claim(NOTEBOOK, r"A slice of 630 x 630 has (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"The paper reports ([\d.]+) to ([\d.]+) s a slice", known(*paper.SECONDS_PER_SLICE)),
    Claim(NOTEBOOK, r"they fit its \"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
    Claim(NOTEBOOK, r"splits by slice instead: \d+ % and (\d+) %, then \d+ % and (\d+) %",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim(NOTEBOOK, r"cores, ([\d,]+) updates \| a lesson is short; on real slices the course uses ([\d,]+)",
          known(recipe_for(True).updates, recipe_for(False).updates)),
]  # fmt: skip
