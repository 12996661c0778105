"""Lesions of a drawn chest: ground-glass, consolidation and mixed texture, patchy, mostly peripheral, posterior, basal.

A lesion is several patches that run into one another; some are bands under the pleura. Their borders are roughened by
smooth fields, and their reference is one contour round what an expert would see.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from covidlab.phantom.anatomy import Anatomy
from covidlab.phantom.shapes import Grid, SmoothField, step


class Patch(NamedTuple):
    """One patch of a lesion: an ellipsoid, or a band along the pleura."""

    centre: np.ndarray  # (x, y, z), mm
    radii: np.ndarray
    density: float  # HU that it tends to: about -500 ground-glass, about 0 consolidation
    core: float  # 0..1, how far the middle is consolidated
    paving: float  # HU of the lines of a crazy-paving pattern; 0 for none
    soft: float  # mm over which its border fades into the lung
    band: float  # mm, thickness of a band that follows the pleura; 0 for an ellipsoid


class Lesions:
    """The lesions of one scan: a list of patches, and `allowed`, which of its slices show one (bool array).

    `plan` is the scan's `covidlab.phantom.scans.ScanPlan`; `z` holds the heights of its slices and `thickness` is
    theirs, mm. A ValueError says that fewer slices show lung than are to be positive.
    """

    def __init__(self, plan, anatomy: Anatomy, z: np.ndarray, thickness: float):
        self.random = random = np.random.default_rng([plan.seed, plan.patient, plan.scan, 2])
        self.plan, self.anatomy, self.thickness = plan, anatomy, thickness
        self.broad, self.rough = SmoothField(random, 24), SmoothField(random, 9)
        self.lines, self.gaps = SmoothField(random, 6), SmoothField(random, 7)
        self.patches: list[Patch] = []
        # Choose the slices, then add lesions until each of them shows one, on a coarse copy of the lungs.
        sides = np.arange(-180, 181, 4.0)
        coarse = Grid(sides, sides, z, 4.0, thickness)
        rim, _, lungs = anatomy.spaces(coarse)
        # Mostly the lower and middle lung: the run of slices starts near the lungs' first good slice.
        usable = np.flatnonzero((lungs > 2).sum(axis=(1, 2)) > 25)
        if len(usable) < plan.positive:
            raise ValueError(f"{plan.positive} positive slices, but lungs in {len(usable)} only")
        first = int(random.uniform(0, 0.5) * (len(usable) - plan.positive))
        self.allowed = np.isin(np.arange(len(z)), usable[first : first + plan.positive])
        # Peripheral, posterior and basal preference.
        weight = (lungs > 1) * np.exp(-np.clip(rim, 0, None) / 14) * np.exp(0.02 * coarse.xyz[1]) + 0.01 * (lungs > 5)
        covered = ~self.allowed
        extra = int(round(plan.severity * 13 + random.integers(0, 3)))
        while not covered.all() or extra > 0:
            extra -= covered.all()
            k = int(random.choice(np.flatnonzero(self.allowed if covered.all() else ~covered)))
            flat = weight[k].ravel() / weight[k].sum()
            row, column = np.unravel_index(random.choice(flat.size, p=flat), weight[k].shape)
            patches = self._lesion(np.array([sides[column], sides[row], z[k]]), rim[k, row, column])
            near = np.flatnonzero((np.abs(z - z[k]) < 100 + thickness) & self.allowed)
            slab = replace(coarse, z=z[near])
            visible = (self._opacity(slab, rim[near], patches)[0] > 0.8) & (lungs[near] > 1)
            seen = visible.sum(axis=(1, 2)) >= 2
            if seen[near == k].any():
                self.patches += patches
                covered[near[seen]] = True

    def _lesion(self, centre: np.ndarray, depth: float) -> list[Patch]:
        """Patches about a centre that lies this deep (mm) under the chest wall."""
        random = self.random
        size = np.clip(np.exp(random.normal(np.log(6.5 + 24.5 * self.plan.severity), 0.47)), 7, 60)
        kind = random.uniform()
        # Small lesions are ground-glass.
        solid = kind < self.plan.consolidated and size > 15
        density = random.uniform(-150, 60) if solid else self.anatomy.parenchyma + random.uniform(360, 510)
        core = random.uniform(0.5, 1.0) if solid or (kind > 0.7 and size > 15) else 0.0
        paving = 0.0 if solid else random.choice([40.0, 130.0, 240.0])
        soft = random.uniform(5, 9) if solid else random.uniform(6, 12)
        band = random.uniform(7, 15) if depth < 14 and random.uniform() < 0.45 else 0.0
        patches = []
        for k in range(random.integers(1, 3 if band else 5)):
            radii = size * random.uniform(0.65, 1.3, 3) * ([1.7, 1.7, 1.0] if band else [1.0, 1.0, 0.8])
            radii *= (0.75 if solid else 1.0) * (1.0 if k == 0 else random.uniform(0.45, 0.9))
            radii[2] = max(radii[2], 0.8 * self.thickness)
            apart = random.normal(0, 0.8, 3) * size * (k > 0)
            hu = density + 50 * random.normal() * (k > 0)
            patches.append(Patch(centre + apart, radii, hu, core * random.uniform(0.7, 1.0), paving, soft, band))
        return patches

    def _opacity(self, grid: Grid, rim: np.ndarray, patches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Opacity 0..1, the HU it tends to, and the strength of paving lines, all (z, y, x)."""
        x, y, z = grid.xyz
        opacity, target, paving = (np.zeros(grid.shape, np.float32) for _ in range(3))
        rough = 0.26 * self.broad(grid) + 0.18 * self.rough(grid) + 0.09 * self.gaps(grid)
        for patch in patches:
            box = grid.box(patch.centre - 2.6 * patch.radii, patch.centre + 2.6 * patch.radii)
            (cx, cy, cz), (rx, ry, rz) = patch.centre, patch.radii
            apart = ((x[..., box[2]] - cx) / rx) ** 2 + ((y[:, box[1]] - cy) / ry) ** 2 + ((z[box[0]] - cz) / rz) ** 2
            if patch.band:
                apart = apart + (np.clip(rim[box], 0, None) / patch.band) ** 2
            depth = 1 - np.sqrt(apart) + rough[box]
            share = step(depth, -0.06, min(0.7, patch.soft / min(rx, ry, patch.band or rx)))
            hu = patch.density + patch.core * step(depth, 0.15, 0.6) * (60 - patch.density)
            stronger = share > opacity[box]
            target[box] = np.where(stronger, hu, target[box])
            paving[box] = np.where(stronger, patch.paving, paving[box])
            opacity[box] = np.maximum(opacity[box], share)
        return opacity, target, paving

    def paint(
        self, image: np.ndarray, lungs: np.ndarray, cavity: np.ndarray, grid: Grid, allowed: np.ndarray
    ) -> np.ndarray:
        """Add the lesions of a slab to its HU, where its slices may show any; returns the reference.

        Arrays (z, y, x): image (changed), lungs and cavity float32, as `covidlab.phantom.drawing.draw_chest` returns
        them; the reference bool. `allowed` has a bool for each slice.
        """
        opacity, target, paving = self._opacity(grid, cavity, self.patches)
        opacity *= grid.inside(lungs) * allowed[:, None, None]
        texture = self.broad(grid) + self.rough(grid) + self.gaps(grid)
        lines = np.clip(1 - np.abs(self.lines(grid)) / 0.25, 0, 1)
        hu = target + 50 * texture + paving * lines
        # Ground-glass veils the lung and leaves vessels to be seen; nothing gets darker. It is denser than the lung
        # around it, be that dense itself.
        added = opacity * np.maximum(hu - image, 150 * (image < -150))
        # The reference is one contour round what an expert would see. It takes in vessels, and the gaps of aerated
        # lung between the patches of a lesion.
        clear = ndimage.gaussian_filter(added, (0, 1, 1)) > 105
        gaps = step(self.gaps(grid) + 0.5 * self.rough(grid), 0.1, 0.8)
        gaps *= step(opacity, 0.4, 1) * step(-target, 150, 300)
        image += added * (1 - 0.65 * gaps)
        marked = ((clear & (opacity > 0.12)) | (opacity > 0.85)) & (lungs > 0)
        # Experts outline generously: about 1 mm of the lung around it.
        blur = 3 / grid.pixel
        marked = (ndimage.gaussian_filter(marked.astype(np.float32), (0, blur, blur)) > 0.35) & (lungs > 0)
        # Nobody outlines a speck.
        least = max(2, round(55 / grid.pixel**2))
        for outlined in marked:
            labels, _ = ndimage.label(outlined)
            outlined &= (np.bincount(labels.ravel()) >= least)[labels]
        return marked
