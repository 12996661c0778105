"""Patches of 11 x 11 pixels, classified by their centre pixel (paper, section II), and their balanced sampling.

Nothing here makes all patches of a slice at once except `slice_patches`, which is a view and costs no memory.
"""

from dataclasses import dataclass

import numpy as np

from covidlab import paper


@dataclass(frozen=True)
class PatchPlaces:
    """Where the centres of sampled patches lie: arrays of the same length, (patches,)."""

    slices: np.ndarray  # int64
    rows: np.ndarray
    columns: np.ndarray
    positive: np.ndarray  # bool; whether the centre pixel is lesion

    def __getitem__(self, part: slice) -> "PatchPlaces":
        return PatchPlaces(self.slices[part], self.rows[part], self.columns[part], self.positive[part])


def patch_count(height: int, width: int) -> int:
    """How many patches lie wholly inside a slice: 384,400 of 11 x 11 in 630 x 630 (section II)."""
    return max(0, height - paper.PATCH_SIZE + 1) * max(0, width - paper.PATCH_SIZE + 1)


def slice_patches(slice_: np.ndarray) -> np.ndarray:
    """The patch around **every** pixel of a slice (height, width); beyond the border the slice is reflected.

    Returns a view of the reflected slice, (height, width, size, size): element (row, column) is the patch around that
    pixel. Raises a ValueError if the slice is too small to be reflected.
    """
    size = paper.PATCH_SIZE
    if min(slice_.shape) <= size // 2:
        raise ValueError(f"a slice of {slice_.shape} is too small for patches of {size} x {size}")
    return np.lib.stride_tricks.sliding_window_view(np.pad(slice_, size // 2, mode="reflect"), (size, size))


def sample_places(masks: np.ndarray, slices: np.ndarray, patches: int, random: np.random.Generator) -> PatchPlaces:
    """Draw patch centres, half of them lesion, every slice with an equal say, shuffled.

    First a slice is drawn, then a pixel of the wanted class in it. So one patient's wide lesion does not crowd out
    the small ones of the others.

    - `masks`, uint8 array (slices, height, width), 0 or 1: may be a memory map.
    - `slices`, 1-D ndarray of int: positions to draw from. A ValueError says that none of them shows a lesion, or all
      are nothing else.
    - `patches`, int: how many in all; an odd one is healthy.
    - `random`, numpy Generator
    """
    lesions = [np.flatnonzero(masks[k]) for k in slices]
    sizes, pixels = np.array([len(lesion) for lesion in lesions]), int(np.prod(masks.shape[1:]))
    with_lesion, with_healthy = np.flatnonzero(sizes), np.flatnonzero(sizes < pixels)
    for found, kind in ((with_lesion, "lesion"), (with_healthy, "healthy pixel")):
        if not len(found):
            raise ValueError(f"no slice shows a {kind}: nothing balanced can be drawn")

    positive = np.arange(patches) < patches // 2
    chosen = np.where(positive, random.choice(with_lesion, patches), random.choice(with_healthy, patches))
    # The lesion pixels of all slices lie one after the other; each slice's begin at its offset.
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])[chosen[positive]]
    places = np.empty(patches, np.int64)
    places[positive] = np.concatenate(lesions)[offsets + random.integers(sizes[chosen[positive]])]
    # Healthy pixels are so many that trying again is quick.
    open_ = np.flatnonzero(~positive)
    while len(open_):
        places[open_] = random.integers(pixels, size=len(open_))
        rows, columns = np.unravel_index(places[open_], masks.shape[1:])
        open_ = open_[masks[slices[chosen[open_]], rows, columns] > 0]

    order = random.permutation(patches)
    rows, columns = np.unravel_index(places[order], masks.shape[1:])
    return PatchPlaces(slices[chosen[order]].astype(np.int64), rows, columns, positive[order])


def cut_patches(images: np.ndarray, places: PatchPlaces) -> np.ndarray:
    """The patches (patches, 11, 11) around sampled centres of images (slices, height, width), of the images' dtype;
    beyond the border they are reflected."""
    size = paper.PATCH_SIZE
    # Which row, and which column, stands where a border of half a patch is put around a slice.
    rows, columns = (np.pad(np.arange(side), size // 2, mode="reflect") for side in images.shape[1:])
    rows, columns = rows[places.rows[:, None] + np.arange(size)], columns[places.columns[:, None] + np.arange(size)]
    return images[places.slices[:, None, None], rows[:, :, None], columns[:, None, :]]
