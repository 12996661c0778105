"""What to do when one pixel in eighty is lesion: choose slices, choose the loss (paper, section III.B)."""

import numpy as np

from covidlab.tensorflow_quiet import keras


def undersample(
    train: np.ndarray, positive: np.ndarray, negatives_per_positive: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Drop slices without lesions from training: the paper's way to balance (section III.B).

    Parameters
    ----------
    train : 1-D ndarray of int
        Positions of the training slices.
    positive : ndarray of bool
        For every slice of the cohort, whether it shows any lesion.
    negatives_per_positive : float
        How many negative slices to keep for each positive one. 0 keeps none, as the paper did; infinity
        keeps all.
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
    keep = int(min(len(negatives), negatives_per_positive * len(positives)))
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
