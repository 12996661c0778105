"""A drawn head with a face, for the lesson on what a scan without a name still shows. It is nobody's."""

import numpy as np
from scipy import ndimage

PIXEL = 2.0  # mm along each side of a voxel

# Ellipsoids in mm: centre and radii along x (right), y (front) and z (up). One off the middle stands on either side.
HEAD = [(0, -5, 20, 72, 92, 85), (0, 25, -45, 56, 55, 68)]
FACE = [
    (0, 80, -8, 9, 16, 30), (0, 90, -28, 9, 17, 10), (10, 78, -31, 8, 12, 8),  # bridge, tip and wings of the nose
    (28, 79, 20, 26, 9, 7), (42, 52, -30, 24, 20, 26), (72, -10, -5, 9, 20, 30),  # brows, cheeks, ears
    (0, 76, -56, 24, 9, 5), (0, 75, -66, 20, 9, 6), (0, 63, -94, 22, 16, 14),  # lips, chin
]  # fmt: skip
SOCKETS, EYES = (34, 92, 4, 17, 14, 10), (32, 70, 4, 13, 13, 12)
SKULL, BRAIN = (0, -5, 22, 66, 85, 78), (0, -5, 22, 60, 79, 72)


def draw_head(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A CT of a head: int16 (x, y, z) in HU with noise, stored RAS+, and its affine in mm.

    >>> draw_head()[0].shape
    (90, 116, 121)
    """
    ends = ((-90, 90), (-110, 122), (-130, 112))
    x, y, z = np.meshgrid(*(np.arange(*end, PIXEL) for end in ends), indexing="ij", sparse=True)

    def ellipsoid(cx, cy, cz, rx, ry, rz):
        return (((abs(x) if cx else x) - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1

    soft = (np.hypot(x / 48, (y + 15) / 50) < 1) & (z < -40)  # the neck
    for part in HEAD + FACE:
        soft |= ellipsoid(*part)
    soft = soft & ~ellipsoid(*SOCKETS) | ellipsoid(*EYES)
    soft = ndimage.gaussian_filter(soft.astype(np.float32), 1.4) > 0.5
    hu = np.where(soft, 40, -1000)
    hu[ellipsoid(*SKULL) & soft] = 800
    hu[ellipsoid(*BRAIN)] = 35
    noise = np.random.default_rng(seed).normal(0, 12, hu.shape)
    affine = np.diag([PIXEL, PIXEL, PIXEL, 1.0])
    affine[:3, 3] = [end[0] for end in ends]
    return (hu + noise).astype(np.int16), affine


def deface(hu: np.ndarray) -> np.ndarray:
    """The same head with air in front of a plane from the brows down to the throat; brain and skull stay.

    Made for this head and its voxels. Scans of people need a program that finds the face first.
    """
    y, z = np.meshgrid(*(np.arange(size) for size in hu.shape[1:]), indexing="ij")
    cut = hu.copy()
    cut[:, (y - 88 > (z - 52) * 0.45) & (z < 78)] = -1000
    return cut
