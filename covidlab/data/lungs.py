"""Where the lungs are, by classical steps that can be watched: body, air in it, its parts, two sides, what closed over.

Lesions are what makes it hard: consolidation is as dense as the chest wall, so a lung cut out by its air alone loses
what the course looks for. The last three steps take it back: from the sides, from above and below, from the back.

All is done on a grid of 128 pixels a side, where a pixel is 2.5 to 4 mm of an adult; no distance has to be known.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.morphology import disk

from covidlab.data.grid import GridFit
from covidlab.data.intensities import window

GRID = 128
DENSEST_AIR = 145  # grey of -400 HU: what is above is tissue, until a scan's own air and soft tissue are known
RIGHT, LEFT = 1, 2
FAR = 999  # pixels: a wall without a lung before it


@dataclass(frozen=True, eq=False)
class Lungs:
    """The lungs of a scan, or why there are none."""

    sides: np.ndarray  # uint8 (slices, rows, columns): 1 in the patient's right lung, 2 in the left, 0 elsewhere
    reason: str  # Why the mask is empty, in a sentence; "" where lungs were found

    @property
    def mask(self) -> np.ndarray:
        """Bool (slices, rows, columns): in either lung."""
        return self.sides > 0


def lung_mask(slices: np.ndarray, aspect: float = 1.0) -> Lungs:
    """Find the lungs of a scan, with the lesions in them.

    Parameters
    ----------
    slices : (slices, rows, columns) as displayed: foot to head, spine down, the patient's right on the left
        uint8 on the [-1250, 250] HU scale, or any other dtype in HU. One slice will do.
    aspect : float
        A pixel's height over its width: see `covidlab.data.volumes.Volume.pixel_aspect`.

    Windpipe, gas in the bowel and what lies on the chest or under the back are left out. A lung without any air in a
    slice is not found there, nor is one that the picture's edge cuts open.
    """
    if slices.ndim != 3:
        raise ValueError(f"slices have three axes (slice, row, column); found {slices.ndim}")
    fit, found = GridFit(GRID, *slices.shape[1:], aspect), np.zeros(slices.shape, np.uint8)
    grey = np.concatenate([fit.to_grid(_windowed(slice_[None])) for slice_ in slices])
    body = body_mask(grey)
    if not body.any():
        return Lungs(found, "no body in the field: nothing large is denser than air")
    lungs = aerated(grey, body)
    if not lungs.any():
        return Lungs(found, "no lungs in the field: no air in the body but gas, or none in parts as large as a lung")
    for slice_, sides in zip(found, closed(split_sides(lungs, body), body)):
        for side in (RIGHT, LEFT):
            slice_[fit.from_grid((sides == side).astype(np.float32)[None])[0] >= 0.5] = side
    return Lungs(found, "")


def _windowed(slices: np.ndarray) -> np.ndarray:
    scaled = slices if slices.dtype == np.uint8 else np.rint(255 * window(slices, level=-500, width=1500))
    return scaled.astype(np.uint8)


def body_mask(grey: np.ndarray) -> np.ndarray:
    """The largest thing that is denser than air, with all that it encloses; bool, for uint8 (slice, row, column).

    The opening cuts off the couch, blankets and wires, which are thin.
    """
    dense = ndimage.binary_opening(grey > DENSEST_AIR, disk(2)[None])
    parts, _ = ndimage.label(dense)
    sizes = _sizes(parts)
    return np.stack([ndimage.binary_fill_holes(slice_) for slice_ in (parts == sizes.argmax()) & (sizes.max() > 0)])


def _sizes(parts: np.ndarray) -> np.ndarray:
    """Voxels of each labelled part; none of what is no part, label 0."""
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return sizes


def aerated(grey: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The air in the body that is lung's: all but gas, in parts as large as a lung; bool (slice, row, column).

    Not every file has air at -1000 HU: the air around the body is 0 here and its soft tissue 1. Healthy lung is then
    0.1 to 0.3, ground glass up to 0.8, fat 0.87; gas in windpipe and bowel is 0.
    """
    around = grey[~ndimage.binary_dilation(body, disk(2)[None]) & (grey > 5)]  # without the padding
    air = float(np.percentile(around, 25)) if len(around) else 42.0  # and mostly without couch and blankets
    tissue = float(np.median(grey[body & (grey > DENSEST_AIR)]))
    share = (grey.astype(np.float32) - air) / max(tissue - air, 1.0)
    opening = disk(1)[None]
    light = ndimage.binary_opening(ndimage.binary_erosion(body, disk(2)[None]) & (share < 0.8), opening)
    gas = ndimage.binary_opening(light & (share < 0.06), opening)
    parts, count = ndimage.label(light)
    bowel = np.bincount(parts[gas], minlength=count + 1) > 0.2 * _sizes(parts)
    # What is within two pixels of gas looks like lung, for there gas and wall are mixed.
    lung = light & ~bowel[parts] & ~ndimage.binary_dilation(gas, disk(2)[None])
    parts, count = ndimage.label(ndimage.binary_opening(lung, opening))
    sizes = _sizes(parts)
    widest = np.max([np.bincount(slice_.ravel(), minlength=count + 1) for slice_ in parts], axis=0)
    surely = (sizes > 0) & (widest > 0.02 * body.sum(axis=(1, 2)).max())
    if not surely.any():
        return np.zeros_like(body)
    # A lung full of lesions is in pieces: those of some size that lie in the same slices belong to it.
    within = np.flatnonzero(surely[parts].any(axis=(1, 2)))[[0, -1]]
    lung = (sizes >= 0.02 * sizes.max())[parts]
    lung[: within[0]], lung[within[1] + 1 :] = False, False
    return lung


