"""Fit a model on a split: seeded, validated, resumable.

A training is a fixed number of updates, so that models compare at an equal budget. Which slices an update
sees, and how they are turned and shifted, is a function of the seed and the update's number alone; so a run
that was killed goes on where it stopped and ends where it would have ended.
"""

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from covidlab import paper
from covidlab.errors import CovidlabError
from covidlab.imbalance import LOSSES, disturb_borders, undersample
from covidlab.metrics import Counts, count_at
from covidlab.models import channels_of
from covidlab.models.normalised import fold
from covidlab.models.patch_cnn import classifier_in
from covidlab.patches import PatchPlaces, cut_patches, sample_places
from covidlab.progress import Progress, silent
from covidlab.slice_cache import SliceCache
from covidlab.splits import Split
from covidlab.tensorflow_quiet import keras, tf
from covidlab.whole_file import whole_file

# Close together at the end: a model that has learnt from balanced patches calls half of all pixels likely lesion.
THRESHOLDS = np.round(np.concatenate([np.arange(0.05, 0.95, 0.05), np.arange(0.95, 0.996, 0.005)]), 3)


@dataclass(frozen=True)
class Recipe:
    """How to train. The paper leaves nearly all of it open; these are our choices.

    Parameters
    ----------
    updates : int
        Gradient steps in all.
    batch_size : int
        Slices an update; patches for the patch CNN.
    learning_rate : float
        Adam's peak rate: warmed up over the first 5 % of updates, then a cosine to a hundredth.
    augment : float
        How far turned, zoomed, shifted, brightened, beside mirror images: 1 is what may differ between two scans of
        one hospital, 2 twice as far; 0 takes slices as they are, which patches always are: there are millions of them.
    negatives_per_positive : float or None
        Training slices without lesion kept for each one with; 0 as in the paper (section III.B), None for all.
    loss : str
        A name in `covidlab.imbalance.LOSSES`.
    border_error : float
        Pixels by which the borders of the training masks are wrong; see `covidlab.imbalance.disturb_borders`.
    annotated : int, optional
        How many positive training slices there are reference masks for; all by default. Fewer are a part of more.
    crop : int, optional
        Pixels a side of a square cut out of each slice, in every other one around a lesion pixel; whole slices by
        default. What a network learns from squares it does on whole slices: large ones become affordable. Turned and
        shifted, a square has some air at its edges.
    keep_last : bool
        Keep the weights of the last epoch, in which the learning rate has come to rest, instead of those with the best
        validation F1: two validation patients choose an epoch badly.
    updates_per_epoch : int
        Validation, the weights to keep and the point to resume from come after each epoch. The last epoch is shorter
        where `updates` is no multiple.
    """

    updates: int = 7500
    batch_size: int = 8
    learning_rate: float = 2e-3
    augment: float = 1.0
    negatives_per_positive: float | None = 0.0
    updates_per_epoch: int = 250
    loss: str = "cross_entropy_and_dice"
    border_error: float = 0.0
    annotated: int | None = None
    crop: int | None = None
    keep_last: bool = False

    @property
    def epochs(self) -> int:
        """Rounds of training and validation, the last one whole or not."""
        return -(-self.updates // self.updates_per_epoch)

    def updates_after(self, epochs: int) -> int:
        """How many updates some epochs are."""
        return min(epochs * self.updates_per_epoch, self.updates)


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history.

    Parameters
    ----------
    epoch, updates : int
        Counted from 1.
    loss : float
        Mean training loss of the epoch.
    validation_f1 : float
        Pooled F1 on validation at `threshold`.
    threshold : float
        The threshold with the best validation F1.
    seconds : float
        Time spent training so far, validation included.
    """

    epoch: int
    updates: int
    loss: float
    validation_f1: float
    threshold: float
    seconds: float


def training_slices(cache: SliceCache, split: Split, recipe: Recipe) -> np.ndarray:
    """Positions of the slices that a recipe learns from: positive ones, and as many negative ones as it asks for."""
    positives = split.train[cache.positive[split.train]]
    if recipe.annotated is not None:
        positives = np.random.default_rng([split.seed, 1]).permutation(positives)[: recipe.annotated]
    kept = np.concatenate([positives, split.train[~cache.positive[split.train]]])
    return undersample(kept, cache.positive, recipe.negatives_per_positive, split.seed)


def annotations(cache: SliceCache, slices: np.ndarray, recipe: Recipe, seed: int) -> np.ndarray:
    """The masks to learn from, at the slices' positions: the cache's own, or with wrong borders, the same each time."""
    if not recipe.border_error:
        return cache.masks
    masks = np.zeros(cache.masks.shape, np.uint8)
    masks[slices] = disturb_borders(cache.masks[slices], recipe.border_error, seed)
    return masks


def slice_order(slices: np.ndarray, seed: int) -> Iterator[int]:
    """Endless shuffled passes over the training slices, the same for the same seed."""
    random = np.random.default_rng(seed)
    while True:
        yield from random.permutation(slices)


def training_batches(
    cache: SliceCache, slices: np.ndarray, recipe: Recipe, seed: int, first_update: int = 0, channels: int = 1
):
    """The batches of a training, from any update on.

    Parameters
    ----------
    cache : SliceCache
    slices : 1-D ndarray of int
        Positions of the training slices.
    recipe : Recipe
    seed : int
    first_update : int
        Where to start: a resumed run sees exactly what it would have seen.
    channels : int
        1 for a slice alone, more for its neighbours, too: see `SliceCache.inputs`.

    Returns
    -------
    tf.data.Dataset of (float32 (batch, size, size, channels) in 0..1, float32 (batch, size, size, 1), 0 or 1)
        Of the recipe's crop instead of the cache's size, where there is one.
    """
    order, wanted = slice_order(slices, seed), recipe.updates * recipe.batch_size
    positions = np.fromiter(order, dtype=np.int64, count=wanted).reshape(-1, recipe.batch_size)

    reference = annotations(cache, slices, recipe, seed)

    size = min(recipe.crop or cache.size, cache.size)
    shape = (recipe.batch_size, size, size)

    def read(update, batch):
        images, masks = cache.inputs(batch, channels), reference[batch][..., None]
        if size < cache.size:
            corners = crop_corners(masks[..., 0], size, np.random.default_rng([seed, int(update), 2]))
            squares = [np.s_[k, row : row + size, column : column + size] for k, (row, column) in enumerate(corners)]
            images, masks = (np.stack([whole[square] for square in squares]) for whole in (images, masks))
        return images, masks

    def prepare(update, batch):
        images, masks = tf.numpy_function(read, [update, batch], (tf.uint8, tf.uint8), stateful=False)
        images, masks = tf.ensure_shape(images, (*shape, channels)), tf.ensure_shape(masks, (*shape, 1))
        images, masks = tf.cast(images, tf.float32) / 255, tf.cast(masks, tf.float32)
        return augmented(images, masks, tf.stack([seed, update]), recipe.augment) if recipe.augment else (images, masks)

    numbered = tf.data.Dataset.from_tensor_slices((np.arange(len(positions), dtype=np.int64), positions))
    # Two workers keep ahead of the model; their order is kept, as the run must be repeatable.
    return numbered.skip(first_update).map(prepare, num_parallel_calls=2, deterministic=True).prefetch(4)


def crop_corners(masks: np.ndarray, size: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Where to cut a square out of each slice: anywhere, or, in every other slice, so that it holds a lesion pixel.

    Parameters
    ----------
    masks : 0/1 array (slices, rows, columns)
    size : int
        Pixels a side of the square; at most those of the slice.
    random : numpy Generator

    Returns
    -------
    list of (row, column) of the squares' upper left corners
    """
    most = np.subtract(masks.shape[1:], size)
    corners = random.integers(0, most + 1, (len(masks), 2))
    for k in range(0, len(masks), 2):
        lesion = np.argwhere(masks[k])
        if len(lesion):
            corners[k] = np.clip(random.choice(lesion) - random.integers(0, size, 2), 0, most)
    return [(int(row), int(column)) for row, column in corners]


def patch_batches(cache: SliceCache, slices: np.ndarray, recipe: Recipe, seed: int, first_update: int = 0):
    """The batches of the patch CNN's training, half of the patches around a lesion pixel, from any update on.

    Parameters
    ----------
    cache : SliceCache
    slices : 1-D ndarray of int
        Positions of the training slices.
    recipe : Recipe
        `batch_size` patches an update.
    seed : int
    first_update : int
        Where to start: a resumed run sees exactly what it would have seen.

    Returns
    -------
    tf.data.Dataset of (float32 (batch, 11, 11, 1) in 0..1, float32 (batch, 1, 1, 1), 0 or 1: the centre is lesion)
    """

    reference = annotations(cache, slices, recipe, seed)

    @lru_cache(maxsize=2)  # an epoch's, and the next one's, which is being prepared
    def places_of(epoch: int) -> PatchPlaces:
        number = recipe.updates_per_epoch * recipe.batch_size
        return sample_places(reference, slices, number, np.random.default_rng([seed, epoch]))

    def cut(update):
        epoch, number = divmod(int(update), recipe.updates_per_epoch)
        places = places_of(epoch)[number * recipe.batch_size : (number + 1) * recipe.batch_size]
        patches = cut_patches(cache.images, places)[..., None].astype(np.float32) / 255
        return patches, places.positive[:, None, None, None].astype(np.float32)

    def prepare(update):
        patches, positive = tf.numpy_function(cut, [update], (tf.float32, tf.float32), stateful=False)
        size = paper.PATCH_SIZE
        return (
            tf.ensure_shape(patches, (recipe.batch_size, size, size, 1)),
            tf.ensure_shape(positive, (recipe.batch_size, 1, 1, 1)),
        )

    updates = tf.data.Dataset.range(first_update, recipe.updates)
    return updates.map(prepare).prefetch(4)


def augmented(images, masks, seed, strength: float = 1.0):
    """Turn, zoom, shift and mirror a batch as two scans of people may differ; never upside down.

    Parameters
    ----------
    images : float32 (batch, size, size, channels)
    masks : float32 (batch, size, size, 1)
    seed : int64 (2,)
        The same seed gives the same result.
    strength : float
        At 1 up to 7 degrees, 7 % zoom, 4 % shift, 10 % contrast and 4 % brightness; at 2 twice that.

    Returns
    -------
    images, masks
        Of the same shape; images clipped to 0..1, masks still 0 or 1.
    """
    batch, size = tf.shape(images)[0], images.shape[1]
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 7), num=7)

    def uniform(which, low, high):
        return tf.random.stateless_uniform([batch], seeds[which], low, high)

    def about_zero(which, most):
        return uniform(which, -most * strength, most * strength)

    angle, zoom = about_zero(0, 0.12), tf.exp(about_zero(1, 0.07))  # 7 degrees, 7 %
    right, down = about_zero(2, 0.04) * size, about_zero(3, 0.04) * size
    # Lungs are not symmetric, the heart lies on the left; yet lesions on either side look alike.
    mirror = tf.where(uniform(4, 0.0, 1.0) < 0.5, -1.0, 1.0)
    cos, sin, centre = tf.cos(angle) * zoom, tf.sin(angle) * zoom, (size - 1) / 2
    a, b, c, d = cos * mirror, -sin, sin * mirror, cos
    zero = tf.zeros_like(angle)
    # Each row maps an output pixel to the input pixel it is taken from, about the slice's centre.
    transform = tf.stack(
        [a, b, centre - a * centre - b * centre + right, c, d, centre - c * centre - d * centre + down, zero, zero], 1
    )

    def resample(slices, interpolation):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=slices, transforms=transform, output_shape=[size, size], fill_value=0.0,
            interpolation=interpolation, fill_mode="CONSTANT",
        )  # fmt: skip

    contrast = 1 + about_zero(5, 0.1)[:, None, None, None]
    brightness = about_zero(6, 0.04)[:, None, None, None]
    images = tf.clip_by_value(resample(images, "BILINEAR") * contrast + brightness, 0.0, 1.0)
    return images, resample(masks, "NEAREST")


