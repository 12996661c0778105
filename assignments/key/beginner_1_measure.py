"""Hidden tests of beginner_1_measure: what a window hides, millilitres, the widest slice."""

import numpy as np

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def hidden(hu, level, width):
    return np.mean(hu <= level - width / 2), np.mean(hu >= level + width / 2)


def lesion_ml(mask, spacing):
    return np.count_nonzero(mask) * np.prod(spacing) / 1000


def widest(mask):
    pixels = np.count_nonzero(mask, axis=(1, 2))
    return (int(pixels.argmax()), int(pixels.max())) if pixels.any() else (-1, 0)


def _ends_left_out(hu, level, width):
    return np.mean(hu < level - width / 2), np.mean(hu > level + width / 2)


def _last(mask):
    pixels = np.count_nonzero(mask, axis=(1, 2))
    return len(pixels) - 1 - int(pixels[::-1].argmax()), int(pixels.max())


def _sums(mask):
    return int(mask.sum((1, 2)).argmax()), int(mask.sum((1, 2)).max())


def parts(random):
    scans = [random.integers(-20, 6, (3, 17, 19)) * 50 for _ in range(3)]  # ends of windows are often met exactly
    masks = [(random.random((6, 9, 8)) < 0.2) * random.integers(1, 4, (6, 9, 8)) for _ in range(3)]
    masks[1] = masks[1].astype(np.uint8)
    masks[2][4] = masks[2][1] = np.arange(72).reshape(9, 8) % 2 * 3  # two slices are equally wide
    spacings = [(5.0, 0.7, 0.9), (1.25, 0.8, 0.6), (3.0, 1.0, 1.2)]
    return (
        Part("hidden", 4, Function(
            asked="(hu, level, width) -> the fractions of pixels shown black, and white.",
            right=hidden, inputs=[(scans[0], -600, 700), (scans[1], 50, 400), (scans[2], -500, 1000)], praise="",
            otherwise="with level {1} and width {2} another pair is expected.",
            mistakes={
                "a pixel that lies on an end of the window is black or white, too.": Worth(3, _ends_left_out),
                "white comes first: the order is black, white.": Worth(2, lambda *given: hidden(*given)[::-1]),
                "the window is twice too wide: its ends lie half a width from the level.":
                    lambda hu, level, width: hidden(hu, level, 2 * width),
                "the level is the middle of the window, not its lower end.":
                    lambda hu, level, width: hidden(hu, level + width / 2, width),
                "these are numbers of pixels, and fractions are expected.":
                    Worth(2, lambda hu, level, width: np.multiply(hidden(hu, level, width), hu.size)),
                "these are per cent, and fractions are expected.":
                    Worth(3, lambda *given: np.multiply(hidden(*given), 100)),
            })),
        Part("lesion_ml", 3, Function(
            asked="(mask, spacing) -> ml of lesion; any number above 0 is lesion, spacing is in mm.",
            right=lesion_ml, inputs=list(zip(masks, spacings)), praise="",
            otherwise="it gives {found:g} ml for {right:g}.",
            edges={"for a mask without lesion": (masks[0] * 0, spacings[0])},
            mistakes={
                "these are cubic millimetres: a thousand of them are one ml.":
                    Worth(2, lambda m, s: 1000 * lesion_ml(m, s)),
                "these are cubic centimetres of one tenth each way: ten to the third is a thousand.":
                    lambda m, s: 100 * lesion_ml(m, s),
                "a lesion pixel counts once, whichever number marks it.":
                    Worth(2, lambda m, s: m.sum() * np.prod(s) / 1000),
                "only pixels marked 1 are counted, and any number above 0 is lesion.":
                    Worth(2, lambda m, s: lesion_ml(m == 1, s)),
                "the distance between slices is not in it.": Worth(1, lambda m, s: lesion_ml(m, s[1:])),
                "all voxels are counted, and only lesion is asked.": lambda m, s: m.size * np.prod(s) / 1000,
            })),
        Part("widest", 3, Function(
            asked="(mask) -> number of the slice with most lesion pixels, and how many; the first of several.",
            right=widest, inputs=[(mask,) for mask in masks], praise="", otherwise="another pair is expected.",
            edges={"for a scan without lesion": (masks[0] * 0,)},
            mistakes={
                "of two slices with equally many, the first is asked.": Worth(2, _last),
                "a lesion pixel counts once, whichever number marks it.": Worth(2, _sums),
                "slices are counted from 0.": Worth(2, lambda m: (widest(m)[0] + 1, widest(m)[1])),
                "the number of the slice comes first.": Worth(2, lambda m: widest(m)[::-1]),
                "only the number of the slice is there, and that of its pixels is asked, too.":
                    Worth(1, lambda m: widest(m)[0]),
            })),
    )  # fmt: skip
