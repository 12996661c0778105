"""Where the lungs are, by classical steps that can be watched: body, air in it, its parts, two sides, what closed over.

Lesions are what makes it hard: consolidation is as dense as the chest wall, so a lung cut out by its air alone loses
what the course looks for. The last three steps take it back: from the sides, from above and below, from the back.

All is done on a grid of 128 pixels a side, where a pixel is 2.5 to 4 mm of an adult; no distance has to be known. A
body that is small in its field, a child's or one in a wide field of view, is looked at closer, until it fills the grid.
"""

import math

import numpy as np
from scipy import ndimage
from skimage.morphology import disk, isotropic_closing

from covidlab.data.grid import WHOLE, GridFit
from covidlab.data.intensities import Intensities
from covidlab.data.lungs_found import LEFT, RIGHT, SIDES, Lungs

GRID = 128
DENSEST_AIR = 145  # grey of -400 HU: what is above is tissue, until a scan's own air and soft tissue are known
THIN = 52  # grey of -944 HU: what is thinner on the whole is no lung that the picture's edge cuts open
GAS = 0.07  # of the way from air to soft tissue: what is thinner fills windpipe and bowel
SMALL = 0.85  # of the field across: a body that fills less is looked at closer; 15 real ones fill 0.88 to 1, median 1
FAR = 999  # pixels: a wall without a lung before it
MARGIN = 2  # pixels that a lesion may lie beside the mask: in 15 real scans 0.13 % lie farther, without it 1.8 %
CUT = 0.5  # of the lungs' largest slice: an end that has more ends within them
LEAST = 0.08  # of the body across: less air is no chest's, or hardly any lung is left to look at
CUT_OFF = 0.2  # of the body across: less, widest at the field's end, is no chest; 15 real ones have 0.3 to 0.5


def lung_mask(slices: np.ndarray, aspect: float = 1.0) -> Lungs:
    """Find the lungs of a scan, with the lesions in them.

    - `slices`, (slices, rows, columns) as displayed: foot to head, spine down, the patient's right on the left: uint8
      on the [-1250, 250] HU scale, or any other dtype in HU. One slice will do.
    - `aspect`, float: a pixel's height over its width: see `covidlab.data.volumes.Volume.pixel_aspect`.

    Windpipe, gas in the bowel and what lies on the chest or under the back are left out. A lung without any air in a
    slice is not found there.
    """
    if slices.ndim != 3:
        raise ValueError(f"slices have three axes (slice, row, column); found {slices.ndim}")
    fit, grey, body = _on_grid(slices, aspect)
    if (window := around(body, fit)) != WHOLE:
        fit, grey, body = _on_grid(slices[:, *window], aspect)
    lungs = aerated(grey, body) if body.any() else body
    found, near = np.zeros(slices.shape, np.uint8), np.zeros(slices.shape, bool)
    if reason := _why_no_lungs(lungs, body):
        return Lungs(found, near, reason, window)
    sides = closed(split_sides(lungs, body), body)
    walls, grown = walls_behind(sides, body), ndimage.binary_dilation(sides > 0, disk(MARGIN)[None])
    for k in np.flatnonzero(grown.any(axis=(1, 2))):
        parts = np.stack([sides[k] == RIGHT, sides[k] == LEFT, grown[k]])
        right, left, near[k, *window] = fit.from_grid(parts) >= 0.5
        found[k, *window] = np.where(right, RIGHT, LEFT * left)
    areas, across = lungs.sum(axis=(1, 2)), body.sum(axis=(1, 2))
    gap = not areas[slice(*np.flatnonzero(areas)[[0, -1]])].all()
    air = float((areas / np.maximum(across, 1)).max())
    return Lungs(found, near, "", window, walls, _ends(sides > 0, grey), gap, air)