def predict_slices(
    model: keras.Model, images: np.ndarray, batch_size: int = 16, mirror: bool = False
) -> np.ndarray:
    """Probabilities for slices that are already on the model's grid.

    Parameters
    ----------
    model : keras.Model
    images : uint8 array (slices, height, width), or (slices, height, width, channels) with neighbours
    batch_size : int
    mirror : bool
        Let the model see each slice's mirror image too, and take the mean of both answers: twice the time.

    Returns
    -------
    float32 array (slices, height, width) in 0..1
    """
    if mirror:
        seen_from_behind = predict_slices(model, images[:, :, ::-1], batch_size)[:, :, ::-1]
        return (predict_slices(model, images, batch_size) + seen_from_behind) / 2
    call = _compiled(model)
    images = images if images.ndim == 4 else images[..., None]
    probabilities = np.empty(images.shape[:3], dtype=np.float32)
    for start in range(0, len(images), batch_size):
        stop = start + batch_size
        probabilities[start:stop] = call(tf.constant(images[start:stop])).numpy()[..., 0]
    return probabilities


@lru_cache(maxsize=4)
def _compiled(model: keras.Model):
    """One traced graph a model, for slices of any number and size: `model.predict` costs about twice as much on
    small batches, and tracing anew for each call costs seconds."""

    # The channels are named: Keras sends a convolution of unknown ones to another compiler.
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, channels_of(model)], tf.uint8)])
    def call(batch):
        return model(tf.cast(batch, tf.float32) / 255, training=False)

    return call


