"""The exercises of notebook 01: windows."""

import numpy as np

from covidlab.data.intensities import window
from covidlab.exercises.checking import Function, Number

LEVEL, WIDTH = -600, 1200

check_window_ends = Number(
    asked="The highest CT number that is black and the lowest that is white, HU, at level -600 and width 1200 HU.",
    right=(LEVEL - WIDTH / 2, LEVEL + WIDTH / 2),
    praise="half a width below the level, half a width above it.",
    otherwise="go half a width down from the level, and half a width up.",
    mistakes={
        "the other way round. What is thin is dark.": (LEVEL + WIDTH / 2, LEVEL - WIDTH / 2),
        "that is twice as wide. The width goes from black to white, not to the middle.": (LEVEL - WIDTH, LEVEL + WIDTH),
        "that starts at the level. The level is the middle of the window.": (LEVEL, LEVEL + WIDTH),
        "that ends at the level. The level is the middle of the window.": (LEVEL - WIDTH, LEVEL),
        "those are level and width themselves. Go half a width down from the level, and up.": (LEVEL, WIDTH),
        "the level is negative.": (-LEVEL - WIDTH / 2, -LEVEL + WIDTH / 2),
    },
)


def _endless(hu, level, width):
    return (hu - level) / width + 0.5


def _without_brackets(hu, level, width):
    return hu - (level - width / 2) / width


def _inside(hu, level, width, otherwise):
    """Right where the window is black or white, and wrong between."""
    grey = window(hu, level, width)
    return np.where((grey > 0) & (grey < 1), otherwise, grey)


def _to_the_slices_own_values(hu, level, width):
    clipped = np.clip(hu, level - width / 2, level + width / 2)
    return (clipped - clipped.min()) / (clipped.max() - clipped.min())


check_window = Function(
    asked="A function (hu, level, width) -> grey values, 0 for black and 1 for white. `hu` is an int16 array.",
    right=window,
    # No number lies on an end or on the level: an answer may treat those either way. The second slice is all grey.
    inputs=[
        (np.array([[-1000, -401, -175], [20, 275, 499], [501, 1200, 3000]], np.int16), 50, 900),
        (np.array([[-175, 20, 275]], np.int16), 50, 900),
    ],
    tolerance=1e-3,
    praise="black below, white above, straight between.",
    otherwise="at {0} HU it gives {found:.3f}; {right:.3f} is expected.",
    mistakes={
        "only black and white. Between the ends grey rises in a straight line.": lambda *g: window(*g).round(),
        "only whole numbers come out. Greys between 0 and 1 need decimals.": lambda *g: np.floor(window(*g)),
        "black and white have changed places.": lambda *g: 1 - window(*g),
        "it starts at the level. The level is the middle of the window.":
            lambda hu, level, width: np.clip((hu - level) / width, 0, 1),
        "that window is twice as wide as it should be.": lambda hu, level, width: window(hu, level, 2 * width),
        "that window is half as wide as it should be.": lambda hu, level, width: window(hu, level, width / 2),
        "below the window all is 0, above it all is 1.":
            [_endless, lambda *g: np.minimum(_endless(*g), 1), lambda *g: np.maximum(_endless(*g), 0)],
        "clipped, but still in HU. Scale it to 0..1.":
            lambda hu, level, width: np.clip(hu, level - width / 2, level + width / 2),
        "black and white are right, but in between it is still in HU. Subtract the lower end, divide by the width.":
            [lambda *g: _inside(*g, g[0]), lambda hu, level, width: _inside(hu, level, width, hu - level + width / 2)],
        "brackets are missing: Python divides before it subtracts. Subtract first, then divide.":
            [_without_brackets, lambda *g: np.clip(_without_brackets(*g), 0, 1)],
        "grey values up to 255. Here white is 1.":
            [lambda *g: window(*g) * 255, lambda *g: np.floor(window(*g) * 255), lambda *g: np.round(window(*g) * 255)],
        "on a slice without black and white it is wrong. Level and width decide what is black and white, not the "
        "lowest and the highest value of the slice.": _to_the_slices_own_values,
    },
)  # fmt: skip