def split_sides(lungs: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Which lung is whose: uint8, 1 for the patient's right, 2 for the left.

    Lungs that touch are eroded until they part; then each voxel goes with the nearest part.
    """
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    middle = (columns[0] + columns[-1]) / 2
    on_the_left = np.broadcast_to(np.arange(lungs.shape[2]) > middle, lungs.shape)
    for radius in range(5):
        core = ndimage.binary_erosion(lungs, disk(radius)[None])
        parts, count = ndimage.label(core if core.any() else lungs)
        sizes = _sizes(parts)
        left = np.bincount(parts[on_the_left], minlength=count + 1) / np.maximum(sizes, 1)
        if not 0.15 < left[sizes.argmax()] < 0.85:
            break
    nearest = ndimage.distance_transform_edt(parts == 0, (3, 1, 1), return_distances=False, return_indices=True)
    return np.where(lungs, np.where(left > 0.5, LEFT, RIGHT)[parts[tuple(nearest)]], 0).astype(np.uint8)


def closed(sides: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Each lung with the lesions that its air leaves out; what both would take is neither's, unless it is air."""
    right, left = (behind(between(filled(sides == side)), body) & body for side in (RIGHT, LEFT))
    taken = np.where(right & ~left, RIGHT, np.where(left & ~right, LEFT, 0))
    return np.where(sides > 0, sides, taken).astype(np.uint8)


def filled(lung: np.ndarray, radius: int = 8) -> np.ndarray:
    """Slice by slice: holes filled, and bays closed that a disc of the radius does not fit into."""
    whole = lung.copy()
    for slice_ in whole:
        if slice_.any():
            wide = np.pad(slice_, radius + 1)
            grown = ndimage.distance_transform_edt(~wide) <= radius
            wide |= ndimage.distance_transform_edt(grown) > radius
            slice_[:] = ndimage.binary_fill_holes(wide)[radius + 1 : -radius - 1, radius + 1 : -radius - 1]
    return whole


def between(lung: np.ndarray) -> np.ndarray:
    """And what has lung above and below it, at most a quarter of the lung's height apart."""
    used = np.flatnonzero(lung.any(axis=(1, 2)))
    if not len(used):
        return lung
    height, z = len(lung), np.arange(len(lung), dtype=np.int32)[:, None, None]
    below = np.maximum.accumulate(np.where(lung, z, -2 * height))
    above = np.minimum.accumulate(np.where(lung, z, 2 * height)[::-1])[::-1]
    return lung | (above - below <= max(1, (used[-1] - used[0]) // 4))


def behind(lung: np.ndarray, body: np.ndarray) -> np.ndarray:
    """And what fills it at the back, where consolidation gathers in a patient who lies.

    The wall behind a lung is nowhere much thicker than just above or below, but near the shoulders, where it thickens
    up to the top. Up to a quarter of the body's depth is taken back, and nothing under two pixels.
    """
    used = np.flatnonzero(lung.any(axis=(1, 2)))
    if not len(used):
        return lung
    rows = np.arange(lung.shape[1])[None, :, None]
    lowest, back = (np.where(mask, rows, -1).max(axis=1) for mask in (lung, body))
    wall = np.where(lowest >= 0, back - lowest, FAR)
    thin = ndimage.percentile_filter(wall, 20, size=(3, 5))
    # An opening along z cuts peaks and keeps what rises to an end: at the top it shall, at the foot it shall not.
    thin[np.maximum.accumulate(lowest, axis=0) < 0] = 0
    reach = int(0.6 * (used[-1] - used[0] + 1)) | 1
    thin = np.pad(np.pad(thin, ((0, reach), (0, 0)), constant_values=FAR), ((reach, 0), (0, 0)))
    usual = ndimage.grey_opening(thin, (reach, 1))[reach:-reach]
    missing = wall - usual
    depth = np.median(body.any(axis=2).sum(axis=1)[used])
    taken = (lowest >= 0) & (missing >= 2) & (missing <= 0.25 * depth)
    return lung | (taken[:, None] & (rows > lowest[:, None]) & (rows <= (back - usual)[:, None]))
