"""What notebook 00 says of numbers that a run could change."""

from covidlab import paper
from tools.prose import Claim, known, output

NOTEBOOK = "00_start_here"
CLAIMS = [
    Claim(NOTEBOOK, r"phantom\*\* of (ten) chest CTs", output(r"Cohort: phantom-lesson, (\d+) cases")),
    Claim(NOTEBOOK, r"(Ten) cases of (nine) patients:", output(r"(\d+) cases of (\d+) patients$")),
    Claim(
        NOTEBOOK, r"About half of the slices show a lesion", output(r"slices (\d+) of which with lesion (\d+)"),
        lambda _, true: 0.45 < true[1] / true[0] < 0.55,
    ),
    Claim(
        NOTEBOOK,
        r"About one pixel in a (hundred)\. A program that never marks anything is right on about (99) %",
        output(r"^([\d.]+)% of all pixels are lesion"),
        lambda said, true: abs(100 / true[0] - said[0]) < 5 and abs(said[1] - (100 - true[0])) < 0.5,
    ),
    Claim(NOTEBOOK, r"lesions are rare: about one pixel in a (hundred)",
          output(r"^([\d.]+)% of all pixels are lesion"), lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim(NOTEBOOK, r"\| one pixel in a (hundred) \|", output(r"^([\d.]+)% of all pixels are lesion"),
          lambda said, true: abs(100 / true[0] - said[0]) < 5),
    Claim(NOTEBOOK, r"\| (\d+) of (\d+) slices show lesion .*? \| about half, too",
          known(paper.POSITIVE_SLICES, paper.SLICES)),
]  # fmt: skip
