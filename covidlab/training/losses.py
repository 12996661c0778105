"""Losses for rare lesions, by name (paper, section III.B). Slices and borders are chosen in `batches`."""

from covidlab._tensorflow import keras


def cross_entropy_and_dice(reference, probability):
    """Binary cross-entropy plus soft Dice, both over the whole batch.

    The paper names no loss. Cross-entropy alone sees eighty healthy pixels for each lesion pixel; soft Dice
    ignores true negatives but is flat where nothing is found yet. Their sum starts well and ends well.
    Dice is counted over the batch, not slice by slice, since the score is pooled too and an empty slice has
    no Dice of its own.
    """
    losses = keras.losses
    return losses.BinaryCrossentropy()(reference, probability) + losses.Dice(axis=None)(reference, probability)


def weighted_cross_entropy(reference, probability):
    """Binary cross-entropy in which all lesion pixels of a batch weigh as much as all healthy ones.

    The weights follow from the batch, so there is none to tune. A model trained so calls more pixels likely lesion
    than there are; the threshold that validation chooses makes up for it.
    """
    ops = keras.ops
    probability = ops.clip(probability, 1e-7, 1 - 1e-7)
    lesion = -ops.sum(reference * ops.log(probability)) / ops.maximum(ops.sum(reference), 1)
    healthy = -ops.sum((1 - reference) * ops.log(1 - probability)) / ops.maximum(ops.sum(1 - reference), 1)
    return (lesion + healthy) / 2


# By name, for a recipe. Each is made anew for a training and counts over the whole batch, since the score is pooled.
LOSSES = {
    "cross_entropy": keras.losses.BinaryCrossentropy,
    "weighted_cross_entropy": lambda: weighted_cross_entropy,
    "focal": keras.losses.BinaryFocalCrossentropy,
    "dice": lambda: keras.losses.Dice(axis=None),
    # Keras' alpha weighs what is missed and its beta what is false, whatever its text says: a test holds it to that.
    "tversky": lambda: keras.losses.Tversky(alpha=0.7, beta=0.3, axis=None),
    "cross_entropy_and_dice": lambda: cross_entropy_and_dice,
}