def predict_cached(model: keras.Model, cache: SliceCache, rows: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Probabilities for slices of a cache, with the neighbours that the model wants: `predict_slices` of
    `SliceCache.inputs`."""
    return predict_slices(model, cache.inputs(rows, channels_of(model)), mirror=mirror)


def portions(slices: np.ndarray) -> list[np.ndarray]:
    """Positions of slices, a few at a time, so that the probabilities of a 630-pixel cohort are never held at once."""
    return np.array_split(slices, max(1, len(slices) // 64))


def count_slices(
    model: keras.Model, cache: SliceCache, slices: np.ndarray, thresholds: np.ndarray, mirror: bool = False
) -> list[Counts]:
    """Pooled counts of a model on slices of a cache, at each threshold; `mirror` as in `predict_slices`."""
    total = [Counts()] * len(thresholds)
    for portion in portions(slices):
        counts = count_at(thresholds, cache.masks[portion], predict_cached(model, cache, portion, mirror))
        total = [one + more for one, more in zip(total, counts)]
    return total


def best_threshold(counts: list[Counts], thresholds: np.ndarray) -> tuple[float, float]:
    """The threshold with the highest F1, and that F1; 0.5 and 0 where no F1 is defined."""
    scores = np.array([one.f1 for one in counts])
    if np.isnan(scores).all():
        return 0.5, 0.0
    best = int(np.nanargmax(scores))
    return float(thresholds[best]), float(scores[best])


def learner_and_batches(model: keras.Model, twin: keras.Model | None = None):
    """What learns, and the function that makes its batches: the patch CNN's classifier, from patches; any other
    model's normalised twin or, without one, the model itself, from slices."""
    classifier = classifier_in(model)
    if classifier is not None:
        return classifier, patch_batches
    return twin or model, partial(training_batches, channels=channels_of(model))


def train(
    model: keras.Model,
    cache: SliceCache,
    split: Split,
    recipe: Recipe,
    folder: Path,
    save_best,
    progress: Progress = silent,
    twin: keras.Model | None = None,
) -> list[Epoch]:
    """Fit a fresh model, or go on with a training that was interrupted.

    Parameters
    ----------
    model : keras.Model
        With fresh weights; it ends with the weights of the last epoch, not of the best. The patch CNN in its dense
        form learns from patches and is validated on slices; all other models learn from what they are used on.
    cache : SliceCache
    split : Split
    recipe : Recipe
    folder : Path
        Holds history.csv and, until the training has ended, state.weights.h5 (weights, optimiser, random state).
    save_best : callable (Epoch) -> None
        Called after each epoch that is better on validation than all before it; after each, if the last is kept.
    progress : callable (done, total, text)
    twin : keras.Model, optional
        The same network built with `normalised=True`: it learns, and the model has its folded weights after each epoch.

    Returns
    -------
    list of Epoch
        The whole history, that of interrupted parts included.

    Notes
    -----
    Validation alone chooses the epoch and the threshold; the test part is not looked at here.
    """
    slices = training_slices(cache, split, recipe)
    warm_up = max(1, recipe.updates // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.updates - warm_up), alpha=0.01, warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    learner, batches = learner_and_batches(model, twin)
    # The norm is clipped because the first updates see hardly a lesion and may be wild.
    learner.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=LOSSES[recipe.loss]())
    learner.optimizer.build(learner.trainable_variables)
    history = _resume(learner, recipe, folder)
    keeper = _Keeper(model, cache, split, recipe, folder, history, save_best, progress, twin)
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
                callbacks=[keeper],
                shuffle=False,
                verbose=0,
            )
    (folder / "state.weights.h5").unlink(missing_ok=True)
    return history


