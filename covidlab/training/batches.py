"""The batches of a training: which slices, in which order, with which masks, turned and mirrored how."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from covidlab import paper
from covidlab._tensorflow import tf
from covidlab.data.patches import PatchPlaces, cut_patches, sample_places
from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.training.recipe import Recipe


def training_slices(cache: SliceCache, split: Split, recipe: Recipe) -> np.ndarray:
    """Positions of the slices that a recipe learns from: positive ones, and as many negative ones as it asks for."""
    positives = split.train[cache.positive[split.train]]
    if recipe.annotated is not None:
        positives = np.random.default_rng([split.seed, 1]).permutation(positives)[: recipe.annotated]
    kept = np.concatenate([positives, split.train[~cache.positive[split.train]]])
    return undersample(kept, cache.positive, recipe.negatives_per_positive, split.seed)


def with_wrong_borders(cache: SliceCache, slices: np.ndarray, pixels: float, seed: int) -> SliceCache:
    """The cache as it is learnt from: borders at the slices' positions are wrong by some pixels, each time the same."""
    if not pixels:
        return cache
    masks = np.zeros(cache.masks.shape, np.uint8)
    masks[slices] = disturb_borders(cache.masks[slices], pixels, seed)
    return replace(cache, masks=masks)


def training_batches(cache: SliceCache, slices: np.ndarray, recipe: Recipe, seed: int, updates: range | None = None):
    """The batches of some updates of a training, by default of all: shuffled passes over the slices, given by their
    positions. A batch depends on the update's number, not on where one starts.

    Returns tf.data.Dataset of (float32 (batch, size, size, 1) in 0..1, float32 (batch, size, size, 1), 0 or 1).
    """
    random, wanted = np.random.default_rng(seed), recipe.updates * recipe.batch_size
    passes = [random.permutation(slices) for _ in range(-(-wanted // len(slices)))]
    positions = np.concatenate(passes)[:wanted].astype(np.int64).reshape(-1, recipe.batch_size)
    numbers = np.array(updates or range(recipe.updates), dtype=np.int64)
    shape = (recipe.batch_size, cache.size, cache.size, 1)

    def read(batch):
        # Of a taught network (studies/teach.py) the masks lie between 0 and 1.
        return cache.images[batch][..., None], cache.masks[batch][..., None].astype(np.float32)

    def prepare(update, batch):
        images, masks = tf.numpy_function(read, [batch], (tf.uint8, tf.float32), stateful=False)
        images, masks = tf.cast(tf.ensure_shape(images, shape), tf.float32) / 255, tf.ensure_shape(masks, shape)
        return augmented(images, masks, tf.stack([seed, update]), recipe.augment) if recipe.augment else (images, masks)

    numbered = tf.data.Dataset.from_tensor_slices((numbers, positions[numbers]))
    # Two workers keep ahead of the model; their order is kept, as the run must be repeatable.
    return numbered.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(4)


def patch_batches(cache: SliceCache, slices: np.ndarray, recipe: Recipe, seed: int, updates: range | None = None):
    """As `training_batches` for the patch CNN: `batch_size` patches an update, half of them around a lesion pixel.

    Returns tf.data.Dataset of (float32 (batch, 11, 11, 1) in 0..1, float32 (batch, 1, 1, 1), 0 or 1: the centre is
    lesion).
    """

    @lru_cache(maxsize=1)
    def places_of(epoch: int) -> PatchPlaces:
        number = recipe.updates_per_epoch * recipe.batch_size
        return sample_places(cache.masks, slices, number, np.random.default_rng([seed, epoch]))

    def cut(update):
        epoch, number = divmod(int(update), recipe.updates_per_epoch)
        places = places_of(epoch)[number * recipe.batch_size : (number + 1) * recipe.batch_size]
        patches = cut_patches(cache.images, places)[..., None].astype(np.float32) / 255
        return patches, places.positive[:, None, None, None].astype(np.float32)

    def prepare(update):
        patches, positive = tf.numpy_function(cut, [update], (tf.float32, tf.float32), stateful=False)
        shape = (recipe.batch_size, paper.PATCH_SIZE, paper.PATCH_SIZE, 1)
        return tf.ensure_shape(patches, shape), tf.ensure_shape(positive, (recipe.batch_size, 1, 1, 1))

    some = updates or range(recipe.updates)
    return tf.data.Dataset.range(some.start, some.stop).map(prepare).prefetch(4)


def augmented(images, masks, seed, strength: float = 1.0):
    """Turn, zoom, shift and mirror a batch as two scans of people may differ; never upside down.

    - `images`, `masks`, float32 (batch, size, size, 1): in 0..1, and 0 or 1; so is what is returned.
    - `seed`, int64 (2,)
    - `strength`, float: at 1 up to 7 degrees, 7 % zoom, 4 % shift, 10 % contrast and 4 % brightness; at 2 twice that.
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


def undersample(
    train: np.ndarray, positive: np.ndarray, negatives_per_positive: float | None = 0.0, seed: int = 0
) -> np.ndarray:
    """Drop slices without lesions from training: the paper's way to balance (section III.B).

    `train`, 1-D int, are positions of training slices; those that stay are returned, sorted. `positive` says of every
    slice of the cohort whether it shows lesion. So many negative slices stay for each positive one, chosen by the seed:
    0 keeps none, as the paper did, None all. `ValueError` if no training slice is positive.

    >>> undersample(np.arange(4), np.array([True, False, True, False])).tolist()
    [0, 2]
    """
    positives, negatives = train[positive[train]], train[~positive[train]]
    if not len(positives):
        raise ValueError("no training slice shows a lesion: nothing could be learned from this split")
    keep = None if negatives_per_positive is None else int(negatives_per_positive * len(positives))
    kept = np.random.default_rng(seed).permutation(negatives)[:keep]
    return np.sort(np.concatenate([positives, kept]))


def disturb_borders(masks: np.ndarray, pixels: float, seed: int = 0) -> np.ndarray:
    """Masks as a hurried expert may draw them (paper, section III.B): borders wander in and out, a small lesion moves.

    Every pixel takes its value from a place nearby, and a smooth random field says which. Each place is as likely as
    its opposite, so lesions neither grow nor shrink on average, however small they are. A border that moved along its
    distance map instead would grow small lesions, since there is more room outside of a disc than inside.

    - `masks`, 0/1 array (slices, height, width)
    - `pixels`, float: typical displacement of the border (standard deviation across it), at most twice that; 0 changes
      nothing.

    Returns uint8 array of the same shape: a lesion of which no pixel would be left keeps the outline it had; an empty
    slice stays empty.

    >>> square = np.zeros((1, 16, 16), np.uint8); square[0, 4:12, 4:12] = 1
    >>> bool((disturb_borders(square, 0) == square).all())
    True
    """
    masks = np.asarray(masks, dtype=np.uint8)
    if pixels <= 0:
        return masks.copy()
    disturbed = np.zeros_like(masks)
    # Twice as smooth as it is strong, or the field would fold and tear outlines apart.
    smooth = max(3.0, 2 * pixels)
    for k in np.flatnonzero(masks.any(axis=(1, 2))):
        lesions, number = ndimage.label(masks[k])
        random = np.random.default_rng([seed, int(k)])
        # Wrapped, so that the field has no favoured place: that is what keeps areas unbiased.
        field = ndimage.gaussian_filter(random.standard_normal((2, *lesions.shape)), (0, smooth, smooth), mode="wrap")
        field *= pixels / field.std(axis=(1, 2), keepdims=True)
        field *= np.minimum(1, 2 * pixels / np.maximum(np.hypot(*field), 1e-12))
        rows, columns = np.rint(np.indices(lesions.shape) + field).astype(int)
        height, width = lesions.shape
        moved = lesions[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        lost = np.setdiff1d(np.arange(1, number + 1), moved)
        disturbed[k] = (moved > 0) | np.isin(lesions, lost)
    return disturbed
