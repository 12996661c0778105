"""Fit a model on a split: seeded, validated, resumable.

A training is a fixed number of updates, so that models compare at an equal budget. Which slices an update
sees, and how they are turned and shifted, is a function of the seed and the update's number alone; so a run
that was killed goes on where it stopped and ends where it would have ended.
"""

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.errors import CovidlabError
from covidlab.files import whole_file
from covidlab.models.normalised import fold, settle
from covidlab.models.patch_cnn import classifier_in
from covidlab.progress import progress_bar
from covidlab.training.batches import patch_batches, training_batches, training_slices
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Epoch, Recipe
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices

# Training slices that a normalised network's means and variances are measured on after each epoch.
SETTLING = 96

HISTORY, STATE = "history.csv", "state.weights.h5"


def learner_and_batches(model: keras.Model, twin: keras.Model | None = None):
    """What learns, and the function that makes its batches: the patch CNN's classifier, from patches; any other
    model's normalised twin or, without one, the model itself, from slices."""
    classifier = classifier_in(model)
    if classifier is not None:
        return classifier, patch_batches
    return twin or model, training_batches


def train(
    model: keras.Model,
    cache: SliceCache,
    split: Split,
    recipe: Recipe,
    folder: Path,
    save_best: Callable[[Epoch], None],
    twin: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[Epoch]:
    """Fit a fresh model, or go on with a training that was interrupted.

    Validation alone chooses the epoch and the threshold; the test part is not looked at here. Returns the whole
    history, that of interrupted parts included.

    Parameters
    ----------
    model : keras.Model
        With fresh weights; it ends with the weights of the last epoch, not of the best. The patch CNN in its dense
        form learns from patches and is validated on slices; all other models learn from what they are used on.
    folder : Path
        Holds history.csv and, until the training has ended, state.weights.h5 (weights, optimiser, random state).
    save_best : callable
        Called after each epoch that is better on validation than all before it.
    twin : keras.Model, optional
        The same network built with `normalised=True`: it learns, and the model has its folded weights after each epoch.
    callbacks : sequence of keras.callbacks.Callback, called too
    """
    slices = training_slices(cache, split, recipe)
    learner, batches = learner_and_batches(model, twin)
    _compile(learner, recipe)
    history = _resume(learner, recipe, folder)
    some = slices[np.linspace(0, len(slices) - 1, min(SETTLING, len(slices))).astype(int)]

    def fold_twin() -> None:
        if twin is not None:
            settle(twin, cache.images[some])
            fold(twin, model)

    def validate() -> tuple[float, float]:
        return best_threshold(count_slices(model, cache, split.validation, THRESHOLDS), THRESHOLDS)

    keeper = _Keeper(recipe, split.seed, folder, history, fold_twin, validate, save_best)
    with progress_bar(f"training {model.name}") as keeper.show:
        # All whole epochs, then the shorter one if there is one: in one call Keras would warn that data ran out.
        for epochs in (recipe.updates // recipe.updates_per_epoch, recipe.epochs):
            start = len(history)
            if start < epochs:
                first = recipe.updates_after(start)
                learner.fit(
                    batches(cache, slices, recipe, split.seed, first),
                    steps_per_epoch=min(recipe.updates_per_epoch, recipe.updates - first),
                    initial_epoch=start,
                    epochs=epochs,
                    callbacks=[keeper, *callbacks],
                    shuffle=False,
                    verbose=0,
                )
    (folder / STATE).unlink(missing_ok=True)
    return history


def _compile(learner: keras.Model, recipe: Recipe) -> None:
    """Give a network its loss, and Adam with a warm-up and a cosine."""
    warm_up = max(1, recipe.updates // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.updates - warm_up), alpha=0.01, warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    # The norm is clipped because the first updates see hardly a lesion and may be wild.
    learner.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=LOSSES[recipe.loss]())
    learner.optimizer.build(learner.trainable_variables)


class _Keeper(keras.callbacks.Callback):
    """After each epoch: validate, keep the best weights, then the point to resume from. In that order, so that a
    kill between two steps repeats an epoch and never loses one."""

    def __init__(self, recipe, seed, folder, history, fold_twin, validate, save_best):
        super().__init__()
        self.recipe, self.seed, self.folder, self.history = recipe, seed, folder, history
        self.fold_twin, self.validate, self.save_best = fold_twin, validate, save_best
        self.best = max((epoch.validation_f1 for epoch in history), default=-1.0)
        self.started = time.perf_counter() - (history[-1].seconds if history else 0.0)

    def on_epoch_begin(self, epoch, logs=None):
        # Dropout draws from a state of its own, which a weights file does not keep: set it from seed and epoch.
        for layer in self.model.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([self.seed, epoch])

    def on_train_batch_end(self, batch, logs=None):
        done = self.recipe.updates_after(len(self.history)) + batch + 1
        if done % 10 == 0:
            last = f"validation F1 {self.history[-1].validation_f1:.2f}" if self.history else ""
            self.show(done, self.recipe.updates, last)

    def on_epoch_end(self, epoch, logs=None):
        self.fold_twin()
        threshold, f1 = self.validate()
        updates, seconds = self.recipe.updates_after(epoch + 1), time.perf_counter() - self.started
        line = Epoch(epoch + 1, updates, float(logs["loss"]), f1, threshold, seconds)
        if f1 > self.best:
            self.best = f1
            self.save_best(line)
        self.history.append(line)
        with whole_file(self.folder / HISTORY) as scratch, scratch.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Epoch.__dataclass_fields__)
            writer.writerows(tuple(vars(epoch).values()) for epoch in self.history)
        with whole_file(self.folder / STATE) as scratch:
            self.model.save_weights(scratch)


def _resume(model: keras.Model, recipe: Recipe, folder: Path) -> list[Epoch]:
    """Load the last complete epoch, if there is one, and the history up to it."""
    history, state = read_history(folder / HISTORY), folder / STATE
    if len(history) >= recipe.epochs:
        return history
    if not state.exists():
        return []
    try:
        model.load_weights(state)
    except ValueError as error:
        raise CovidlabError(
            state, "a training that another version of covidlab began", "one of this version's",
            "delete this folder, or name another with --out",
        ) from error
    return history[: int(model.optimizer.iterations.numpy()) // recipe.updates_per_epoch]


def read_history(path: Path) -> list[Epoch]:
    """The epochs of a run's history.csv; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return [Epoch(int(epoch), int(updates), *map(float, more)) for epoch, updates, *more in rows]
