"""In-plane resampling between a scan's own pixels and the square grid that a model was trained on.

The longer side of a slice is scaled to the grid, the shorter one padded with air on both sides, so that anatomy keeps
its proportions, also where pixels are not square. Pillow resamples.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from covidlab.data.volumes import Volume


@dataclass(frozen=True)
class GridFit:
    """How a slice of height x width lies on a square grid.

    Examples
    --------
    >>> fit = GridFit(128, 630, 401)
    >>> fit.inner_height, fit.inner_width, fit.top, fit.left
    (128, 81, 0, 23)
    >>> fit = GridFit(128, 315, 401, aspect=2.0)  # the same picture, every other row of it
    >>> fit.inner_height, fit.inner_width, fit.top, fit.left
    (128, 81, 0, 23)
    """

    size: int  # Pixels a side of the grid
    height: int  # Of the scan's slices, pixels
    width: int
    aspect: float = 1.0  # A pixel's height over its width; see `covidlab.data.volumes.Volume.pixel_aspect`

    @classmethod
    def of(cls, volume: Volume, size: int) -> "GridFit":
        """The place of a scan's slices on a grid of `size` pixels a side."""
        return cls(size, *volume.slice_shape, volume.pixel_aspect)

    def __post_init__(self):
        if min(self.size, self.height, self.width) < 1:
            raise ValueError(f"sides must be at least 1 pixel; found {self.size}, {self.height} x {self.width}")

    @property
    def inner_height(self) -> int:
        """Rows of the grid that the slice covers."""
        return self._scaled(self.height * self.aspect)

    @property
    def inner_width(self) -> int:
        """Columns of the grid that the slice covers."""
        return self._scaled(self.width)

    def _scaled(self, side: float) -> int:
        """Pixels of the grid for a side of the slice, given in widths of a pixel."""
        return max(1, round(side * self.size / max(self.height * self.aspect, self.width)))

    @property
    def top(self) -> int:
        """Rows of air above the slice."""
        return (self.size - self.inner_height) // 2

    @property
    def left(self) -> int:
        """Columns of air left of the slice."""
        return (self.size - self.inner_width) // 2

    @property
    def is_identity(self) -> bool:
        """Whether the slices already are on the grid."""
        return self.height == self.width == self.size and self.aspect == 1

    @property
    def _inner(self) -> tuple[slice, slice, slice]:
        """Where in (n, size, size) the slices lie."""
        rows, columns = slice(self.top, self.top + self.inner_height), slice(self.left, self.left + self.inner_width)
        return slice(None), rows, columns

    def to_grid(self, slices: np.ndarray) -> np.ndarray:
        """Slices, uint8 (n, height, width) -> uint8 (n, size, size); untouched where the grid is their own."""
        return slices if self.is_identity else np.rint(self._placed(slices)).astype(np.uint8)

    def mask_to_grid(self, masks: np.ndarray) -> np.ndarray:
        """Masks, 0/1 (n, height, width) -> uint8 0/1 (n, size, size).

        A pixel of the grid is lesion where lesion covers at least half of it, which keeps areas unbiased;
        nearest-neighbour would drop or keep thin lesions by chance.
        """
        masks = masks.astype(np.uint8)
        return masks if self.is_identity else (self._placed(masks) >= 0.5).astype(np.uint8)

    def from_grid(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities, float32 (n, size, size) -> float32 (n, height, width), the padding cropped off."""
        return probabilities if self.is_identity else _resample(probabilities[self._inner], self.height, self.width)

    def _placed(self, slices: np.ndarray) -> np.ndarray:
        placed = np.zeros((len(slices), self.size, self.size), np.float32)
        placed[self._inner] = _resample(slices, self.inner_height, self.inner_width)
        return placed


def _resample(slices: np.ndarray, height: int, width: int) -> np.ndarray:
    # Slice by slice, so that a large scan is never held as float32 whole before it has shrunk.
    resampled = np.empty((len(slices), height, width), np.float32)
    for k, slice_ in enumerate(slices):
        # Pixel centres are aligned. Growing interpolates linearly; shrinking averages with the same triangle, widened.
        picture = Image.fromarray(slice_.astype(np.float32))
        resampled[k] = picture.resize((width, height), Image.Resampling.BILINEAR)
    return resampled
