"""What notebook 04 says of numbers that a run could change."""

from tools.prose import Claim, Source, output, result, table, together

NOTEBOOK = "04_fcn8s"
LESSONS = "covidlab/weights/lessons"
PARTS = ("train", "validation", "test")
NETWORKS = ("FCN-32s", "FCN-16s", "FCN-8s")
# F1 of FCN-32s, FCN-16s and FCN-8s, each on train, validation and test.
NINE = output(r"(?:.*\n)*?".join(
    rf"^{name} +1,500 updates +train F1 ([\d.]+) +validation F1 ([\d.]+) +test F1 ([\d.]+)$" for name in NETWORKS
))  # fmt: skip
FITTED = output("\n".join(rf"^one score each +{side} pixels: F1 ~([\d.]+)$" for side in (32, 16, 8)))
SIZES = output(r"^FCN-8s, a sixteenth +([\d.]+) .*, ([\d,]+) weights\n+light U-Net +([\d.]+) .*, ([\d,]+) weights$")


def f1_of(run: str, *parts: str) -> Source:
    """F1 of a run that comes along, on some parts, as it is printed."""
    scores = together(*(result(f"{LESSONS}/{run}/scores.json", "parts", part, "f1") for part in parts))
    return lambda notebook: [round(value, 2) for value in scores(notebook)]


def near(said: list[float], true: list[float]) -> bool:
    """Numbers that a fit in the notebook gives again, up to its processor."""
    return len(said) == len(true) and all(abs(one - other) <= 0.02 for one, other in zip(said, true))


CLAIMS = [
    Claim(NOTEBOOK, r"At fc6 one place sees (\d+) pixels", output(r"^fc6 +sees (\d+) pixels")),
    Claim(NOTEBOOK, r"Our slice of 128 pixels has (\d) x 4 places left",
          output(r"^fc6 .* one place each (\d+) pixels"), lambda said, true: said[0] == 128 / true[0]),
    Claim(NOTEBOOK, r"One score each 32 pixels: about ([\d.]+)\. .* 16: about ([\d.]+)\. .* 8: about (0\.\d+)",
          FITTED, near),
    Claim(NOTEBOOK, r"counted ([\d,]+) weights without building them", output(r"^FCN-8s: ([\d,]+) weights")),
    Claim(NOTEBOOK, r"say what .* count the (134) million weights", output(r"^FCN-8s: ([\d,]+) weights"),
          lambda said, true: said[0] == true[0] // 1e6),
    Claim(NOTEBOOK, r"a sixteenth of the published width, ([\d,]+) weights", output(r"^([\d,]+) by hand")),
    *(
        Claim(NOTEBOOK, sentence, NINE, lambda _, true: all(
            true[part] < true[3 + part] < true[6 + part] for part in range(3)))
        for sentence in (r"Each skip raises F1 on every part", r"each adds to F1 on all three parts")
    ),
    Claim(NOTEBOOK, r"On the test patients it goes from (0\.\d+) to (0\.\d+) to (0\.\d+)", NINE,
          lambda said, true: said == true[2::3]),
    Claim(NOTEBOOK, r"pool4 on train and test, pool3 on validation", NINE, lambda _, true: [
        true[3 + part] - true[part] > true[6 + part] - true[3 + part] for part in range(3)] == [True, False, True]),
    Claim(NOTEBOOK, r"pool4 (0\.\d+) and pool3 (0\.\d+) on test",
          output(r"^test +pool4 adds \+([\d.]+), pool3 adds \+([\d.]+)$")),
    Claim(NOTEBOOK, r"Recall falls from training to test for all three", together(*(
              result(f"{LESSONS}/{name.lower()}/scores.json", "parts", part, "recall")
              for name in NETWORKS for part in ("train", "test"))),
          lambda _, true: all(test < train for train, test in zip(true[::2], true[1::2]))),
    Claim(NOTEBOOK, r"fitted to the test masks reached about ([\d.]+), ([\d.]+) and (0\.\d+)", FITTED, near),
    Claim(NOTEBOOK, r"FCN-32s comes nearest. FCN-8s has far to go", together(FITTED, NINE),
          lambda _, true: (gaps := [fit - own for fit, own in zip(true[:3], true[5::3])])
          and min(gaps) == gaps[0] and gaps[2] > 0.2),
    Claim(NOTEBOOK, r"sees 11 pixels, reaches ([\d.]+) .* and ([\d.]+) on validation, where FCN-8s has (0\.\d+)",
          together(f1_of("patch-cnn", "test", "validation"), f1_of("fcn-8s", "validation"))),
    Claim(NOTEBOOK, r"Why is FCN-8s behind\?", together(f1_of("patch-cnn", *PARTS), f1_of("fcn-8s", *PARTS)),
          lambda _, true: all(fcn < patch for patch, fcn in zip(true[:3], true[3:]))),
    Claim(NOTEBOOK, r"FCN-8s is ahead: F1 ([\d.]+) against ([\d.]+), 128 px, protocol \*slice\*",
          together(*(table("models", "f1", variant=name, part="test") for name in ("fcn8s", "patch_cnn")))),
    Claim(NOTEBOOK, r"below it on both: F1 ([\d.]+) against ([\d.]+), and ([\d.]+) against (0\.\d+)",
          together(*(f1_of(run, part) for part in ("train", "test") for run in ("fcn-8s", "light-u-net")))),
    Claim(NOTEBOOK, r"level with the light U-Net: F1 ([\d.]+) both",
          together(*(table("phantom-630", name, measure="F1, pooled (95 % over patients)")
                     for name in ("fcn8s", "light_unet"))),
          lambda said, true: all(round(value, 2) == said[0] for value in true)),
    Claim(NOTEBOOK, r"about as many weights as the light U-Net here, and needs a seventh of its arithmetic", SIZES,
          lambda _, true: round(true[2] / true[0]) == 7 and 0.9 < true[1] / true[3] < 1.1),
]  # fmt: skip
