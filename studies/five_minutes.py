"""How good the light U-Net can be by slice after five minutes of processor time.

    python -m studies.five_minutes --data FOLDER --cases 'radiopaedia*' --seed 0

From the shipped phantom weights, without dropout, its weights averaged over the last updates, mirror images looked at,
too; no validation on the way, which alone chooses the threshold at the end. The processor seconds are all that the
command used, its start included; where slices are read for the first time, some more.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data import open_cohort, open_slice_cache
from covidlab.data.splits import split_by_slice
from covidlab.models.networks import MODELS
from covidlab.models.segmenter import open_segmenter
from covidlab.training.batches import training_batches, training_slices
from covidlab.training.fit import learning_rate
from covidlab.training.recipe import Recipe
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices
from studies.teach import fit_averaged

AVERAGED = 0.99  # the share that the mean of the weights keeps at an update


def train(cache, split, recipe: Recipe) -> keras.Model:
    """The light U-Net after a training in one go, with the mean of its last weights."""
    keras.utils.set_random_seed(split.seed)
    model = MODELS["light_unet"](dropout=0.0)
    model.set_weights(open_segmenter("phantom").network.get_weights())
    batches = training_batches(cache, training_slices(cache, split, recipe), recipe, split.seed)
    fit_averaged(model, batches, recipe, learning_rate(recipe), AVERAGED)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", default="*")
    parser.add_argument("--updates", type=int, default=1850)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cache = open_slice_cache(open_cohort(options.data, cases=options.cases))
    split = split_by_slice(len(cache), options.seed)
    model = train(cache, split, Recipe(options.updates))
    for mirror in (False, True):
        threshold, _ = best_threshold(count_slices(model, cache, split.validation, THRESHOLDS, mirror), THRESHOLDS)
        (found,) = count_slices(model, cache, split.test, np.array([threshold]), mirror)
        seconds = sum(os.times()[:2])
        told = "and mirrored" if mirror else "as they are"
        print(f"seed {options.seed}, slices {told}: F1 {found.f1:.3f} on test, {seconds:.0f} processor seconds")


if __name__ == "__main__":
    main()
