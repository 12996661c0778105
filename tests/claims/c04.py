"""What notebook 04 says of numbers that a run could change."""

from tests.prose import SCORES, Claim, elsewhere, output, table, together

NOTEBOOK = "04_fcn8s"
CLAIMS = [
    Claim(NOTEBOOK, r"At fc6 one place sees (\d+) pixels", output(r"^fc6 +sees (\d+) pixels")),
    Claim(NOTEBOOK, r"Our slice of 128 pixels has (\d) x 4 places left",
          output(r"^fc6 .* one place each (\d+) pixels"), lambda said, true: said[0] == 128 / true[0]),
    Claim(NOTEBOOK, r"Squares of 32 pixels allow ([\d.]+), .* Squares of 8 allow (0\.\d+)",
          output(r"32 pixels: F1 at best ([\d.]+)(?:\n.*)*?squares of  8 pixels: F1 at best ([\d.]+)$")),
    Claim(NOTEBOOK, r"counted ([\d,]+) weights without building them", output(r"^FCN-8s: ([\d,]+) weights")),
    Claim(NOTEBOOK, r"say what .* count the (134) million weights", output(r"^FCN-8s: ([\d,]+) weights"),
          lambda said, true: said[0] == true[0] // 1e6),
    *(
        Claim(NOTEBOOK, sentence,
              output("(?:.|\\n)*?".join([r"train F1 ([\d.]+)  validation F1 ([\d.]+)  test F1"] * 3)),
              lambda _, true: true[0] > true[2] > true[4] and true[1] > true[5] > true[3])
        for sentence in (r"on the training and on the test patients; on validation the first one does not",
                         r"raises F1 on train and test, on validation only the second does")
    ),
    Claim(NOTEBOOK, r"On the test patients it goes from (0\.\d+) to (0\.\d+) to (0\.\d+)",
          output(r"test F1 ([\d.]+)$(?:\n.*)*?test F1 ([\d.]+)$(?:\n.*)*?test F1 ([\d.]+)$"),
          lambda said, true: said == true[::-1] and said == sorted(said)),
    Claim(NOTEBOOK, r"sees 11 pixels, reached ([\d.]+) on these test slices, and ([\d.]+) on validation\.",
          elsewhere("03_patch_cnn", SCORES), lambda said, true: said == [true[11], true[7]]),
    Claim(NOTEBOOK, r"Seeing far did not pay here", together(
              elsewhere("03_patch_cnn", SCORES),
              output(r"^train F1 [\d.]+  validation F1 ([\d.]+)  test F1 ([\d.]+)$(?:\n.*)*new layers: \['up16'\]")),
          lambda _, true: true[12] < true[7] and true[13] < true[11]),
    Claim(NOTEBOOK, r"FCN-8s is ahead: F1 ([\d.]+) against ([\d.]+), 128 px, protocol \*slice\*",
          together(*(table("models", "f1", variant=name, part="test") for name in ("fcn8s", "patch_cnn")))),
    Claim(NOTEBOOK, r"level with the light U-Net: F1 ([\d.]+) both",
          together(*(table("phantom-630", name, measure="F1, pooled (95 % over patients)")
                     for name in ("fcn8s", "light_unet"))),
          lambda said, true: all(round(value, 2) == said[0] for value in true)),
    Claim(NOTEBOOK, r"FCN-8s has (four) times as many weights as the light U-Net, and needs less arithmetic",
          output(r"^FCN-8s, an eighth +([\d.]+) .*, ([\d,]+) weights\n+light U-Net +([\d.]+) .*, ([\d,]+) weights$"),
          lambda said, true: round(true[1] / true[3]) == said[0] and true[0] < true[2]),
]  # fmt: skip
