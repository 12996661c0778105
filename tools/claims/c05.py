"""What notebook 05 says of numbers that a run could change."""

from covidlab import paper
from covidlab.training.fit import read_history
from covidlab.training.lessons import LESSONS
from covidlab.training.recipe import recipe_for
from studies.lessons import LONG
from studies.spread import RECIPES
from tools.prose import LESION_SHARE, SCORES, Claim, elsewhere, known, output, together

NOTEBOOK = "05_light_unet"
# Weights, and F1 on train, validation and test, of the network that concatenates and of the one that adds.
JOIN = r" +([\d,]+) weights  F1 train ([\d.]+)  validation ([\d.]+)  test ([\d.]+)"

JOINS = output(rf"^concatenate{JOIN}\nsum{JOIN}$")

AREA = output(r"^area, marked over reference: ([\d.]+); on all slices ([\d.]+)$")

AT_HALF = output(r"^area at a threshold of 0\.5: ([\d.]+)$")

ASKED = LONG["light U-Net"].recipe

HISTORY = read_history(LESSONS / "light-u-net" / "history.csv")

VALIDATION = [epoch.validation_f1 for epoch in HISTORY]

BEST = VALIDATION.index(max(VALIDATION))

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
    Claim(NOTEBOOK, r"We keep a few of them, (three) for every (ten) with lesion",
          known(10 * recipe_for(True).negatives_per_positive), lambda said, true: said[0] / said[1] * 10 == true[0]),
    Claim(NOTEBOOK, r"After each \*\*epoch\*\*, here (\d+) updates", known(ASKED.updates_per_epoch)),
    Claim(NOTEBOOK, r"trained beforehand for ([\d,]+) updates", known(ASKED.updates)),
    Claim(NOTEBOOK, r"but a fifth of the updates", known(RECIPES["light U-Net"].recipe.updates, ASKED.updates),
          lambda _, true: 5 * true[0] == true[1]),
    Claim(NOTEBOOK, r"With `updates=(\d+)` you would train the network that the course brings", known(ASKED.updates)),
    Claim(NOTEBOOK, r"Accuracy is nearly 1 everywhere", SCORES, lambda _, true: min(true[2::4]) >= 0.99),
    Claim(NOTEBOOK, r"F1 is highest on the patients that the network has trained on, ([\d.]+), and lower on the "
          r"others, ([\d.]+) and ([\d.]+)\.", SCORES, lambda said, true: said == true[3::4] and said[0] == max(said)),
    Claim(NOTEBOOK, r"The test score is the lowest", SCORES, lambda _, true: true[11] == min(true[3::4])),
    Claim(NOTEBOOK, r"each of the two parts holds (two) patients",
          output(r"^validation .*, patients (\d+)\ntest .*, patients (\d+)$"),
          lambda said, true: true == [said[0], said[0]]),
    Claim(NOTEBOOK, r"On validation precision is the higher one: the network misses more lesion pixels than it marks "
          r"wrongly\. On the test part recall is higher", SCORES,
          lambda _, true: true[4] > true[5] and true[9] > true[8]),
    Claim(NOTEBOOK, r"For (\d+) updates validation F1 swings; from (\d+) on it stays near ([\d.]+), and the best "
          r"epoch, at ([\d,]+), is kept", known(HISTORY[BEST].updates),
          lambda said, true: said[1] == said[0] + 100 == 800 and said[3] == true[0]
          and max(VALIDATION[:7]) - min(VALIDATION[:7]) > 0.3
          and all(abs(f1 - said[2]) < 0.05 for f1 in VALIDATION[7:])),
    Claim(NOTEBOOK, r"what it knows it has learnt from (five) patients", output(r"^train .*, patients (\d+)$")),
    Claim(NOTEBOOK, r"the network marks ([\d.]+) of the area\. On all slices together it marks "
          r"more than it should, ([\d.]+):", AREA,
          lambda said, true: said == true and true[0] < 0.95 and true[1] > 1.03),
    Claim(NOTEBOOK, r"a lower threshold marks more: this one, ([\d.]+), was chosen on (two) validation patients",
          output(r"^validation .*, patients (\d+)$(?:\n.*)*?^threshold ([\d.]+)$"),
          lambda said, true: said == true[::-1]),
    Claim(NOTEBOOK, r"At 0\.5 the same network marks ([\d.]+) of the area on the same slices", AT_HALF,
          lambda said, true: said == true and true[0] > 1.03),
    Claim(NOTEBOOK, r"on the validation patients precision was above recall, so there it marks \*less\*", SCORES,
          lambda _, true: true[4] > true[5]),
    Claim(NOTEBOOK, r"too little on the validation patients and too much on the test patients",
          together(SCORES, AREA), lambda _, true: true[5] < true[4] and true[13] > 1.03),
    Claim(NOTEBOOK, r"These outlines are about as wavy as the reference's",
          output(r"^roughness, marked over reference: ([\d.]+)"), lambda _, true: abs(true[0] - 1) < 0.05),
    Claim(NOTEBOOK, r"yes, on slices with lesion: ([\d.]+) of the reference's area, but ([\d.]+) at a threshold of "
          r"0\.5; on all slices ([\d.]+) \|", together(AREA, AT_HALF),
          lambda said, true: said == [true[0], true[2], true[1]]),
    Claim(NOTEBOOK, r"\| regions smoother \| not than the reference: ([\d.]+) of its roughness",
          output(r"^roughness, marked over reference: ([\d.]+)")),
    Claim(NOTEBOOK, r"A tenth\. Only the first convolution after each skip", JOINS,
          lambda _, true: 0.08 < 1 - true[4] / true[0] < 0.12),
    Claim(NOTEBOOK, r"On the training patients sums are ahead, by ([\d.]+); on validation and test concatenation "
          r"is, by ([\d.]+) and ([\d.]+)\.", JOINS,
          lambda said, true: said == [round(gap, 2) for gap in (
              true[5] - true[1], true[2] - true[6], true[3] - true[7])]),
    Claim(NOTEBOOK, r"validation F1 of a \*single\* network moves by ([\d.]+) from the epoch that was kept to the next",
          known(*VALIDATION[BEST : BEST + 2]),
          lambda said, true: said[0] == round(abs(true[0] - true[1]), 2)),
    Claim(NOTEBOOK, r"test F1 ([\d.]+), with sums ([\d.]+); on train ([\d.]+) and ([\d.]+)", JOINS,
          lambda said, true: said == [true[3], true[7], true[1], true[5]]),
    Claim(NOTEBOOK, r"when one pixel in a (hundred) is lesion", elsewhere("06_class_imbalance", LESION_SHARE),
          lambda said, true: abs(100 / true[0] - said[0]) < 10),
    Claim(NOTEBOOK, r"A slice of 630 x 630 has (\d+) times as many pixels", known((630 / 128) ** 2),
          lambda said, true: said[0] == round(true[0])),
    Claim(NOTEBOOK, r"The paper reports ([\d.]+) to ([\d.]+) s a slice", known(*paper.SECONDS_PER_SLICE)),
    Claim(NOTEBOOK, r"they fit its \"less than (\d)MB\"", known(paper.UNET_MEGABYTES)),
    Claim(NOTEBOOK, r"splits by slice instead: \d+ % and (\d+) %, then \d+ % and (\d+) %",
          known(round(100 * paper.TEST_SHARE), round(100 * paper.VALIDATION_SHARE))),
    Claim(NOTEBOOK, r"cores, ([\d,]+) updates \| a lesson is short; on real slices the course uses ([\d,]+)",
          known(ASKED.updates, recipe_for(False).updates)),
]  # fmt: skip
