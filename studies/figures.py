"""The paper's Figs. 1 to 3 and 5 to 7 for finished runs. Of real patients they are never published."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from covidlab import paper
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count_at
from covidlab.models.cnn import classifier_in
from covidlab.plots import scores, slices, style
from covidlab.plots.network import topology_figure
from covidlab.training.comparison import LEAST_PIXELS, read_test_slices, typical_slices, worst_slices
from covidlab.training.runs import Run
from covidlab.training.thresholds import THRESHOLDS


def write_figures(runs: Mapping[str, Run], cache: SliceCache, folder: Path) -> dict[str, str]:
    """Draw the paper's Figs. 1 to 3 and 5 to 7, and precision against recall, for runs of the same cohort, split and
    grid, by model name. Returns figure -> reason of what could not be drawn; usually nothing."""
    config = next(iter(runs.values())).config
    test = read_test_slices(runs, cache)
    cases = cache.cases[test.positions]

    def rows(which: np.ndarray):
        """None where there is no slice to show."""
        if not len(which):
            return None
        titles = [f"{cache.cases[k]}, slice {cache.z[k]}" for k in test.positions[which]]
        masks = {model: test.masks(model, which) for model in runs}
        return slices.models_figure(test.images[which], test.references[which], masks, titles)

    counts = {name: run.counts for name, run in runs.items()}
    curves: dict[str, list[Counts]] = {
        name: count_at(THRESHOLDS, test.references, probabilities)
        for name, probabilities in test.probabilities.items()
    }
    chosen = {name: run.counts["test"] for name, run in runs.items()}
    made = {
        "fig-1-2-slices": rows(typical_slices(test, cases)),
        "fig-5-precision-recall": scores.compare_scores_figure(counts, ("precision", "recall"), config.sentence),
        "fig-6-accuracy-f1": scores.compare_scores_figure(counts, ("accuracy", "f1"), config.sentence),
        "fig-7-worst-slices": rows(worst_slices(test, cases)),
        "precision-against-recall": scores.precision_recall_figure(curves, chosen, f"test part; {config.sentence}"),
    }
    for name, run in runs.items():
        model = run.segmenter.network
        classifier = classifier_in(model)
        # What is drawn is what learns; the sides of its maps include the padding.
        side = config.grid + -config.grid % 32 if classifier is None else paper.PATCH_SIZE
        title = f"{name}: {model.count_params():,} parameters"
        made[f"fig-3-{name}"] = topology_figure(classifier or model, side, title)
    for name, figure in made.items():
        if figure is not None:
            style.save(figure, folder / f"{name}.png")
    reasons = {
        "fig-1-2-slices": "no test slice shows a lesion",
        "fig-7-worst-slices": f"no test slice shows a lesion of {LEAST_PIXELS} pixels or more",
    }
    return {name: reason for name, reason in reasons.items() if made[name] is None}
