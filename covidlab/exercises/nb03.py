"""The exercises of notebook 03: numbers of patches, what a balanced classifier promises."""

import numpy as np

from covidlab import paper
from covidlab.exercises.checking import Function, Number

check_patch_count = Number(
    asked="How many patches of 11 x 11 pixels lie wholly inside a slice of 128 x 128.",
    right=118**2,
    praise="118 rows of 118 patches.",
    otherwise="count the rows in which a patch's centre may lie, then the columns.",
    mistakes={
        "that is a patch around every pixel. Near the border a patch would stick out.": 128**2,
        "one row and one column short: 128 - 11 counts the steps between patches, not the patches.": 117**2,
        "one row and one column too many: of the 11 pixels of a patch, 10 are not its centre.": 119**2,
        "5 pixels are lost at one edge, and 5 more at the edge across.": 123**2,
        "that takes 11 pixels away at each edge. The centre is only 5 pixels from its patch's edge.": 106**2,
        "121 fit beside each other, and one has 121 pixels. But each starts one pixel further.": (128 // 11) ** 2,
        "that is one row of patches.": 118,
        "the columns lose 10, as the rows do.": 118 * 128,
        "that is the paper's slice of 630 x 630. This one has 128 x 128 pixels.": paper.PATCHES_PER_SLICE,
    },
)


def _weighed(balanced, lesion, healthy):
    return balanced * lesion / (balanced * lesion + (1 - balanced) * healthy)


check_true_share = Function(
    asked="A function (balanced, share) -> probability, from one learnt where half of the patches were lesion.",
    right=lambda b, share: _weighed(b, share, 1 - share),
    inputs=[(np.linspace(0.1, 0.9, 9), 0.2), (np.linspace(0.1, 0.9, 9), 0.5)],
    tolerance=1e-3,  # less would not show in the digits printed
    praise="and at a share of one half it changes nothing.",
    otherwise="{0:.1f} at a share of {1} must become {right:.3g}; yours becomes {found:.3g}.",
    mistakes={
        "the two classes no longer sum to one. Divide by their sum.": lambda b, share: b * share,
        "nothing changes. Among balanced patches lesion is far more frequent than in a slice.": lambda b, share: b,
        "the shares are swapped.": lambda b, share: _weighed(b, 1 - share, share),
        "that is the odds, lesion against healthy. A probability is lesion against both.":
            lambda b, share: b * share / ((1 - b) * (1 - share)),
        "only lesion has been weighed. Healthy patches became more frequent too.":
            lambda b, share: _weighed(b, share, 1),
        "that is the probability of healthy. Which class do the odds put on top?":
            lambda b, share: 1 - _weighed(b, share, 1 - share),
        "healthy is weighed, but with one half in place of 1 - balanced.":
            lambda b, share: b * share / (b * share + 0.5 * (1 - share)),
        "that may rise above one. Weigh both classes, then divide by their sum.": lambda b, share: 2 * b * share,
        "that is yes or no. A probability is asked for.": lambda b, share: b >= 1 - share,
    },
)  # fmt: skip