def _on_grid(slices: np.ndarray, aspect: float) -> tuple[GridFit, np.ndarray, np.ndarray]:
    """How slices lie on the grid, their greys there, and the body in them."""
    fit = GridFit(GRID, *slices.shape[1:], aspect)
    scale = Intensities("record_window" if slices.dtype == np.uint8 else "hu", "")
    grey = np.concatenate([fit.to_grid(scale.windowed(slice_[None])) for slice_ in slices])
    return fit, grey, body_mask(grey)


def _field(grey: np.ndarray) -> np.ndarray:
    """Where a scan has values of its own, bool (row, column): all but the grid's padding and that of a round field."""
    return (grey > 5).any(axis=0) & (grey != grey[0, 0, 0]).any(axis=0)


def _ends(lungs: np.ndarray, grey: np.ndarray) -> tuple[str, ...]:
    """Where a scan ends within its lungs, both on the grid."""
    areas, inside = lungs.sum(axis=(1, 2)), ndimage.binary_erosion(_field(grey), disk(4))
    found = {
        "lower end": areas[0] > CUT * areas.max(),
        "upper end": areas[-1] > CUT * areas.max(),
        "picture's edge": (lungs & ~inside).sum() > 0.01 * areas.sum(),
    }
    return tuple(name for name, here in found.items() if here)


def around(body: np.ndarray, fit: GridFit) -> tuple[slice, slice]:
    """The rows and columns of a scan, a square as far as it reaches, that a small body fills; all, if it is not small.

    - `body`, bool (slices, rows, columns) on the grid, where the scan lies as `fit` says.
    """
    used = [np.flatnonzero(body.any(axis=axes)) for axes in ((0, 2), (0, 1))]
    across = max(np.ptp(side) + 1 for side in used) if body.any() else GRID
    if across >= SMALL * GRID:
        return WHOLE
    window = []
    for side, place, covered, pixels in zip(used, fit.place, fit.covered, (fit.height, fit.width)):
        start = (side[0] + side[-1] + 1 - across) / 2 - place.start
        ends = np.array([start, start + across]) * pixels / covered
        window.append(slice(max(math.floor(ends[0]), 0), math.ceil(ends[1])))
    return tuple(window)


def _why_no_lungs(lungs: np.ndarray, body: np.ndarray) -> str:
    """Why air in the body is no chest's: there is none, or a scan of the belly or the neck cuts off an end of it."""
    if not body.any():
        return "no body in the field: nothing large is denser than air"
    if not lungs.any():
        return "no lungs in the field, or none with air: no air in the body but gas, or in parts smaller than a lung"
    areas = lungs.sum(axis=(1, 2))
    share = areas.max() / body.sum(axis=(1, 2)).max()
    if share < CUT_OFF and max(areas[0], areas[-1]) > 0.9 * areas.max():
        return f"no chest in the field: an end of the lungs alone, at most {share:.0%} of the body across"
    if share < LEAST:
        return f"no chest in the field, or lungs nearly without air: it takes {share:.0%} of the body across"
    return ""


def body_mask(grey: np.ndarray) -> np.ndarray:
    """The largest thing that is denser than air, with all that it encloses; bool, for uint8 (slice, row, column).

    The opening cuts off the couch, blankets and wires, which are thin. Blank slices may cut the body itself into
    pieces, which have no slice in common. The edge of the field encloses, too, what lies
    beside something dense and is as dense as lung: lungs that it cuts open.
    """
    dense = ndimage.binary_opening(grey > DENSEST_AIR, disk(2)[None])
    parts, _ = ndimage.label(dense)
    sizes = _sizes(parts)
    body, field = np.zeros(grey.shape, bool), _field(grey)
    for part in np.argsort(-sizes)[: np.count_nonzero(sizes > 0.1 * sizes.max())]:
        if not body[(piece := parts == part).any(axis=(1, 2))].any():
            body |= piece
    rim = field & ~ndimage.binary_erosion(field)
    for one, slice_ in zip(grey, body):
        slice_[:] = ndimage.binary_fill_holes(slice_)
        slice_[:] = ndimage.binary_fill_holes(slice_ | _cut_open(one, slice_, field, rim))
    return body


