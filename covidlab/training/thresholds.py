"""From which probability on a pixel is called lesion: chosen on validation, by pooled F1."""

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count_at
from covidlab.models.segmenter import portions, predict_slices

# Close together at the end: a model that has learnt from balanced patches calls half of all pixels likely lesion.
THRESHOLDS = np.round(np.concatenate([np.arange(0.05, 0.95, 0.05), np.arange(0.95, 0.996, 0.005)]), 3)


def count_slices(
    network: keras.Model, cache: SliceCache, slices: np.ndarray, thresholds: np.ndarray, mirror: bool = False
) -> list[Counts]:
    """Pooled counts of a network on slices of a cache, at each threshold; `mirror` as in `predict_slices`."""
    total = [Counts()] * len(thresholds)
    for portion in portions(slices, 64):  # the probabilities of a 630-pixel cohort are never held at once
        probabilities = predict_slices(network, cache.images[portion], mirror=mirror)
        counts = count_at(thresholds, cache.masks[portion], probabilities)
        total = [one + more for one, more in zip(total, counts)]
    return total


def best_threshold(counts: list[Counts], thresholds: np.ndarray) -> tuple[float, float]:
    """The threshold with the highest F1, and that F1; 0.5 and 0 where no F1 is defined."""
    scores = np.array([one.f1 for one in counts])
    if np.isnan(scores).all():
        return 0.5, 0.0
    best = int(np.nanargmax(scores))
    return float(thresholds[best]), float(scores[best])
