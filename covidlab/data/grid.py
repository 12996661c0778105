"""In-plane resampling between a scan's own pixels and the square grid that a model was trained on.

The longer side of a slice is scaled to the grid, the shorter one padded with air on both sides, so that anatomy keeps
its proportions, also where pixels are not square. Pillow resamples.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from covidlab.data.volumes import Volume

WHOLE = (slice(None), slice(None))  # Rows and columns


@dataclass(frozen=True)
class GridFit:
    """How a slice of height x width lies on a square grid.

    >>> GridFit(128, 630, 401).place
    (slice(0, 128, None), slice(23, 104, None))
    >>> GridFit(128, 315, 401, aspect=2.0).covered  # the same picture, every other row of it
    (128, 81)
    """

    size: int  # Pixels a side of the grid
    height: int  # Of the scan's slices, pixels
    width: int
    aspect: float = 1.0  # A pixel's height over its width; see `covidlab.data.volumes.Volume.pixel_aspect`

    @classmethod
    def of(cls, volume: Volume, size: int, window: tuple[slice, slice] = WHOLE) -> "GridFit":
        """The place of a scan's slices, or of some rows and columns of them, on a grid of `size` pixels a side."""
        return cls(size, *volume.to_display(volume.voxels)[:, *window].shape[1:], volume.pixel_aspect)

    def __post_init__(self):
        if min(self.size, self.height, self.width) < 1:
            raise ValueError(f"sides must be at least 1 pixel; found {self.size}, {self.height} x {self.width}")

    @property
    def covered(self) -> tuple[int, ...]:
        """How many rows and columns of the grid the slice covers."""
        sides = (self.height * self.aspect, self.width)  # in widths of a pixel
        return tuple(max(1, round(side * self.size / max(sides))) for side in sides)

    @property
    def place(self) -> tuple[slice, ...]:
        """Which rows and columns they are; as much air is on their one side as on the other."""
        return tuple(slice((self.size - side) // 2, (self.size - side) // 2 + side) for side in self.covered)

    @property
    def is_identity(self) -> bool:
        """Whether the slices already are on the grid."""
        return self.height == self.width == self.size and self.aspect == 1

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
        return probabilities if self.is_identity else _resample(probabilities[:, *self.place], self.height, self.width)

    def _placed(self, slices: np.ndarray) -> np.ndarray:
        placed = np.zeros((len(slices), self.size, self.size), np.float32)
        placed[:, *self.place] = _resample(slices, *self.covered)
        return placed


def _resample(slices: np.ndarray, height: int, width: int) -> np.ndarray:
    # Slice by slice, so that a large scan is never held as float32 whole before it has shrunk.
    resampled = np.empty((len(slices), height, width), np.float32)
    for k, slice_ in enumerate(slices):
        # Pixel centres are aligned. Growing interpolates linearly; shrinking averages with the same triangle, widened.
        picture = Image.fromarray(slice_.astype(np.float32))
        resampled[k] = picture.resize((width, height), Image.Resampling.BILINEAR)
    return resampled
