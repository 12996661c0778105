"""What imprecise annotations do: masks with borders as a hurried expert draws them (paper, section III.B)."""

import numpy as np
from scipy import ndimage


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
