"""The paper's figures for several finished runs of one split: what each model got right, slice by slice and pooled.

The figures hold slices of the cohort. Of real patients they stay in the run's folder and are never published.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from covidlab import figures, paper
from covidlab.experiment import Run
from covidlab.metrics import Counts, count, count_at
from covidlab.models.patch_cnn import classifier_in
from covidlab.slice_cache import SliceCache
from covidlab.specks import drop_specks
from covidlab.topology import topology_figure
from covidlab.training import THRESHOLDS, predict_cached

# Of lesion in a slice that may be shown as a failure; smaller ones would fill the figure.
LEAST_PIXELS = 20


@dataclass(frozen=True)
class TestSlices:
    """The test part of a split, as several models see it.

    Parameters
    ----------
    positions : 1-D int array
        Of the slices in the cache.
    images, references : uint8 arrays (slices, height, width)
    probabilities : mapping of model name -> float32 array of the same shape
    thresholds : mapping of model name -> float
        Chosen on validation.
    smallest : mapping of model name -> int
        Pixels that a marked spot must have; 1 where nothing is said.
    """

    __test__ = False  # not a test of pytest's

    positions: np.ndarray
    images: np.ndarray
    references: np.ndarray
    probabilities: Mapping[str, np.ndarray]
    thresholds: Mapping[str, float]
    smallest: Mapping[str, int] = field(default_factory=dict)

    def masks(self, model: str, which: np.ndarray) -> np.ndarray:
        """A model's masks of some slices, bool."""
        return drop_specks(self.probabilities[model][which] >= self.thresholds[model], self.smallest.get(model, 1))

    def slice_f1(self, model: str) -> np.ndarray:
        """F1 of each slice; nan where neither the reference nor the model marks a pixel."""
        return np.array([
            count(reference, marked).f1
            for reference, marked in zip(self.references, self.masks(model, np.arange(len(self.references))))
        ])  # fmt: skip


def read_test_slices(runs: Mapping[str, Run], cache: SliceCache) -> TestSlices:
    """Let each model of several runs of the same split see the test part once."""
    config = next(iter(runs.values())).config
    positions = config.split(cache).test
    models = {name: run.model() for name, run in runs.items()}
    probabilities = {name: predict_cached(model, cache, positions) for name, (model, _) in models.items()}
    thresholds = {name: info.threshold for name, (_, info) in models.items()}
    smallest = {name: info.smallest for name, (_, info) in models.items()}
    return TestSlices(positions, cache.images[positions], cache.masks[positions], probabilities, thresholds, smallest)


def typical_slices(test: TestSlices, cases: np.ndarray, number: int = 3) -> np.ndarray:
    """A few positive slices, small to large lesions, from as many cases as there are: chosen without looking at any
    prediction.

    Parameters
    ----------
    test : TestSlices
    cases : array of str
        The case of each test slice.
    number : int

    Returns
    -------
    1-D int array of places among the test slices
        Empty if none is positive.
    """
    size = test.references.sum(axis=(1, 2))
    positive = np.flatnonzero(size)
    ordered = positive[np.argsort(size[positive], kind="stable")]
    chosen: list[int] = []
    for share in np.linspace(0.3, 0.9, number if len(ordered) else 0):
        # Of a case that is not shown yet, the slice whose size comes nearest to the wanted one.
        wanted = int(share * (len(ordered) - 1))
        candidates = ordered[np.argsort(np.abs(np.arange(len(ordered)) - wanted), kind="stable")]
        shown = {cases[k] for k in chosen}
        chosen.append(next((k for k in candidates if cases[k] not in shown), candidates[0]))
    return np.array(chosen, dtype=int)


def worst_slices(test: TestSlices, cases: np.ndarray, each: int = 2, least_pixels: int = LEAST_PIXELS) -> np.ndarray:
    """The slices that each model does worst on, lesions of a few pixels left aside (the paper's Fig. 7).

    Parameters
    ----------
    test : TestSlices
    cases : array of str
        The case of each test slice; a model's slices are of different cases, since neighbours fail alike.
    each : int
        How many a model.
    least_pixels : int
        Of lesion.

    Returns
    -------
    1-D int array of places among the test slices
        Empty if none has a lesion of so many pixels.
    """
    large = np.flatnonzero(test.references.sum(axis=(1, 2)) >= least_pixels)
    worst: list[int] = []
    for model in test.probabilities:
        cases_shown: set[str] = set()
        for k in large[np.argsort(test.slice_f1(model)[large], kind="stable")]:
            if len(cases_shown) < each and k not in worst and cases[k] not in cases_shown:
                worst.append(int(k))
                cases_shown.add(cases[k])
    return np.array(worst, dtype=int)


def write_figures(runs: Mapping[str, Run], cache: SliceCache, folder: Path) -> dict[str, str]:
    """Draw the paper's Figs. 1 to 3 and 5 to 7, and precision against recall.

    Parameters
    ----------
    runs : mapping of model name -> Run
        Of the same cohort, split and grid.
    cache : SliceCache
    folder : Path
        Made if missing.

    Returns
    -------
    dict of figure -> reason
        What could not be drawn; usually nothing.
    """
    config = next(iter(runs.values())).config
    test = read_test_slices(runs, cache)
    cases = cache.cases[test.positions]

    def rows(which: np.ndarray):
        """None where there is no slice to show."""
        if not len(which):
            return None
        titles = [f"{cache.cases[k]}, slice {cache.z[k]}" for k in test.positions[which]]
        masks = {model: test.masks(model, which) for model in runs}
        return figures.models_figure(test.images[which], test.references[which], masks, titles)

    counts = {name: run.counts for name, run in runs.items()}
    curves: dict[str, list[Counts]] = {
        name: count_at(THRESHOLDS, test.references, probabilities)
        for name, probabilities in test.probabilities.items()
    }
    chosen = {name: run.counts["test"] for name, run in runs.items()}
    made = {
        "fig-1-2-slices": rows(typical_slices(test, cases)),
        "fig-5-precision-recall": figures.compare_scores_figure(counts, ("precision", "recall"), config.sentence),
        "fig-6-accuracy-f1": figures.compare_scores_figure(counts, ("accuracy", "f1"), config.sentence),
        "fig-7-worst-slices": rows(worst_slices(test, cases)),
        "precision-against-recall": figures.precision_recall_figure(curves, chosen, f"test part; {config.sentence}"),
    }
    for name, run in runs.items():
        model = run.model()[0]
        classifier = classifier_in(model)
        # What is drawn is what learns; the sides of its maps include the padding.
        side = config.grid + -config.grid % 32 if classifier is None else paper.PATCH_SIZE
        title = f"{name}: {model.count_params():,} parameters"
        made[f"fig-3-{name}"] = topology_figure(classifier or model, side, title)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in made.items():
        if figure is not None:
            figures.save(figure, folder / f"{name}.png")
    reasons = {
        "fig-1-2-slices": "no test slice shows a lesion",
        "fig-7-worst-slices": f"no test slice shows a lesion of {LEAST_PIXELS} pixels or more",
    }
    return {name: reason for name, reason in reasons.items() if made[name] is None}
