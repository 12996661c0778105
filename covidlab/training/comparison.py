"""The paper's figures for several finished runs of one split: what each model got right, slice by slice and pooled.

The figures hold slices of the cohort. Of real patients they stay in the run's folder and are never published.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import count
from covidlab.models.segmenter import Segmenter
from covidlab.training.runs import Run

# Of lesion in a slice that may be shown as a failure; smaller ones would fill the figure.
LEAST_PIXELS = 20


@dataclass(frozen=True)
class TestSlices:
    """The test part of a split, as several models, by name, see it."""

    positions: np.ndarray  # 1-D int array, of the slices in the cache
    images: np.ndarray  # uint8 arrays (slices, height, width)
    references: np.ndarray
    probabilities: Mapping[str, np.ndarray]  # float32 arrays of the same shape
    segmenters: Mapping[str, Segmenter]  # What makes a mask of them

    __test__ = False  # not a test of pytest's

    def masks(self, model: str, which: np.ndarray) -> np.ndarray:
        """A model's masks of some slices, bool."""
        return self.segmenters[model].mark(self.probabilities[model][which])


def read_test_slices(runs: Mapping[str, Run], cache: SliceCache) -> TestSlices:
    """Let each model of several runs of the same split see the test part once."""
    config = next(iter(runs.values())).config
    positions = config.split(cache).test
    images, segmenters = cache.images[positions], {name: run.segmenter for name, run in runs.items()}
    probabilities = {name: segmenter.probabilities(images) for name, segmenter in segmenters.items()}
    return TestSlices(positions, images, cache.masks[positions], probabilities, segmenters)


def typical_slices(test: TestSlices, cases: np.ndarray, number: int = 3) -> np.ndarray:
    """A few positive slices, small to large lesions, from as many cases as there are: chosen without looking at any
    prediction.

    `cases` names the case of each test slice. What is returned are places among the test slices, 1-D int array, empty
    if none is positive.
    """
    size = test.references.sum(axis=(1, 2))
    ordered = np.argsort(size, kind="stable")[np.count_nonzero(size == 0) :]
    chosen: list[int] = []
    for share in np.linspace(0.3, 0.9, number if len(ordered) else 0):
        # Of a case that is not shown yet, the slice whose size comes nearest to the wanted one.
        wanted = int(share * (len(ordered) - 1))
        near = ordered[np.argsort(np.abs(np.arange(len(ordered)) - wanted), kind="stable")]
        candidates, shown = [k for k in near if k not in chosen], {cases[k] for k in chosen}
        chosen += [k for k in candidates if cases[k] not in shown][:1] or candidates[:1]
    return np.array(chosen, dtype=int)


def worst_slices(test: TestSlices, cases: np.ndarray, each: int = 2, least_pixels: int = LEAST_PIXELS) -> np.ndarray:
    """The slices that each model does worst on, lesions of a few pixels left aside (the paper's Fig. 7).

    As `typical_slices`; a model's slices, `each` in number, are of different cases, since neighbours fail alike.
    """
    large = np.flatnonzero(test.references.sum(axis=(1, 2)) >= least_pixels)
    worst: list[int] = []
    for model in test.probabilities:
        f1 = [count(test.references[k], test.masks(model, [k])[0]).f1 for k in large]
        shown: dict[str, int] = {}
        for k in large[np.argsort(f1, kind="stable")].tolist():
            if len(shown) < each and k not in worst and cases[k] not in shown:
                shown[cases[k]] = k
        worst += shown.values()
    return np.array(worst, dtype=int)