def _cut_open(grey: np.ndarray, body: np.ndarray, field: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Lungs of a slice that the edge of its field cuts open: they lie between the body's rows, not all around it."""
    outside, count = ndimage.label(field & ~body)
    size, between, along = (
        np.bincount(outside[where].ravel(), minlength=count + 1) for where in (..., body.any(axis=1), rim)
    )
    middle = ndimage.median(grey, outside, np.arange(count + 1))
    lung = (between > 0.75 * size) & (along < 0.67 * rim.sum()) & (middle > THIN)
    return lung[outside] & (outside > 0)


def _sizes(parts: np.ndarray) -> np.ndarray:
    """Voxels of each labelled part; none of what is no part, label 0."""
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return sizes


def _widest(parts: np.ndarray, count: int) -> np.ndarray:
    """Pixels of each labelled part in the slice that has most of them; what is no part, label 0, counts as one."""
    return np.max([np.bincount(slice_.ravel(), minlength=count + 1) for slice_ in parts], axis=0)


def aerated(grey: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The air in the body that is lung's: all but gas, in parts as large as a lung; bool (slice, row, column).

    Not every file has air at -1000 HU: the air around the body is 0 here and its soft tissue 1. Healthy lung is then
    0.1 to 0.3, ground glass up to 0.8, fat 0.87; gas in windpipe and bowel is 0.
    """
    padded = (grey <= 5) | ~body.any(axis=(1, 2))[:, None, None]  # around the field, or whole slices
    around = grey[~ndimage.binary_dilation(body, disk(2)[None]) & ~padded]
    air = float(np.percentile(around, 25)) if len(around) else 42.0  # and mostly without couch and blankets
    tissue = float(np.median(grey[body & (grey > DENSEST_AIR)]))
    share = (grey.astype(np.float32) - air) / max(tissue - air, 1.0)
    opening = disk(1)[None]
    light = ndimage.binary_opening(ndimage.binary_erosion(body, disk(2)[None]) & (share < 0.8), opening)
    gas = ndimage.binary_opening(light & (share < GAS), opening)
    parts, count = ndimage.label(light)
    across = body.sum(axis=(1, 2)).max()
    gassy = np.bincount(parts[gas], minlength=count + 1) / np.maximum(_sizes(parts), 1)
    # Lungs whose walls have gone hold much gas, too, yet they are large, and thicker than gas in most places.
    thin = (gassy > 0.1) & (_widest(parts, count) > 0.1 * across)
    thin[thin] = [np.median(share[parts == part]) > 0.03 for part in np.flatnonzero(thin)]
    bowel = (gassy > 0.2) & ~thin
    # What is within two pixels of gas looks like lung, for there gas and wall are mixed.
    near_gas, near_cavity = (ndimage.binary_dilation(one, disk(2)[None]) for one in (gas, _cavities(gas, share)))
    lung = light & ~near_cavity & (thin[parts] | ~(bowel[parts] | near_gas))
    parts, count = ndimage.label(ndimage.binary_opening(lung, opening))
    sizes = _sizes(parts)
    surely = (sizes > 0) & (_widest(parts, count) > 0.02 * across)
    if not surely.any():
        return np.zeros_like(body)
    # A lung full of lesions is in pieces: those of some size that lie in the same slices belong to it.
    within = np.flatnonzero(surely[parts].any(axis=(1, 2)))[[0, -1]]
    lung = (sizes >= 0.02 * sizes.max())[parts]
    lung[: within[0]], lung[within[1] + 1 :] = False, False
    return lung


def _cavities(gas: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What is gas alone far and wide, also where it touches a lung: a full stomach, or a chest whose lung collapsed."""
    parts, count = ndimage.label(ndimage.binary_opening(gas, disk(4)[None]))
    empty = ndimage.median(share, parts, np.arange(count + 1)) < 0.03
    return empty[parts] & (parts > 0)


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
    found = (sides == RIGHT, sides == LEFT)
    right, left = (behind(between(filled(lung)) & body, body) & body if lung.any() else lung for lung in found)
    taken = np.where(right & ~left, RIGHT, np.where(left & ~right, LEFT, 0))
    return np.where(sides > 0, sides, taken).astype(np.uint8)


def walls_behind(sides: np.ndarray, body: np.ndarray) -> dict[str, float]:
    """The share of the body's depth that lies behind each lung: in its median column, over all slices."""
    lungs = {name: sides == side for name, side in SIDES.items()}
    measured = {name: _wall(lung, body) for name, lung in lungs.items() if lung.any()}
    return {name: float(np.median(wall[wall < FAR]) / depth) for name, (wall, _, _, depth) in measured.items()}


def _wall(lung: np.ndarray, body: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Pixels from a lung's lowest row to the back, the two rows, each (slice, column), and the body's depth there."""
    rows = np.arange(lung.shape[1], dtype=np.int16)[None, :, None]
    lowest, back = (np.where(mask, rows, -1).max(axis=1) for mask in (lung, body))
    depth = np.median(body.any(axis=2).sum(axis=1)[lung.any(axis=(1, 2))])
    return np.where(lowest >= 0, back - lowest, FAR), lowest, back, depth


def filled(lung: np.ndarray, radius: int = 8) -> np.ndarray:
    """Slice by slice: holes filled, and bays closed that a disc of the radius does not fit into."""
    whole = lung.copy()
    box = ndimage.find_objects(lung.astype(np.uint8))[0]  # neither step reaches beyond it
    for slice_ in whole[box]:
        if slice_.any():
            wide = ndimage.binary_fill_holes(isotropic_closing(np.pad(slice_, radius + 1), radius))
            slice_[:] = wide[radius + 1 : -radius - 1, radius + 1 : -radius - 1]
    return whole


def between(lung: np.ndarray) -> np.ndarray:
    """And what has lung above and below it, at most a quarter of the lung's height apart."""
    used, height = np.flatnonzero(lung.any(axis=(1, 2))), len(lung)
    z = np.arange(height, dtype=np.int32)[:, None, None]
    below = np.maximum.accumulate(np.where(lung, z, -2 * height))
    above = np.minimum.accumulate(np.where(lung, z, 2 * height)[::-1])[::-1]
    return lung | (above - below <= max(1, (used[-1] - used[0]) // 4))


def behind(lung: np.ndarray, body: np.ndarray) -> np.ndarray:
    """And what fills it at the back, where consolidation gathers in a patient who lies.

    The wall behind a lung is nowhere much thicker than just above or below, but near the shoulders, where it thickens
    up to the top. Up to a quarter of the body's depth is taken back, and nothing under two pixels.
    """
    used = np.flatnonzero(lung.any(axis=(1, 2)))
    rows = np.arange(lung.shape[1])[None, :, None]
    wall, lowest, back, depth = _wall(lung, body)
    thin = ndimage.percentile_filter(wall, 20, size=(3, 5))
    # An opening along z cuts peaks and keeps what rises to an end: at the top it shall, at the foot it shall not.
    thin[np.maximum.accumulate(lowest, axis=0) < 0] = 0
    reach = int(0.6 * (used[-1] - used[0] + 1)) | 1
    thin = np.pad(np.pad(thin, ((0, reach), (0, 0)), constant_values=FAR), ((reach, 0), (0, 0)))
    usual = ndimage.grey_opening(thin, (reach, 1))[reach:-reach]
    missing = wall - usual
    taken = (lowest >= 0) & (missing >= 2) & (missing <= 0.25 * depth)
    return lung | (taken[:, None] & (rows > lowest[:, None]) & (rows <= (back - usual)[:, None]))