class _Keeper(keras.callbacks.Callback):
    """After each epoch: validate, keep the best weights, then the point to resume from. In that order, so that a
    kill between two steps repeats an epoch and never loses one."""

    def __init__(self, slice_model, cache, split, recipe, folder, history, save_best, progress, twin):
        super().__init__()
        # self.model is what learns: for the patch CNN the classifier inside, for others perhaps the normalised twin.
        self.slice_model, self.twin = slice_model, twin
        self.cache, self.split, self.recipe = cache, split, recipe
        self.folder, self.history, self.save_best, self.progress = folder, history, save_best, progress
        self.best = max((epoch.validation_f1 for epoch in history), default=-1.0)
        self.seconds_before = history[-1].seconds if history else 0.0
        self.started = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        # Dropout draws from a state of its own, which a weights file does not keep: set it from seed and epoch.
        for layer in self.model.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([self.split.seed, epoch])

    def on_train_batch_end(self, batch, logs=None):
        done = self.recipe.updates_after(len(self.history)) + batch + 1
        if done % 10 == 0:
            last = f"validation F1 {self.history[-1].validation_f1:.2f}" if self.history else ""
            self.progress(done, self.recipe.updates, last)

    def on_epoch_end(self, epoch, logs=None):
        if self.twin is not None:
            fold(self.twin, self.slice_model)
        counts = count_slices(self.slice_model, self.cache, self.split.validation, THRESHOLDS)
        threshold, f1 = best_threshold(counts, THRESHOLDS)
        line = Epoch(
            epoch + 1, self.recipe.updates_after(epoch + 1), float(logs["loss"]), f1, threshold,
            self.seconds_before + time.perf_counter() - self.started,
        )  # fmt: skip
        if f1 > self.best or self.recipe.keep_last:
            self.best = f1
            self.save_best(line)
        self.history.append(line)
        _write_history(self.folder / "history.csv", self.history)
        with whole_file(self.folder / "state.weights.h5") as scratch:
            self.model.save_weights(scratch)


def _resume(model: keras.Model, recipe: Recipe, folder: Path) -> list[Epoch]:
    """Load the last complete epoch, if there is one, and the history up to it."""
    history = read_history(folder / "history.csv")
    state = folder / "state.weights.h5"
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


def _write_history(path: Path, history: list[Epoch]) -> None:
    with whole_file(path) as scratch, scratch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Epoch.__dataclass_fields__)
        writer.writerows(tuple(vars(epoch).values()) for epoch in history)


def read_history(path: Path) -> list[Epoch]:
    """The epochs of a run's history.csv; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        types = {"epoch": int, "updates": int}
        return [Epoch(**{key: types.get(key, float)(value) for key, value in row.items()}) for row in rows]
