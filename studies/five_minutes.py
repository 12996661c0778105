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
from covidlab.evaluation import Counts, count
from covidlab.models.networks import MODELS
from covidlab.models.segmenter import open_segmenter, predict_slices
from covidlab.progress import progress_bar
from covidlab.training.batches import training_batches, training_slices
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Recipe
from covidlab.training.thresholds import THRESHOLDS, best_threshold

AVERAGED = 0.99  # the share that the mean of the weights keeps at an update


def train(cache, split, recipe: Recipe) -> keras.Model:
    """The light U-Net after a training in one go, with the mean of its last weights."""
    keras.utils.set_random_seed(split.seed)
    model, number = MODELS["light_unet"](dropout=0.0), recipe.updates
    model.set_weights(open_segmenter("phantom").network.get_weights())
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, number - number // 20, alpha=0.01, warmup_target=recipe.learning_rate, warmup_steps=number // 20
    )
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0, use_ema=True, ema_momentum=AVERAGED)
    model.compile(optimizer, loss=LOSSES[recipe.loss]())
    batches = training_batches(cache, training_slices(cache, split, recipe), recipe, split.seed)
    with progress_bar(f"training {model.name}") as show:
        told = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: show(batch + 1, number, ""))
        model.fit(batches, callbacks=[told], shuffle=False, verbose=0)
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
        threshold, _ = best_threshold(counts(model, cache, split.validation, THRESHOLDS, mirror), THRESHOLDS)
        (found,) = counts(model, cache, split.test, np.array([threshold]), mirror)
        seconds = sum(os.times()[:2])
        told = "and mirrored" if mirror else "as they are"
        print(f"seed {options.seed}, slices {told}: F1 {found.f1:.3f} on test, {seconds:.0f} processor seconds")


def counts(model, cache, part, thresholds, mirror) -> list[Counts]:
    """Outcomes of some slices at each threshold."""
    answers = predict_slices(model, cache.images[part], mirror)
    return [count(cache.masks[part], answers >= threshold) for threshold in thresholds]


if __name__ == "__main__":
    main()
