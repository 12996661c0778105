"""What notebook 06 says of numbers that a run could change."""

from covidlab import paper
from covidlab.experiment import recipe_for
from tests.prose import LESION_SHARE, Claim, known, output, table

NOTEBOOK = "06_class_imbalance"
LOSS_SEEDS = output("\n".join(rf"^{name} +F1 ([\d.]+) ([\d.]+)  threshold.*"  # F1 with seed 0 and with seed 1
                              for name in ("cross_entropy", "weighted_cross_entropy", "cross_entropy_and_dice")))

LAZY = output(r"^precision nan  recall ([\d.]+)  accuracy ([\d.]+)  f1 ([\d.]+)$")

EXPECTED_SLICES = output(r"expected among training slices: (\d+) negative, (\d+) positive")

LEFT_EMPTY = output(
    r"positive only .*left empty ([\d.]+) ([\d.]+)\nas many negative .*left empty ([\d.]+) ([\d.]+)"
)

HURRIED = output(r"one expert against the reference: F1 ([\d.]+)")

CLAIMS = [
    # Notebook 06: most of it is said of the stored run, whose digits differ from one computer to the next.
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
          known(recipe_for(True).updates, recipe_for(True).batch_size)),
    Claim(NOTEBOOK, r"F1 cannot tell the two apart", output(r"^F1: told apart (True|False)"),
          lambda _, true: true == [0]),
    Claim(NOTEBOOK, r"The share of negative slices left empty can",
          output(r"^left empty: told apart (True|False)"), lambda _, true: true == [1]),
    Claim(NOTEBOOK, r"fewer than (four) in ten stay empty, against more than (eight) in ten", LEFT_EMPTY,
          lambda said, true: sum(true[:2]) / 2 < said[0] / 10 and sum(true[2:]) / 2 > said[1] / 10),
    Claim(NOTEBOOK, r"\*nothing\* costs ([\d.]+), and \*everything\* costs ([\d.]+)\.",
          output(r"^cross_entropy {8,}([\d.]+) +([\d.]+)")),
    Claim(NOTEBOOK, r"both cost the same, ([\d.]+)\.",
          output(r"^weighted_cross_entropy {8,}([\d.]+) +([\d.]+)"), lambda said, true: true == 2 * said),
    Claim(NOTEBOOK, r"\*nothing\* costs ([\d.]+) and \*everything\* ([\d.]+)\.",
          output(r"^dice {8,}([\d.]+) +([\d.]+)")),
    Claim(NOTEBOOK, r"neither of the two can be told from the sum",
          output(r"^cross_entropy and ours: told apart (True|False)\nweighted_\w+ and ours: told apart (True|False)"),
          lambda _, true: true == [0, 0]),
    Claim(NOTEBOOK, r"neither cross-entropy nor its weighted form told apart from the sum with Dice",
          output(r"^cross_entropy and ours: told apart (True|False)\nweighted_\w+ and ours: told apart (True|False)"),
          lambda _, true: true == [0, 0]),
    Claim(NOTEBOOK, r"the sum's own two seeds lie further apart than the losses do", LOSS_SEEDS,
          lambda _, true: abs(true[4] - true[5]) > max(abs(sum(true[4:]) - sum(true[k : k + 2])) / 2 for k in (0, 2))),
    Claim(NOTEBOOK, r"first seed alone .* the sum is the best of the three\. With the second .* the worst",
          LOSS_SEEDS, lambda _, true: true[4] > max(true[0], true[2]) and true[5] < min(true[1], true[3])),
    *(
        Claim(NOTEBOOK, sentence, table("study-losses", "f1", variant=variant, part="test"))
        for sentence, variant in (
            (r"([\d.]+) for cross-entropy and", "cross entropy"),
            (r"and ([\d.]+) for the sum, ", "cross entropy and dice"),
            (r"([\d.]+) for focal loss", "focal"), (r"([\d.]+) for weighted cross-entropy", "weighted cross entropy"),
            (r"([\d.]+) for Dice and", "dice"), (r"and ([\d.]+) for Tversky", "tversky"),
            (r"it does learn: ([\d.]+), against", "dice"),
            (r"against ([\d.]+) for the sum \(section 3\)", "cross entropy and dice"),
        )
    ),
    Claim(NOTEBOOK, r"at one half it scores less than as chosen",
          output(r"^cross_entropy +at one half F1 ([\d.]+), as chosen ([\d.]+)"), lambda _, true: true[0] < true[1]),
    Claim(NOTEBOOK, r"validation chose a low threshold",
          output(r"^cross_entropy .*threshold ([\d.]+) ([\d.]+)"), lambda _, true: max(true) < 0.4),
    Claim(NOTEBOOK, r"calls far too many, and validation chose a high one",
          output(r"^weighted_cross_entropy .*threshold ([\d.]+) ([\d.]+)"), lambda _, true: min(true) > 0.6),
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
