"""What to do when one pixel in eighty is lesion, and its border is drawn by hand: choose slices, choose the loss, see
what errors at the borders do (paper, section III.B)."""

import numpy as np
from scipy import ndimage

from covidlab.tensorflow_quiet import keras


def undersample(
    train: np.ndarray, positive: np.ndarray, negatives_per_positive: float | None = 0.0, seed: int = 0
) -> np.ndarray:
    """Drop slices without lesions from training: the paper's way to balance (section III.B).

    Parameters
    ----------
    train : 1-D ndarray of int
        Positions of the training slices.
    positive : ndarray of bool
        For every slice of the cohort, whether it shows any lesion.
    negatives_per_positive : float or None
        How many negative slices to keep for each positive one. 0 keeps none, as the paper did; None keeps all.
    seed : int
        Chooses which negatives stay.

    Returns
    -------
    1-D ndarray of int, sorted

    Raises
    ------
    ValueError
        If no training slice is positive.

    Examples
    --------
    >>> undersample(np.arange(4), np.array([True, False, True, False])).tolist()
    [0, 2]
    """
    positives, negatives = train[positive[train]], train[~positive[train]]
    if not len(positives):
        raise ValueError("no training slice shows a lesion: nothing could be learned from this split")
    keep = None if negatives_per_positive is None else int(negatives_per_positive * len(positives))
    kept = np.random.default_rng(seed).permutation(negatives)[:keep]
    return np.sort(np.concatenate([positives, kept]))


@keras.saving.register_keras_serializable("covidlab")
class CrossEntropyAndDice(keras.losses.Loss):
    """Binary cross-entropy plus soft Dice, both over the whole batch.

    The paper names no loss. Cross-entropy alone sees eighty healthy pixels for each lesion pixel; soft Dice
    ignores true negatives but is flat where nothing is found yet. Their sum starts well and ends well.
    Dice is counted over the batch, not slice by slice, since the score is pooled too and an empty slice has
    no Dice of its own.
    """

    def __init__(self, name: str = "cross_entropy_and_dice", **options):
        super().__init__(name=name, **options)
        self.cross_entropy = keras.losses.BinaryCrossentropy()
        self.dice = keras.losses.Dice(axis=None)

    def call(self, reference, probability):
        return self.cross_entropy(reference, probability) + self.dice(reference, probability)


@keras.saving.register_keras_serializable("covidlab")
class WeightedCrossEntropy(keras.losses.Loss):
    """Binary cross-entropy in which all lesion pixels of a batch weigh as much as all healthy ones.

    The weights follow from the batch, so there is none to tune. A model trained so calls more pixels likely lesion
    than there are; the threshold that validation chooses makes up for it.
    """

    def __init__(self, name: str = "weighted_cross_entropy", **options):
        super().__init__(name=name, **options)

    def call(self, reference, probability):
        ops = keras.ops
        probability = ops.clip(probability, 1e-7, 1 - 1e-7)
        lesion = -ops.sum(reference * ops.log(probability)) / ops.maximum(ops.sum(reference), 1)
        healthy = -ops.sum((1 - reference) * ops.log(1 - probability)) / ops.maximum(ops.sum(1 - reference), 1)
        return (lesion + healthy) / 2


# By name, for a recipe. Each is made anew for a training and counts over the whole batch, since the score is pooled.
LOSSES = {
    "cross_entropy": keras.losses.BinaryCrossentropy,
    "weighted_cross_entropy": WeightedCrossEntropy,
    "focal": keras.losses.BinaryFocalCrossentropy,
    "dice": lambda: keras.losses.Dice(axis=None),
    # Keras' alpha weighs what is missed and its beta what is false, whatever its text says: a test holds it to that.
    "tversky": lambda: keras.losses.Tversky(alpha=0.7, beta=0.3, axis=None),
    "cross_entropy_and_dice": CrossEntropyAndDice,
}


def disturb_borders(masks: np.ndarray, pixels: float, seed: int = 0) -> np.ndarray:
    """Masks as a hurried expert may draw them: each border wanders in and out, and a small lesion moves.

    Every pixel takes its value from a place nearby, and a smooth random field says which. Each place is as likely as
    its opposite, so lesions neither grow nor shrink on average, however small they are. A border that moved along its
    distance map instead would grow small lesions, since there is more room outside of a disc than inside.

    Parameters
    ----------
    masks : 0/1 array (slices, height, width)
    pixels : float
        Typical displacement of the border (standard deviation across it), at most twice that; 0 changes nothing.
    seed : int

    Returns
    -------
    uint8 array of the same shape
        A lesion of which no pixel would be left keeps the outline it had; an empty slice stays empty.

    Examples
    --------
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


def single_lesions(masks: np.ndarray) -> np.ndarray:
    """Each connected lesion of each slice alone on a slice of its own, so that lesions can be judged by their size.

    Parameters
    ----------
    masks : 0/1 array (slices, height, width)

    Returns
    -------
    uint8 array (lesions, height, width)
        In the order of slices; pixels that touch along an edge are one lesion.

    Examples
    --------
    >>> single_lesions(np.array([[[1, 1, 0, 1]], [[0, 0, 0, 0]]])).tolist()
    [[[1, 1, 0, 0]], [[0, 0, 0, 1]]]
    """
    masks = np.asarray(masks)
    lesions = [np.zeros((0, *masks.shape[1:]), np.uint8)]
    for mask in masks[masks.any(axis=(1, 2))]:
        labels, number = ndimage.label(mask)
        lesions.append((labels == np.arange(1, number + 1)[:, None, None]).astype(np.uint8))
    return np.concatenate(lesions)
