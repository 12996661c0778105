"""Checks of the exercises of notebook 03: numbers of patches, what a balanced classifier promises."""

from collections.abc import Callable

import numpy as np

from covidlab import paper
from covidlab.data.patches import patch_count
from covidlab.exercises import checking


def check_patch_count(answer: int | None) -> str:
    """Check how many patches of 11 x 11 lie wholly inside a slice of 128 x 128 (notebook 03).

    Parameters
    ----------
    answer : int

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_patch_count(128 * 128)
    'Not quite: that is a patch around every pixel. Near the border a patch would stick out.'
    """
    if problem := checking.no_number(answer):
        return problem
    right = patch_count(128, 128)
    mistakes = {
        128**2: "that is a patch around every pixel. Near the border a patch would stick out.",
        117**2: "one row and one column short: 128 - 11 counts the steps between patches, not the patches.",
        123**2: "5 pixels are lost at one edge, and 5 more at the edge across.",
        106**2: "that takes 11 pixels away at each edge. The centre is only 5 pixels from its patch's edge.",
        (128 // 11) ** 2: "121 fit beside each other, and one has 121 pixels. But each starts one pixel further.",
        118: "that is one row of patches.",
        paper.PATCHES_PER_SLICE: "that is the paper's slice of 630 x 630. This one has 128 x 128 pixels.",
    }
    if answer == right:
        return "Right: 118 rows of 118 patches."
    return "Not quite: " + mistakes.get(answer, "count the rows in which a patch's centre may lie, then the columns.")


def check_true_share(function: Callable[[np.ndarray, float], np.ndarray]) -> str:
    """Check a function that takes a probability learnt from balanced patches back to the true share (notebook 03).

    Parameters
    ----------
    function : callable (balanced, share) -> probability
        `balanced` is an array of probabilities from a model half of whose training patches were lesion, `share` the
        share of lesion where the model is used.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_true_share(lambda balanced, share: balanced * share)
    'Not quite: the two classes no longer sum to one. Divide by their sum.'
    """
    balanced, share = np.linspace(0.1, 0.9, 9), 0.2
    found, problem = checking.ask_for_numbers(lambda: function(balanced.copy(), share))
    if problem:
        return problem
    if np.shape(found) != balanced.shape:
        return f"Not quite: {len(balanced)} probabilities go in, and something of shape {np.shape(found)} comes out."
    lesion, healthy = balanced * share, (1 - balanced) * (1 - share)
    mistakes = [
        (lesion, "the two classes no longer sum to one. Divide by their sum."),
        (balanced, "nothing changes. Among balanced patches lesion is far more frequent than in a slice."),
        (balanced * (1 - share) / (balanced * (1 - share) + (1 - balanced) * share), "the shares are swapped."),
        (lesion / healthy, "that is the odds, lesion against healthy. A probability is lesion against both."),
        (lesion / (lesion + 1 - balanced), "only lesion has been weighed. Healthy patches became more frequent too."),
        (1 - lesion / (lesion + healthy), "that is the probability of healthy. Which class do the odds put on top?"),
        (lesion / (lesion + 0.5 * (1 - share)), "healthy is weighed, but with one half in place of 1 - balanced."),
        (balanced * 2 * share, "that may rise above one. Weigh both classes, then divide by their sum."),
    ]
    if mistake := checking.named(mistakes, lambda value: np.allclose(found, value)):
        return mistake
    right = lesion / (lesion + healthy)
    if not np.allclose(found, right, atol=1e-3):  # less would not show in the digits printed
        k = np.abs(found - right).argmax()
        asked = f"{balanced[k]:.1f} at a share of {share}"
        return f"Not quite: {asked} must become {right[k]:.3g}; yours becomes {found[k]:.3g}."
    return checking.right("and at a share of one half it changes nothing.", function, balanced, share)
