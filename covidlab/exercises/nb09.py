"""The exercise of notebook 09: the F1 to expect of a mask, if the network's probabilities are right."""

import numpy as np

from covidlab.exercises.checking import Function


def _expected(p, marked):
    return 2 * p[marked].sum() / (p.sum() + marked.sum())


_P = np.random.default_rng(9).beta(0.3, 0.9, (12, 12))

check_expected_f1 = Function(
    asked="A function (p, marked) -> the F1 to expect of the mask `marked`, bool, if the probabilities `p` are right.",
    right=_expected,
    inputs=[(_P, _P >= threshold) for threshold in (0.2, 0.7)],
    praise="it takes the network's word, and no reference.",
    otherwise="it gives {found:.3f} where {right:.3f} is expected.",
    mistakes={
        "the 2 is missing: F1 is twice the common part over the sum of both masks.": lambda p, m: _expected(p, m) / 2,
        "that is the precision to expect. F1 divides by the lesion to expect, too.": lambda p, m: p[m].mean(),
        "that is the recall to expect. F1 divides by the pixels marked, too.": lambda p, m: p[m].sum() / p.sum(),
        "above the line only the probabilities inside the mask count.": lambda p, m: 2 * p.sum() / (p.sum() + m.sum()),
        "below the line the probabilities of all pixels count, marked or not.":
            lambda p, m: 2 * p[m].sum() / (p[m].sum() + m.sum()),
        "below the line stand the pixels marked, not all pixels.": lambda p, m: 2 * p[m].sum() / (p.sum() + m.size),
        "sum the probabilities. A pixel counts as much lesion as its probability says, not one or nothing.":
            lambda p, m: 2 * m.sum() / (p.sum() + m.sum()),
        "these are sums, and means of different numbers of pixels do not stand for them.":
            lambda p, m: 2 * p[m].mean() / (p.mean() + m.mean()),
    },
)  # fmt: skip
