"""Fit a model on a split: seeded, validated, resumable.

A training is a fixed number of updates, so that models compare at an equal budget. Which slices an update
sees, and how they are turned and shifted, is a function of the seed and the update's number alone; so a run
that was killed goes on where it stopped and ends where it would have ended.
"""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.errors import refused
from covidlab.files import whole_file
from covidlab.models.cnn import classifier_in
from covidlab.models.normalised import fold, settle
from covidlab.progress import progress_bar
from covidlab.training.batches import patch_batches, training_batches, training_slices, with_wrong_borders
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Epoch, Recipe
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices

# Training slices that a normalised network's means and variances are measured on after each epoch.
SETTLING = 96

HISTORY, STATE = "history.csv", "state.weights.h5"


def train(
    model: keras.Model, cache: SliceCache, split: Split, recipe: Recipe, folder: Path,
    save_best: Callable[[Epoch], None], twin: keras.Model | None = None,
) -> list[Epoch]:  # fmt: skip
    """Fit a fresh model, or go on with a training that was interrupted.

    Validation alone chooses the epoch and the threshold; the test part is not looked at here. Returns the whole
    history, that of interrupted parts included.

    - `model`, keras.Model: with fresh weights; it ends with the weights of the last epoch, not of the best. The patch
      CNN in its dense form learns from patches and is validated on slices; all other models learn from what they are
      used on.
    - `folder`, Path: holds history.csv and, until the training has ended, state.weights.h5 (weights and optimiser).
    - `save_best`, callable: called after each epoch that is better on validation than all before it.
    - `twin`, keras.Model: the same network built with `normalised=True`: it learns, and the model has its folded
      weights after each epoch.
    """
    slices = training_slices(cache, split, recipe)
    learner, batches = learner_and_batches(model, twin)
    _compile(learner, recipe)
    history = _resume(learner, recipe, folder)
    best = max((epoch.validation_f1 for epoch in history), default=-1.0)
    started = time.perf_counter() - (history[-1].seconds if history else 0.0)
    learnt_from = with_wrong_borders(cache, slices, recipe.border_error, split.seed)
    some = slices[np.linspace(0, len(slices) - 1, min(SETTLING, len(slices))).astype(int)]
    with progress_bar(f"training {model.name}") as show:
        for number in range(len(history), recipe.epochs):
            updates = range(recipe.updates_after(number), recipe.updates_after(number + 1))
            _seed_dropout(learner, split.seed, number)
            last = f"validation F1 {history[-1].validation_f1:.2f}" if history else ""
            fitted = learner.fit(
                batches(learnt_from, slices, recipe, split.seed, updates), steps_per_epoch=len(updates),
                callbacks=[every_tenth(show, updates, recipe.updates, last)], shuffle=False, verbose=0,
            )  # fmt: skip
            if twin is not None:
                settle(twin, cache.images[some])
                fold(twin, model)
            threshold, f1 = best_threshold(count_slices(model, cache, split.validation, THRESHOLDS), THRESHOLDS)
            loss, seconds = float(fitted.history["loss"][0]), time.perf_counter() - started
            history.append(Epoch(number + 1, updates.stop, loss, f1, threshold, seconds))
            # The best weights, then the point to resume from: a kill in between repeats an epoch and never loses one.
            if f1 > best:
                best = f1
                save_best(history[-1])
            with whole_file(folder / HISTORY) as scratch, scratch.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(Epoch.__dataclass_fields__)
                writer.writerows(tuple(vars(epoch).values()) for epoch in history)
            with whole_file(folder / STATE) as scratch:
                learner.save_weights(scratch)
    (folder / STATE).unlink(missing_ok=True)
    return history


def learner_and_batches(model: keras.Model, twin: keras.Model | None = None):
    """What learns, and the function that makes its batches: the patch CNN's classifier, from patches; any other
    model's normalised twin or, without one, the model itself, from slices."""
    classifier = classifier_in(model)
    if classifier is not None:
        return classifier, patch_batches
    return twin or model, training_batches


def _compile(learner: keras.Model, recipe: Recipe) -> None:
    """Give a network its loss, and Adam with the recipe's learning rate."""
    # The norm is clipped because the first updates see hardly a lesion and may be wild.
    learner.compile(keras.optimizers.Adam(learning_rate(recipe), global_clipnorm=1.0), loss=LOSSES[recipe.loss]())
    learner.optimizer.build(learner.trainable_variables)


def learning_rate(recipe: Recipe) -> keras.optimizers.schedules.LearningRateSchedule:
    """Adam's rate at each update: a warm-up, then a cosine."""
    warm_up = max(1, recipe.updates // 20)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.updates - warm_up), alpha=0.01, warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )


def _resume(learner: keras.Model, recipe: Recipe, folder: Path) -> list[Epoch]:
    """Load the last complete epoch, if there is one, and the history up to it."""
    state, found = folder / STATE, "a training that another version of covidlab began, or a damaged one"
    remedy = "delete this folder, or name another with --out"
    with refused(state, found, "one of this version's", remedy):
        history = read_history(folder / HISTORY)
        if len(history) >= recipe.epochs:
            return history
        if not state.exists():
            return []
        learner.load_weights(state)
    return history[: int(learner.optimizer.iterations.numpy()) // recipe.updates_per_epoch]


def _seed_dropout(learner: keras.Model, seed: int, epoch: int) -> None:
    """Dropout draws from a state of its own, which a weights file does not keep: it follows from seed and epoch."""
    for layer in learner.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([seed, epoch])


def every_tenth(show: Callable, updates: range, total: int, last: str) -> keras.callbacks.Callback:
    """Shows how far a training is, at each tenth update."""

    def told(batch, logs):
        done = updates.start + batch + 1
        if done % 10 == 0:
            show(done, total, last)

    return keras.callbacks.LambdaCallback(on_train_batch_end=told)


def read_history(path: Path) -> list[Epoch]:
    """The epochs of a run's history.csv; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return [Epoch(int(epoch), int(updates), *map(float, more)) for epoch, updates, *more in rows]
