"""What a reader looks for in a chest CT of COVID-19 pneumonia, drawn one by one at the same place of one fine slice.

For teaching the words: each picture differs from the healthy one in a single finding. The shapes are drawn by rule and
teach what each word means, not how the disease looks; the phantom that models learn from is `covidlab.phantom.writing`.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from covidlab.phantom.anatomy import Anatomy
from covidlab.phantom.drawing import draw_chest
from covidlab.phantom.shapes import Grid, SmoothField, step

SIDE, PIXEL = 112.0, 0.7  # mm, of the square that is shown: fine enough for the lines of a crazy-paving pattern
LEFT, BOTTOM = np.array([-148.0, 88.0])  # mm: the outer and rear part of the right lung of patient 1
CENTRE = LEFT + 0.46 * SIDE, BOTTOM - 0.42 * SIDE  # of the lesion

GLASS, SOLID, FLUID = -480.0, 30.0, 10.0  # HU


class Finding(NamedTuple):
    """One finding in a part of a slice, in display orientation: the back is down, the patient's right on the left."""

    name: str
    hu: np.ndarray  # float32 (rows, columns)
    mask: np.ndarray  # bool of the same shape: the pixels that the finding changes; empty for healthy lung


def draw_findings() -> tuple[Finding, ...]:
    """Healthy lung, then ground-glass, crazy paving, consolidation and pleural changes at the same place.

    It is the back of one patient's right lung. Outside of its mask each equals the first.

    >>> [finding.name for finding in draw_findings()][:3]
    ['healthy lung', 'ground-glass opacity', 'crazy paving']
    """
    random, anatomy = np.random.default_rng([0, 1, 7]), Anatomy(0, 1)
    z = np.array([0.42 * anatomy.height])
    pixels = np.arange(0, SIDE, PIXEL)
    grid = Grid(LEFT + pixels, BOTTOM - SIDE + pixels, z, PIXEL, 1.5)
    hu, lungs, cavity = (array[0] for array in draw_chest(anatomy, grid))
    x, y, _ = (axis[0] for axis in grid.xyz)
    rough = SmoothField(random, 14)(grid)[0] + 0.5 * SmoothField(random, 6)(grid)[0]
    depth = 1 - np.hypot((x - CENTRE[0]) / 31, (y - CENTRE[1]) / 24) + 0.16 * rough
    share = step(depth, -0.05, 0.2) * grid.inside(lungs)
    grain = gaussian_filter(random.standard_normal(hu.shape), 0.8)
    grain *= 14 / grain.std()
    glass = GLASS + 35 * rough
    pictures = {
        "healthy lung": hu,
        "ground-glass opacity": _veil(hu, share, glass),
        "crazy paving": _veil(hu, share, glass + 280 * _net(random, x, y)),
        "consolidation": _consolidation(hu, share, rough, x, y),
        "pleural changes": _pleura(hu, lungs, cavity, rough, x, y),
    }
    healthy, findings = gaussian_filter(hu, 0.6), []
    for name, picture in pictures.items():
        blurred = gaussian_filter(picture, 0.6)
        mask = np.abs(blurred - healthy) > 40
        findings.append(Finding(name, (np.where(mask, blurred, healthy) + grain).astype(np.float32), mask))
    return tuple(findings)


def _veil(hu, share, target):
    """Add density where the lung is thinner than the target; vessels are denser and stay as they are."""
    return hu + share * np.clip(target - hu, 0, None)


def _net(random, x, y):
    """0..1: thin lines between the cells that points about 8 mm apart divide the plane into."""
    here = np.stack(np.broadcast_arrays(x, y), axis=-1)
    across, down = (np.arange(a - 10, b + 10, 8.0) for a, b in zip(here[0, 0], here[-1, -1]))
    points = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    apart, _ = cKDTree(points + random.normal(0, 2.2, points.shape)).query(here, k=2)
    return np.clip(1.6 - np.diff(apart)[..., 0], 0, 1)


def _consolidation(hu, share, rough, x, y):
    """Air spaces filled: vessels cannot be seen any more, but an airway full of air can."""
    drawn = hu + step(share, 0.2, 0.7) * (SOLID + 12 * rough - hu)
    for bend, reach in ((0.10, 30.0), (-0.55, 16.0)):
        along = np.clip(x - (CENTRE[0] - 8), 0, reach)
        off = np.hypot(x - (CENTRE[0] - 8) - along, y - CENTRE[1] - bend * along - 0.006 * along**2)
        airway = np.clip((0.8 + 0.035 * along - off) / PIXEL + 0.5, 0, 1) * (share > 0.5)
        drawn = drawn + airway * (-900 - drawn)
    return drawn


def _pleura(hu, lungs, cavity, rough, x, y):
    """The skin around the lung thickened, and a little fluid under it at the back, where it sinks to."""
    inside = np.clip(lungs / PIXEL + 0.5, 0, 1)
    thick = 4.5 + 1.2 * rough
    layer = np.clip((thick - cavity) / PIXEL + 0.5, 0, 1) * inside * step(y, BOTTOM - 0.75 * SIDE, BOTTOM - 0.6 * SIDE)
    drawn = hu + layer * (SOLID + 10 - hu)
    # A crescent: deepest at the lowest point.
    fluid = np.clip((y - (BOTTOM - 36) - 0.004 * (x - x.mean()) ** 2 + rough) / PIXEL + 0.5, 0, 1) * inside
    return drawn + fluid * (FLUID + 5 * rough - drawn)
