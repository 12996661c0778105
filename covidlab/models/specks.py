"""Marked spots too small to be believed: a few pixels of vessel or of a rib's edge make a healthy slice positive.

Not in the paper. A spot is what hangs together within one slice. How large one has to be, the weights say: at 128 px
over 35 cm a pixel is 7 square millimetres.
"""

import numpy as np
from scipy import ndimage

PORTION = 64  # slices at once


def drop_specks(marked: np.ndarray, smallest: int) -> np.ndarray:
    """Take away all spots of fewer pixels.

    Parameters
    ----------
    marked : bool array (slices, height, width)
    smallest : int
        Pixels that a spot must have; pixels hang together by their sides. 1 and less leaves all as it is.

    Returns
    -------
    bool array of the same shape

    Examples
    --------
    >>> drop_specks(np.array([[[1, 1, 0, 0], [0, 0, 0, 1]]], bool), 2).astype(int).tolist()
    [[[1, 1, 0, 0], [0, 0, 0, 0]]]
    """
    if smallest <= 1:
        return marked
    if len(marked) > PORTION:  # numbers of spots take four times the room of the masks
        return np.concatenate([drop_specks(marked[k : k + PORTION], smallest) for k in range(0, len(marked), PORTION)])
    within_a_slice = np.zeros((3, 3, 3), bool)
    within_a_slice[1] = ndimage.generate_binary_structure(2, 1)
    spots, _ = ndimage.label(marked, within_a_slice)
    large = np.bincount(spots.ravel()) >= smallest
    large[0] = False
    return large[spots]
