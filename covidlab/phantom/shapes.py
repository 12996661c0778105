"""Tools for drawing: a grid in mm, smooth fields, courses with a radius, soft edges."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain, pairwise

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline

Box = tuple[slice, slice, slice]  # of a (z, y, x) array


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a slab lie, in mm: x to the patient's left, y to the back, z to the head."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    pixel: float
    thickness: float

    @cached_property
    def xyz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Broadcastable float32 coordinates of a (z, y, x) array."""
        x, y, z = (axis.astype(np.float32) for axis in (self.x, self.y, self.z))
        return x[None, None], y[None, :, None], z[:, None, None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a (z, y, x) array."""
        return len(self.z), len(self.y), len(self.x)

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """The share of each voxel that is inside, from a signed distance in mm (positive inside)."""
        return np.clip(distance / self.pixel + 0.5, 0, 1)

    def box(self, low: np.ndarray, high: np.ndarray) -> Box:
        """The part of the slab between two corners (x, y, z), mm; it may be empty."""
        ends = zip((self.z, self.y, self.x), low[::-1], high[::-1])
        return tuple(slice(*np.searchsorted(places, span)) for places, *span in ends)


class SmoothField:
    """Random numbers that vary smoothly in space, about 1 in size: what makes no two outlines the same.

    A lattice of normal numbers with cubic B-splines between; on a regular grid that is three matrix products. They are
    done slice by slice, so that a slice's numbers do not depend on the slab that it is drawn in, and with sparse
    matrices: four weights in a row count, and a linear algebra library's threads would fight those of other scans.
    """

    def __init__(self, random: np.random.Generator, cell: float):
        self.cell = cell
        self.origin = np.array([-80.0, -260.0, -260.0])
        size = np.ceil(np.array([460.0, 520.0, 520.0]) / cell).astype(int) + 4
        self.values = random.standard_normal(size).astype(np.float32) * 1.7
        self._drawn = None, None

    def __call__(self, grid: Grid) -> np.ndarray:
        """float32 (z, y, x), not to be changed: several organs of a slab share it."""
        if self._drawn[0] is not grid:
            heights, rows, columns = (self._weights(axis, at) for axis, at in enumerate((grid.z, grid.y, grid.x)))
            drawn = np.empty(grid.shape, np.float32)
            for k, weights in enumerate(heights.toarray()):
                plane = sum(weights[near] * self.values[near] for near in np.flatnonzero(weights))
                drawn[k] = rows @ plane @ columns.T
            self._drawn = grid, drawn
        return self._drawn[1]

    def _weights(self, axis: int, places: np.ndarray) -> sparse.csr_array:
        knots = np.arange(-2.0, self.values.shape[axis] + 2)
        return BSpline.design_matrix((places - self.origin[axis]) / self.cell + 1, knots, 3).astype(np.float32)


def distances(courses: Iterable[np.ndarray], grid: Grid, reach: float) -> Iterator[tuple[Box, np.ndarray]]:
    """Of each piece of courses the box of the slab within reach (mm), empty where it is far, and the signed distances
    there. A course is rows (x, y, z, radius), mm; a piece is a cone with round ends, from one row to the next."""
    x, y, z = grid.xyz
    for (*start, first), (*end, last) in chain.from_iterable(map(pairwise, courses)):
        start, end, margin = np.array(start), np.array(end), max(first, last) + reach
        box = grid.box(np.minimum(start, end) - margin, np.maximum(start, end) + margin)
        apart = x[..., box[2]] - start[0], y[:, box[1]] - start[1], z[box[0]] - start[2]
        way = (end - start).astype(np.float32)
        along = np.clip(sum(a * w for a, w in zip(apart, way)) / max(float(way @ way), 1e-6), 0, 1)
        off = np.sqrt(sum((a - along * w) ** 2 for a, w in zip(apart, way)))
        yield box, first + (last - first) * along - off


def step(value, low: float, high: float):
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(value, centre: float, width: float):
    """1 at the centre, 0 far from it."""
    return np.exp(-(((value - centre) / width) ** 2))


def over(image: np.ndarray, share: np.ndarray, hu) -> None:
    """Paint a tissue over the image where its share is above 0."""
    image += share * (hu - image)


def norm(x, y, power):
    """1 on the border of a rounded rectangle of half sides 1, an ellipse where the power is 2."""
    return (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)


def ellipse(x, y, cx, cy, rx, ry):
    """About the signed distance to an ellipse, mm, positive inside."""
    return (1 - np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)) * np.minimum(rx, ry)


def meet(*bodies):
    """The part that bodies have in common: the least of their signed distances."""
    return reduce(np.minimum, bodies)


def join(a, b, soft: float):
    """The union of two bodies, its inner edge filled as by a fillet of about this many mm."""
    overlap = np.clip(soft - np.abs(a - b), 0, None)
    return np.maximum(a, b) + overlap * overlap / (4 * soft)
