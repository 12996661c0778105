"""The exercises of notebook 03: the weights of a wider patch, what a network says that learnt from another mixture."""

import numpy as np

from covidlab.exercises.checking import Function, Number

check_fourth_layer = Number(
    asked="The weights of the fourth layer for patches of 15 x 15: 32 maps in, 64 out, after three 3 x 3 convolutions.",
    right=64 * (9 * 9 * 32 + 1),
    praise="three times as many as for 11 x 11, in one layer.",
    otherwise="kernel pixels times maps in, plus one bias, for each of the 64 maps.",
    mistakes={
        "that is the layer for patches of 11 x 11. The kernel has to grow with the patch.": 64 * (5 * 5 * 32 + 1),
        "each of the 64 maps has a bias too.": 64 * 9 * 9 * 32,
        "there is one bias for each map that comes out, 64 in all.": 64 * 9 * 9 * 32 + 1,
        "a bias belongs to a map that comes out, not to each that goes in.": 64 * 9 * 9 * 32 + 32,
        "that is a kernel as large as the patch. Three convolutions have made it smaller before.":
            64 * (15 * 15 * 32 + 1),
        "that takes off 2 pixels. Each of three convolutions takes off 2.": 64 * (13 * 13 * 32 + 1),
        "that takes off 4 pixels. There are three convolutions before, not two.": 64 * (11 * 11 * 32 + 1),
        "that takes off 3 pixels: each convolution takes one off at *each* edge.": 64 * (12 * 12 * 32 + 1),
        "that takes off 8 pixels. The fourth convolution is the one that takes in what is left.": 64 * (7 * 7 * 32 + 1),
        "that is one map's kernel. The layer has 64 maps.": 9 * 9 * 32 + 1,
        "a kernel spans all 32 maps that come in.": 64 * (9 * 9 + 1),
        "a kernel has 9 x 9 pixels, not 9.": 64 * (9 * 32 + 1),
        "the layer is no copy that has been stretched: count the kernel's pixels again.":
            round(64 * (5 * 5 * 32 + 1) * (15 / 11) ** 2),
    },
)  # fmt: skip


def odds(p):
    """Of a probability or of probabilities: how often it is so for each time that it is not."""
    return p / (1 - p)


def shifted(p, before, after):
    """A probability that holds where a fraction `before` is lesion, moved to where a fraction `after` is."""
    lesion, healthy = p * after / before, (1 - p) * (1 - after) / (1 - before)
    return lesion / (lesion + healthy)


check_prior_shift = Function(
    asked="A function (wanted, used, trained) -> what a network says for a probability `wanted` in use; `used` and "
          "`trained` are the fractions of lesion in use and in training.",
    right=shifted,
    inputs=[(np.linspace(0.1, 0.9, 9), 0.2, 0.1), (np.linspace(0.1, 0.9, 9), 0.01, 0.5)],
    edges={"where training and use have the same mixture. There nothing shifts.": (np.float64(0.3), 0.2, 0.2)},
    tolerance=1e-3,  # less would not show in the digits printed
    praise="and where training and use have the same mixture, nothing shifts.",
    otherwise="{0:.1f} in slices with a fraction of {1}, learnt from {2}, is {right:.3g}; yours says {found:.3g}.",
    mistakes={
        "nothing changes, though training and use have different fractions.": lambda p, u, t: p,
        "that is the way back, from what the network says to slices.": lambda p, u, t: shifted(p, t, u),
        "that is right for a training with one half, whatever `trained` is.": lambda p, u, t: shifted(p, u, 0.5),
        "`used` is left out.": lambda p, u, t: shifted(p, 0.5, t),
        "these are odds. Turn them back into a probability: odds / (1 + odds).": lambda *g: odds(shifted(*g)),
        "fractions are divided here, and it may rise above one. Divide odds by odds.": lambda p, u, t: p * t / u,
        "the last step takes odds for a probability: it is odds / (1 + odds), not p / (1 - p).":
            lambda *g: odds(odds(shifted(*g))),
        "`wanted` went in as a probability. Take its odds first.": lambda p, u, t: shifted(p / (1 + p), u, t),
        "the fractions went in as they are. Take the odds of each first.":
            lambda p, u, t: shifted(p, u / (1 + u), t / (1 + t)),
        "that is the probability of healthy. Which class do the odds put on top?": lambda *g: 1 - shifted(*g),
        "only lesion has been weighed. Healthy patches changed their fraction too.":
            lambda p, u, t: p * t / u / (p * t / u + 1 - p),
        "that is where both answers are even, for a training with one half. Use all three numbers.":
            lambda p, u, t: 0 * p + 1 - u,
    },
)  # fmt: skip
