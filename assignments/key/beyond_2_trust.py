"""Hidden tests of beyond_2_trust: reliability, what lies near the lungs, a paired difference."""

import numpy as np
from scipy import ndimage

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def reliability(probability, reference, edges):
    return _by_bin(probability, edges, lambda inside: reference[inside].mean())


def near_lungs(mask, lungs, reach):
    return mask & _grown(lungs, reach)


def paired(old, new, draws):
    means = (new - old)[draws].mean(1)
    return (new - old).mean(), *np.percentile(means, [2.5, 97.5])


def _by_bin(probability, edges, value, empty=np.nan, right=False):
    found = []
    for low, high in zip(edges[:-1], edges[1:]):
        above, below = (np.greater, np.less_equal) if right else (np.greater_equal, np.less)
        inside = above(probability, low) & below(probability, high)
        if high == edges[-1]:
            inside |= probability == high
        found.append(value(inside) if inside.any() else empty)
    return np.array(found)


def _grown(lungs, reach, structure=((0, 1, 0), (1, 1, 1), (0, 1, 0))):
    return ndimage.binary_dilation(lungs, np.array(structure)[None], reach) if reach else lungs


def parts(random):
    edges = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    scans = []
    for gap in (0.6, 0.2, 0.4):
        probability = random.integers(0, 11, (4, 12, 12)) / 10  # ends of bins are often met exactly
        probability[(probability >= gap) & (probability < gap + 0.2)] = 1.0  # this bin is empty
        scans.append((probability, random.random(probability.shape) < probability**1.5, np.array(edges)))
    masks = []
    for reach in (2, 1, 3):
        lungs = np.zeros((4, 16, 16), bool)
        lungs[1, 5:9, 4:7] = lungs[2, 6:9, 9:12] = True
        masks.append((random.random(lungs.shape) < 0.6, lungs, reach))
    scores = [(random.uniform(0.4, 0.9, 8), random.uniform(0.5, 0.95, 8), random.integers(0, 8, (300, 8)))
              for _ in range(2)]  # fmt: skip
    return (
        Part("reliability", 4, Function(
            asked="(probability, reference, edges) -> in each bin from an edge up to, not with, the next (the last "
                  "with it) the fraction of pixels that are lesion; nan where no pixel is.",
            right=reliability, inputs=scans, praise="", otherwise="other fractions are expected.",
            mistakes={
                "that is the mean probability of each bin: ask the reference.":
                    lambda p, r, e: _by_bin(p, e, lambda inside: p[inside].mean()),
                "an empty bin has no fraction: nan, not 0.":
                    Worth(3, lambda p, r, e: _by_bin(p, e, lambda inside: r[inside].mean(), 0)),
                "a bin holds its lower edge, not its upper one.":
                    Worth(3, lambda p, r, e: _by_bin(p, e, lambda inside: r[inside].mean(), right=True)),
                "the last bin holds probability 1, too.":
                    Worth(3, lambda p, r, e: _by_bin(p, [*e[:-1], 1 - 1e-9, 2], lambda inside: r[inside].mean())[:-1]),
                "these are numbers of lesion pixels, and fractions are asked.":
                    Worth(2, lambda p, r, e: _by_bin(p, e, lambda inside: r[inside].sum())),
                "that divides by the pixels of the whole scan, not by those of the bin.":
                    lambda p, r, e: _by_bin(p, e, lambda inside: r[inside].sum() / p.size),
            })),
        Part("near_lungs", 3, Function(
            asked="(mask, lungs, reach), bool, slices first -> the mask without what is more than `reach` steps from "
                  "the lungs; a step goes to one of four neighbours in the same slice.",
            right=near_lungs, inputs=masks, praise="", otherwise="with a reach of {2} it is wrong somewhere.",
            edges={"with a reach of 0": (*masks[0][:2], 0), "without lungs": (masks[0][0], masks[0][1] & False, 2)},
            mistakes={
                "a step went to the next slice, too.":
                    Worth(2, lambda m, lungs, k: m & ndimage.binary_dilation(lungs, iterations=k)),
                "a step went to a corner, too.": Worth(2, lambda m, lungs, k: m & _grown(lungs, k, np.ones((3, 3)))),
                "that is one step only.": lambda m, lungs, k: near_lungs(m, lungs, 1),
                "only what lies in the lungs is left: some steps beside them belong to it.":
                    Worth(1, lambda m, lungs, k: m & lungs),
                "these are the grown lungs: keep what the mask marks there.":
                    Worth(1, lambda m, lungs, k: _grown(lungs, k)),
                "that is one step too far.": Worth(2, lambda m, lungs, k: near_lungs(m, lungs, k + 1)),
                "nothing is taken away.": lambda m, lungs, k: m,
            })),
        Part("paired", 3, Function(
            asked="(old, new, draws) -> the mean of new minus old over patients, and the percentiles 2.5 and 97.5 of "
                  "that mean over the draws; a row of `draws` holds patients' numbers.",
            right=paired, inputs=scores, praise="", otherwise="three other numbers are expected.",
            mistakes={
                "that is old minus new.": Worth(2, lambda old, new, d: paired(new, old, d)),
                "these are percentiles over patients; those of the means of the draws are asked.":
                    lambda old, new, d: ((new - old).mean(), *np.percentile(new - old, [2.5, 97.5])),
                "these are the percentiles 5 and 95.":
                    Worth(2, lambda old, new, d: ((new - old).mean(), *np.percentile((new - old)[d].mean(1), [5, 95]))),
                "each recipe's draws are its own; a draw takes the same patients for both.":
                    Worth(1, lambda old, new, d: ((new - old).mean(),
                                         *np.percentile(new[d].mean(1) - old[d[::-1]].mean(1), [2.5, 97.5]))),
                "the mean is that of the draws; the patients' own is asked.":
                    Worth(2, lambda old, new, d: ((new - old)[d].mean(), *paired(old, new, d)[1:])),
            })),
    )  # fmt: skip
