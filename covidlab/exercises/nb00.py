"""The exercise of notebook 00: how rare a lesion is where there is one."""

import numpy as np

from covidlab.exercises.checking import Function


def _on_positive(masks):
    return masks[masks.any(axis=(1, 2))].mean()


def _slices(*lesions, size=5):
    """A mask a slice, of size x size pixels, the first so many of which are lesion."""
    return np.array([np.arange(size**2) < lesion for lesion in lesions], np.uint8).reshape(-1, size, size)


check_positive_fraction = Function(
    asked="A function (masks) -> the fraction of lesion pixels on the slices that show any. `masks` is a uint8 array "
    "of slices, rows and columns, 1 where there is lesion and 0 elsewhere.",
    right=_on_positive,
    inputs=[(_slices(0, 3, 9, 0, 0, 1),), (_slices(4, 0, size=6),)],
    praise="slices without lesion are left out, and of the others every pixel counts.",
    otherwise="on a small example it gives {found:.3g}; {right:.3g} is expected.",
    mistakes={
        "that counts the slices without lesion, too. Leave them out first.": lambda m: m.mean(),
        "that is the fraction of *slices* that show a lesion. Count pixels.": lambda m: m.any(axis=(1, 2)).mean(),
        "that is a number of pixels. Divide it by all pixels of these slices.": lambda m: m.sum(),
        "in per cent. As a fraction, all is 1.": lambda m: 100 * _on_positive(m),
        "that is the healthy fraction of these slices.": lambda m: 1 - _on_positive(m),
    },
)  # fmt: skip
