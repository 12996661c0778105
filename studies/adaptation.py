"""What more annotated slices of one new patient bring on that patient's other slices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from covidlab.beyond.adaptation import RECIPE, adapt, spread_slices
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import Counts, count
from covidlab.models.segmenter import Segmenter
from covidlab.training.recipe import Recipe


def adaptation_curve(
    segmenter: Segmenter, cache: SliceCache, slices: np.ndarray, numbers: Sequence[int], seed: int = 0,
    recipe: Recipe = RECIPE,
) -> dict[int, Counts]:  # fmt: skip
    """Counts by number of annotated slices, of which 0 is the network as it is.

    The segmenter has never seen the patient, whose slices lie at the positions `slices`; its threshold, and how small
    a spot it drops, stay. Counts are pooled over the same slices for each number: all that none of the numbers takes
    for annotation. They lie between annotated ones, so this says how well a patient is completed.
    """
    chosen = {number: spread_slices(slices, cache.positive, number) if number else slices[:0] for number in numbers}
    rest = np.setdiff1d(slices, np.concatenate(list(chosen.values())))
    found = {}
    for number, annotated in chosen.items():
        network = adapt(segmenter.network, cache, annotated, seed, recipe) if number else segmenter.network
        found[number] = count(cache.masks[rest], replace(segmenter, network=network).mask(cache.images[rest]))
    return found


def adaptation_rows(curves: Mapping[str, Mapping[int, Counts]]) -> list[dict[str, str]]:
    """F1 by number of annotated slices: a line a patient, the mean over patients, and the mean gain over none.

    `curves` holds what `adaptation_curve` gives for each patient: the same numbers of slices in each, 0 among them.
    """
    numbers = list(next(iter(curves.values())))
    scores = np.array([[counts[number].f1 for number in numbers] for counts in curves.values()])

    def line(name: str, values: Sequence[float], sign: str = "") -> dict[str, str]:
        return {"patient": name} | {f"{n} slices": f"{value:{sign}.3f}" for n, value in zip(numbers, values)}

    rows = [line(patient, values) for patient, values in zip(curves, scores)]
    rows.append(line("mean of patients", scores.mean(axis=0)))
    return [*rows, line("mean gain", (scores - scores[:, [numbers.index(0)]]).mean(axis=0), "+")]
