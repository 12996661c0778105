"""A synthetic chest CT with lesions, in HU, written as NIfTI in the published record's layout.

The course needs data that anyone may clone, so its default patients are drawn: body, ribs, spine, heart, airways,
lungs with branching vessels, domes of the diaphragm, table, noise; lesions of ground-glass, consolidation and mixed
texture, mostly peripheral, posterior and basal; and much that looks like a lesion and is none. Geometry is in
millimetres and evaluated on any grid, slab by slab. It teaches methods; it says nothing about disease.

The lesion statistics follow the record's ten Radiopaedia cases; `python -m covidlab.phantom_report` prints both.
"""

import json
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from covidlab.errors import CovidlabError
from covidlab.progress import Progress, silent

MARKER = "phantom.json"
VERSION = 2  # raise it whenever the drawn voxels change: cohorts of another version are made anew
IMAGES, MASKS, LUNGS = "COVID-19-CT-Seg_20cases", "Infection_Mask", "Lung_Mask"  # the record's folder names


@dataclass(frozen=True)
class ScanPlan:
    """What one scan of the phantom is to be.

    Parameters
    ----------
    name : str
        ``phantom_<patient>_<scan>``.
    seed, patient, scan : int
        Of the cohort, and the numbers in the name; the same patient has the same anatomy.
    slices, positive : int
        How many, and how many of them show a lesion: hit exactly.
    rows, columns : int
        Pixels; the field of view is as wide as the columns and as high as the rows.
    severity : float in 0..1
        From a few small lesions to most of the lower lungs.
    consolidated : float in 0..1
        Share of consolidations among the lesions; some patients have mostly these, as one of the record's has.
    """

    name: str
    seed: int
    patient: int
    scan: int
    slices: int
    positive: int
    rows: int
    columns: int
    severity: float
    consolidated: float


@dataclass(frozen=True)
class Scan:
    """A drawn scan, stored RAS+: x to the patient's right, y to the front, z to the head.

    Parameters
    ----------
    image : int16 array (x, y, z), HU
    mask, lungs : uint8 arrays (x, y, z)
        1 in lesions; 1 in lungs, lesions included.
    affine : float array (4, 4), mm
    """

    image: np.ndarray
    mask: np.ndarray
    lungs: np.ndarray
    affine: np.ndarray


def cohort_plans(profile: str = "lesson", seed: int = 0) -> tuple[ScanPlan, ...]:
    """The ten scans of a cohort: nine patients, one scanned twice, one case nearly empty.

    Parameters
    ----------
    profile : "lesson" or "paper"
        128 x 128 pixels and 364 slices; or the record's 939 slices of 630 x 630, one volume 630 x 401.
    seed : int

    Returns
    -------
    tuple of ScanPlan
    """
    if profile == "lesson":
        slices = (39, 36, 32, 44, 38, 34, 30, 36, 33, 42)
        positive = (26, 30, 11, 18, 29, 20, 2, 12, 21, 22)
        sides = [(128, 128)] * 10
    elif profile == "paper":
        slices = (39, 45, 39, 418, 110, 66, 42, 42, 45, 93)
        positive = (26, 41, 14, 147, 103, 44, 2, 9, 34, 72)
        sides = [(630, 630)] * 4 + [(401, 630)] + [(630, 630)] * 5
    else:
        raise ValueError(f"unknown profile {profile!r}: use lesson or paper")
    patients = (1, 2, 3, 3, 4, 5, 6, 7, 8, 9)
    scans = (1, 1, 1, 2, 1, 1, 1, 1, 1, 1)
    severity = (0.8, 0.55, 0.35, 0.4, 0.75, 0.4, 0.0, 0.2, 0.25, 1.0)
    consolidated = (0.1, 0.05, 0.2, 0.2, 0.1, 0.5, 0.1, 0.25, 0.2, 0.08)
    return tuple(
        ScanPlan(f"phantom_{p:02d}_{k}", seed, p, k, n, m, rows, columns, s, c)
        for p, k, n, m, (rows, columns), s, c in zip(patients, scans, slices, positive, sides, severity, consolidated)
    )


# --- tools for drawing


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
        """Broadcastable coordinates of a (z, y, x) array."""
        shape = np.float32
        return (
            self.x[None, None].astype(shape),
            self.y[None, :, None].astype(shape),
            self.z[:, None, None].astype(shape),
        )

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """The share of each voxel that is inside, from a signed distance in mm (positive inside)."""
        return np.clip(distance / self.pixel + 0.5, 0, 1)


class SmoothField:
    """Random numbers that vary smoothly in space, about 1 in size: what makes no two outlines the same.

    A lattice of normal numbers with cubic B-splines between; on a regular grid that is three matrix products.
    """

    def __init__(self, random: np.random.Generator, cell: float, stretch_z: float = 1.0):
        self.cells = np.array([cell * stretch_z, cell, cell])
        self.origin = np.array([-80.0, -260.0, -260.0])
        size = np.ceil((np.array([460.0, 520.0, 520.0])) / self.cells).astype(int) + 4
        self.values = random.standard_normal(size).astype(np.float32) * 1.7

    def __call__(self, grid: Grid) -> np.ndarray:
        """float32 (z, y, x)."""
        return np.einsum(
            "zc,cyx->zyx", self._weights(0, grid.z),
            np.einsum("yb,cbx->cyx", self._weights(1, grid.y),
                      np.einsum("xa,cba->cbx", self._weights(2, grid.x), self.values, optimize=True), optimize=True),
            optimize=True,
        )  # fmt: skip

    def _weights(self, axis: int, places: np.ndarray) -> np.ndarray:
        position = (places - self.origin[axis]) / self.cells[axis] + 1
        offset = np.abs(position[:, None] - np.arange(self.values.shape[axis])[None])
        near = 2 / 3 - offset**2 + offset**3 / 2
        far = np.clip(2 - offset, 0, None) ** 3 / 6
        return np.where(offset < 1, near, far).astype(np.float32)


def _step(value, low: float, high: float):
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _over(image: np.ndarray, share: np.ndarray, hu) -> None:
    """Paint a tissue over the image where its share is above 0."""
    image += share * (hu - image)


def _ellipse(x, y, cx, cy, rx, ry):
    """About the signed distance to an ellipse, mm, positive inside."""
    return (1 - np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)) * min(np.min(rx), np.min(ry))


# --- a patient


class Anatomy:
    """One patient: sizes drawn once, and functions that say where each organ is."""

    def __init__(self, plan: ScanPlan):
        random = np.random.default_rng([plan.seed, plan.patient, 1])
        u = random.uniform
        self.width, self.depth = u(150, 178), u(100, 124)  # half, of the body
        self.squareness = u(2.2, 2.7)
        self.fat, self.muscle = u(6, 20), u(9, 14)
        self.height = u(205, 250)  # of the lungs
        self.mediastinum = u(20, 28)
        self.heart = (u(16, 26), u(-34, -24), u(54, 64), u(44, 52), u(46, 56))  # x, y, half sizes
        self.domes = (u(58, 80), u(48, 68))  # right and left, mm above the recess
        self.rib_spacing, self.rib_drop, self.rib_phase = u(25, 31), u(55, 85), u(0, 30)
        self.blood = random.choice([45.0, 50.0, 100.0, 140.0])  # with or without contrast medium
        self.parenchyma = u(-890, -760)  # how deeply the patient breathed in
        self.dependent = u(90, 170)  # HU that gravity adds at the back
        self.stomach_air = u(0, 1)
        self.breast = u(6, 16) * (u(0, 1) < 0.6)
        self.outline, self.wall, self.lung_outline = (SmoothField(random, cell) for cell in (95, 50, 42))
        self.fat_field, self.marrow = SmoothField(random, 60), SmoothField(random, 12)
        self.mosaic, self.fine = SmoothField(random, 38), SmoothField(random, 9)
        self.organ = SmoothField(random, 45)
        self.fissure = SmoothField(random, 70)
        self.vessels = np.concatenate([_vessel_tree(self, side, random) for side in (-1, 1)])
        self.bands = [
            (u(-1, 1), u(0.05, 0.3), u(-0.5, 0.5), u(-0.4, 0.4), u(20, 45)) for _ in range(random.integers(1, 5))
        ]

    def cavity_sides(self, t):
        """Half width, half depth and centre of the rib cage's inside at relative lung height t."""
        narrow = 1 - 0.62 * np.clip((t - 0.45) / 0.6, 0, 1.1) ** 2.1
        width = (self.width - self.fat - self.muscle - 12) * narrow
        depth = (self.depth - 0.8 * self.fat - self.muscle - 10) * narrow**0.55
        return width, depth, 4 + 10 * np.clip(t - 0.6, 0, 1)

    def dome(self, x, y):
        """Height of the diaphragm, mm: two domes, falling towards the back and the sides."""
        right, left = self.domes
        shape = lambda cx, top: top * np.clip(1 - ((x - cx) / 92) ** 2 - ((y + 18) / 120) ** 2, -0.4, 1)  # noqa: E731
        return np.maximum(shape(-68.0, right), shape(66.0, left))


def _vessel_tree(anatomy: Anatomy, side: int, random: np.random.Generator) -> np.ndarray:
    """Points (x, y, z, radius) along the branching vessels of one lung, from the hilum outwards, mm."""
    height = anatomy.height
    hilum = np.array([side * 30.0, 8.0, 0.47 * height])
    stems = [(hilum, random.normal(0, 1, 3), random.uniform(2.4, 5.4), 0) for _ in range(60)]
    points = []
    while stems:
        start, heading, radius, depth = stems.pop()
        # The first generation fans out; later ones keep their way, bent.
        aim = np.array([side * random.uniform(0.2, 1), random.uniform(-0.9, 0.9), random.uniform(-1.3, 1.2)])
        heading = heading * 0.75 + aim * (1.0 if depth == 0 else 0.35)
        heading /= np.linalg.norm(heading)
        length = 3 + radius * random.uniform(3.5, 6.5)
        steps = np.arange(0, length, max(0.8, radius / 3))[:, None]
        bend = random.normal(0, 0.014, 3)
        path = start + heading * steps + bend * steps**2
        radii = np.linspace(radius, radius * 0.82, len(path))[:, None]
        points.append(np.hstack([path, radii]))
        if depth < 10 and radius > 0.5:
            for share in (random.uniform(0.74, 0.86), random.uniform(0.5, 0.76)):
                stems.append((path[-1], heading + random.normal(0, 0.5, 3), radius * share, depth + 1))
    return np.concatenate(points)


# --- one slab of a scan


def _draw_slab(anatomy: Anatomy, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU without lesions, lung distance (mm, positive inside) and distance to the lung's rim at the rib cage."""
    a = anatomy
    x, y, z = grid.xyz
    t = z / a.height
    image = np.full((len(grid.z), len(grid.y), len(grid.x)), -1000, np.float32)
    _table(image, grid, a)
    wall = a.wall(grid)
    body = _body(image, grid, a, t)
    width, depth, centre = a.cavity_sides(t)
    ring = (np.abs(x / width) ** 2.25 + np.abs((y - centre) / depth) ** 2.25) ** (1 / 2.25)
    cavity = (1 - ring) * depth + 2.2 * wall
    # Muscle wraps the rib cage; the arms are up, so shoulders join it near the apex.
    _over(image, grid.inside(np.minimum(cavity + a.muscle + 8 + 5 * wall, body - 4)), 52 + 6 * a.organ(grid))
    _shoulders(image, grid, a, t, body)
    lungs = _lungs(grid, a, t, cavity)
    _contents(image, grid, a, t, cavity)
    _ribs_and_sternum(image, grid, a, t, cavity, body)
    _over(image, grid.inside(lungs), _parenchyma(grid, a, t, lungs, depth, centre))
    _spine(image, grid, a, body)
    _airways(image, grid, a)
    _lung_vessels(image, grid, a, lungs)
    return image, lungs, cavity


def _table(image, grid, a):
    x, y, _ = grid.xyz
    surface = a.depth + 7 - 20 * (x / 200) ** 2
    for offset, hu in ((0, -350), (16, -500)):
        share = np.clip(1 - np.abs(y - surface - offset) / max(grid.pixel, 1.8), 0, 1) * (np.abs(x) < 205)
        _over(image, share + 0 * image, hu)


def _body(image, grid, a, t):
    x, y, _ = grid.xyz
    shoulders = 1 + 0.10 * _step(t, 0.8, 1.05)
    width, depth = a.width * shoulders, a.depth * (1 - 0.14 * _step(t, 0.6, 1.1))
    power = a.squareness
    # The back is flatter than the chest, and the breasts lie in front.
    flat = y * np.where(y > 0, 1.0, 1.06)
    ring = (np.abs(x / width) ** power + np.abs(flat / depth) ** power) ** (1 / power)
    body = (1 - ring) * depth + 4.5 * a.outline(grid) - 7 * np.exp(-((x / 26) ** 2)) * _step(y, 0, 40)
    for side in (-1, 1):
        if a.breast:
            breast = _ellipse(x, y, side * 72, -a.depth * 0.72, 66, 0.28 * a.depth + 0.6 * a.breast)
            body = np.maximum(body, breast + 3 * a.outline(grid) - 120 * np.clip(np.abs(t - 0.42) - 0.22, 0, 1))
    _over(image, grid.inside(body), 20)  # skin
    _over(image, grid.inside(body - 2.2), -100 + 9 * a.fat_field(grid))
    _over(
        image,
        grid.inside(body - a.fat - 2.5 * a.fat_field(grid) - 0.7 * a.breast * _step(-y, 30, 60)),
        50 + 6 * a.organ(grid),
    )
    return body


def _shoulders(image, grid, a, t, body):
    """Shoulder blades beside the upper ribs, collar bones and heads of the arms at the top."""
    x, y, _ = grid.xyz
    for side in (-1, 1):
        across, along = (side * x - 98) * 0.77 + (y - 62) * 0.64, -(side * x - 98) * 0.64 + (y - 62) * 0.77
        blade = np.minimum(3.4 - np.abs(along + 0.006 * across**2), 38 - np.abs(across)) * np.ones_like(t)
        blade = np.minimum(blade, 90 * np.minimum(t - 0.5, 1.2 - t))
        _bone(image, grid, a, np.minimum(blade, body - 7), 2.0)
        collar = np.minimum(
            5 - np.hypot(y + 52 - 0.28 * (side * x - 60), (t - 0.97) * a.height - 0.1 * (side * x)),
            46 - np.abs(side * x - 66),
        )
        _bone(image, grid, a, np.minimum(collar, body - 6), 2.0)


def _lungs(grid, a, t, cavity):
    """Signed distance to the lungs: inside the cage, above the diaphragm, beside the mediastinum."""
    x, y, z = grid.xyz
    rough = a.lung_outline(grid)
    # Waist of the mediastinum: narrow in front, where the lungs nearly meet, wide at the hila and above.
    half = a.mediastinum * (0.5 + 0.5 * _step(y, -60, -5)) + 14 * np.exp(-(((t - 0.48) / 0.09) ** 2)) * np.exp(
        -(((y - 6) / 24) ** 2)
    )
    half = half + 4 * _step(t, 0.62, 0.9) + 5 * rough
    mediastinum = half - np.abs(x - 3)
    spine = _ellipse(x, y, 0, a.depth - a.fat * 0.8 - 52, 25, 27) * np.ones_like(t)
    above = (z - a.dome(x, y) - 5 * rough) * 0.75
    d = np.minimum(cavity - 1.5 + 0 * rough, above)
    for other in (mediastinum, spine, _heart(grid, a) + 2.5):
        d = np.minimum(d, -other)
    return np.minimum(d, (1.0 - t) * 40 + 1.5 * rough)


def _heart(grid, a):
    x, y, z = grid.xyz
    cx, cy, rx, ry, rz = a.heart
    turned_x, turned_y = (x - cx) * 0.82 + (y - cy) * 0.57, -(x - cx) * 0.57 + (y - cy) * 0.82
    middle = 0.27 * a.height
    return (1 - np.sqrt((turned_x / rx) ** 2 + (turned_y / ry) ** 2 + ((z - middle) / (rz * 1.15)) ** 2)) * ry


def _contents(image, grid, a, t, cavity):
    """Mediastinal fat, heart, great vessels; below the diaphragm liver, stomach and spleen."""
    x, y, z = grid.xyz
    organ = a.organ(grid)
    inside = grid.inside(cavity)
    _over(image, inside, -85 + 12 * organ)
    # What is solid under the domes fades in over a slice's thickness: the partial volume that mimics a lesion.
    below = np.clip((a.dome(x, y) - z) / grid.thickness + 0.5, 0, 1) * inside
    _over(image, below, -95 + 8 * organ)
    liver = np.minimum(cavity - 5, 55 - x + 0.35 * y + 6 * organ)
    _over(image, below * grid.inside(liver), 58 + 3 * organ)
    spleen = np.minimum(_ellipse(x, y, 88, 38, 42, 30) + 3 * organ, cavity - 5)
    _over(image, below * grid.inside(spleen), 50)
    stomach = np.minimum(_ellipse(x, y, 66, -28, 44, 32) + 4 * organ, cavity - 7)
    _over(image, below * grid.inside(stomach), 25)
    bubble = np.minimum(stomach - 5, -34 + 14 * a.stomach_air - y)
    _over(image, below * grid.inside(bubble), -930)

    heart = _heart(grid, a) + 2.5 * organ
    _over(image, grid.inside(heart) * inside, 42 + 6 * organ)
    chamber = _ellipse(x, y, a.heart[0] + 8, a.heart[1] + 4, 30, 22) + 5 * organ - 40 * (np.abs(t - 0.27) > 0.14)
    _over(image, grid.inside(np.minimum(chamber, heart - 9)), 0.85 * a.blood + 6)
    high = _step(t, 0.30, 0.42)
    back = a.depth - a.fat * 0.8 - 52
    for share, cx, cy, r in (
        (1 - _step(t, 0.72, 0.76) + 0 * x, 21, back - 18, 12.5),  # descending aorta
        (high * (1 - _step(t, 0.70, 0.76)), -14, -22, 16),  # ascending aorta
        (high * (1 - _step(t, 0.95, 1.0)), -27, -8, 9.5),  # superior vena cava
        (high * (1 - _step(t, 0.54, 0.58)), 14, -26, 14),  # pulmonary trunk
        (_step(t, 0.72, 0.78), -13, -10, 6), (_step(t, 0.72, 0.78), 11, -2, 5.5), (_step(t, 0.72, 0.78), 3, -16, 6),
    ):  # fmt: skip
        _over(image, share * grid.inside(_ellipse(x, y, cx, cy, r, r) + 1.2 * organ), a.blood)
    arch = _ellipse(x, y - 0.9 * x, 4, -2, 13, 40) - 60 * np.abs(t - 0.735) * (np.abs(t - 0.735) > 0.035)
    _over(image, grid.inside(np.minimum(arch, (0.04 - np.abs(t - 0.735)) * a.height)), a.blood)
    # The pulmonary arteries cross to both hila.
    cross = 8 - np.hypot(y - 3 + 0.002 * x**2, (t - 0.50) * a.height)
    _over(image, grid.inside(np.minimum(cross, 46 - np.abs(x))), a.blood)
    _over(image, grid.inside(_ellipse(x, y, 4, back - 30, 7, 5) + 0 * t), 35)  # oesophagus


def _bone(image, grid, a, distance, cortex):
    """Dense outside, marrow inside."""
    _over(image, grid.inside(distance), 480)
    _over(image, grid.inside(distance - cortex), 150 + 40 * a.marrow(grid))


def _ribs_and_sternum(image, grid, a, t, cavity, body):
    x, y, z = grid.xyz
    # A rib falls from the spine to the front, so that an axial slice cuts several, each a short way along.
    round_the_chest = np.abs(np.arctan2(x, y))  # 0 at the back, pi at the sternum
    phase = (
        z + a.rib_drop * 1.25 * (1 - np.cos(0.8 * round_the_chest)) + a.rib_phase + 2 * a.wall(grid)
    ) % a.rib_spacing
    along_z = 5.2 - np.abs(phase - a.rib_spacing / 2)
    rib = np.minimum(3.8 - np.abs(cavity + 6.5), along_z)
    rib = np.minimum(rib, (2.62 - round_the_chest) * 60)  # in front it is cartilage
    _bone(image, grid, a, np.minimum(rib, body - 5), 1.7)
    cartilage = np.minimum(np.minimum(4.4 - np.abs(cavity + 6.5), along_z), (round_the_chest - 2.6) * 60)
    _over(image, grid.inside(np.minimum(cartilage, body - 5)), 110)
    _, depth, centre = a.cavity_sides(t)
    sternum = np.minimum(_ellipse(x, y, 0, centre - depth - 6, 19, 6.5), 80 * np.minimum(t - 0.12, 0.86 - t))
    _bone(image, grid, a, np.minimum(sternum, body - 5), 1.8)


def _spine(image, grid, a, body):
    x, y, z = grid.xyz
    back = a.depth - a.fat * 0.8 - 52
    level = (z + a.rib_phase) % 26
    disc = np.clip(1.5 - np.abs(level - 3) / 2.5, 0, 1)
    front = np.minimum(_ellipse(x, y, 0, back, 18, 15), 12 + 0.6 * (back + 12 - y)) + 0 * z
    _over(image, grid.inside(front), 420 - 330 * disc)
    _over(image, grid.inside(front - 2.2), 185 + 45 * a.marrow(grid) - 100 * disc)
    rear = back + 22
    arch = 4 - np.abs(np.hypot(x, (y - rear) * 1.1) - 12)
    sides = np.minimum(4 - np.abs(y - rear - 2 - 0.18 * np.abs(x)), 36 - np.abs(x))
    sides = np.minimum(sides, 7 - np.abs(level - 15))
    spinous = np.minimum(3.4 - np.abs(x), np.minimum(y - rear - 8, rear + 36 - y)) + 0 * z
    for part in (arch + 0 * z, sides, np.minimum(spinous, 9 - np.abs(level - 11))):
        _bone(image, grid, a, np.minimum(part, body - 5), 1.7)
    _over(image, grid.inside(_ellipse(x, y, 0, rear, 9.5, 8.5) + 0 * z), 28)


def _airways(image, grid, a):
    x, y, z = grid.xyz
    carina = 0.60 * a.height
    trunk = np.where(z > carina, np.hypot(x, (y - 8 + 0.05 * (z - carina)) * 1.05), np.inf)
    under = np.clip(carina - z, 0, None)
    tubes = [(trunk, 9.0)]
    for side, spread, radius in ((-1, 0.62, 7.5), (1, 0.95, 6.6)):
        centre_x, centre_y = side * (6 + spread * under), 8 + 0.16 * under
        tubes.append((np.where((z <= carina + 6) & (under < 48), np.hypot(x - centre_x, y - centre_y), np.inf), radius))
    for distance, radius in tubes:
        _over(image, grid.inside(radius + 1.8 - distance), 10)
    for distance, radius in tubes:
        _over(image, grid.inside(radius - distance), -985)


def _parenchyma(grid, a, t, lungs, depth, centre):
    """HU of the lung itself: texture, gravity, uneven aeration, fissures, bands and the heart's motion."""
    x, y, z = grid.xyz
    mosaic, fine = a.mosaic(grid), a.fine(grid)
    hu = a.parenchyma + 16 * fine + 20 * mosaic + 90 * np.clip(mosaic - 0.5, 0, 2)
    to_back = np.clip((y - centre) / depth, -1, 1)
    hu = hu + 75 * (to_back + 0.2)
    # Dependent density: a smooth rim along the back wall, of lesion-like grey.
    rim = np.exp(-np.clip(centre + depth - y, 0, None) / 14) * _step(1 - t, 0.2, 0.7)
    hu = hu + (a.dependent * 2.4) * rim * (0.7 + 0.3 * mosaic)
    # Near the heart its beat smears muscle into the lung.
    hu = hu + 190 * np.exp(-np.clip(-_heart(grid, a), 0, None) / 5) * (t < 0.5)
    # Oblique fissures: a faint sheet through each lung.
    fissure = np.abs(0.62 * (y + 5) + 0.8 * (z - 0.42 * a.height) + 9 * a.fissure(grid))
    hu = hu + 150 * np.clip(1 - fissure / (0.9 + 0.5 * grid.pixel), 0, 1)
    for place, height, tilt_x, tilt_y, length in a.bands:
        across = (z - height * a.height) + tilt_x * (x - 70 * np.sign(place)) + tilt_y * y
        band = (
            np.clip(1 - np.abs(across) / 3.2, 0, 1)
            * np.exp(-(((x - 75 * np.sign(place)) / length) ** 2))
            * _step(y, -30, 30)
        )
        hu = hu + 480 * band
    return np.clip(hu, -960, -100)


def _lung_vessels(image, grid, a, lungs):
    """Paint each sampled point of the trees as a small ball, with partial volume in and through the plane."""
    reach = grid.thickness / 2
    points = a.vessels[(a.vessels[:, 2] > grid.z[0] - 12) & (a.vessels[:, 2] < grid.z[-1] + 12)]
    share = np.zeros_like(image)
    spans = np.ceil((points[:, 3] + grid.pixel) / grid.pixel).astype(int) + 1
    for span in np.unique(spans):
        px, py, pz, radius = points[spans == span].T[..., None]
        around = np.arange(-span, span)
        columns, rows = np.searchsorted(grid.x, px) + around, np.searchsorted(grid.y, py) + around
        in_x, in_y = (columns >= 0) & (columns < len(grid.x)), (rows >= 0) & (rows < len(grid.y))
        columns, rows = columns.clip(0, len(grid.x) - 1), rows.clip(0, len(grid.y) - 1)
        apart = np.hypot((grid.y[rows] - py)[:, :, None], (grid.x[columns] - px)[:, None, :])
        disc = np.clip((radius[..., None] - apart) / grid.pixel + 0.5, 0, 1) * (in_y[:, :, None] & in_x[:, None, :])
        disc *= np.minimum(1.0, 1.5 * radius / grid.pixel + 0.2)[..., None]
        for k, z in enumerate(grid.z):
            (near,) = np.nonzero(np.abs(z - pz[:, 0]) < reach + radius[:, 0])
            r = radius[near, 0]
            # The share of the slice's thickness that the vessel fills.
            fill = np.minimum(1.0, (r + np.minimum(r, reach + r - np.abs(z - pz[near, 0]))) / grid.thickness)
            ball = disc[near] * fill[:, None, None]
            np.maximum.at(share[k], (rows[near][:, :, None], columns[near][:, None, :]), ball.astype(np.float32))
    _over(image, share * grid.inside(lungs + 1), a.blood if a.blood < 100 else 0.8 * a.blood)


# --- lesions


@dataclass(frozen=True)
class Lesion:
    """One lesion: an ellipsoid whose border a smooth field roughens.

    Parameters
    ----------
    centre, radii : float arrays (x, y, z), mm
    density : float
        HU that it tends to: about -500 ground-glass, about 0 consolidation.
    core : float in 0..1
        How far the middle is consolidated.
    paving : float
        HU of the lines of a crazy-paving pattern; 0 for none.
    """

    centre: np.ndarray
    radii: np.ndarray
    density: float
    core: float
    paving: float


class Lesions:
    """The lesions of one scan, on the slices that its plan allows."""

    def __init__(self, plan: ScanPlan, anatomy: Anatomy, z: np.ndarray, thickness: float):
        self.random = np.random.default_rng([plan.seed, plan.patient, plan.scan, 2])
        self.anatomy = anatomy
        self.broad, self.rough = SmoothField(self.random, 24), SmoothField(self.random, 10)
        self.lines, self.gaps = SmoothField(self.random, 5), SmoothField(self.random, 8)
        self.all: list[Lesion] = []
        self._place(plan, z, thickness)

    def _place(self, plan: ScanPlan, z: np.ndarray, thickness: float) -> None:
        """Choose the slices, then add lesions until each of them shows one, on a coarse copy of the lungs."""
        sides = np.arange(-180, 181, 4.0)
        coarse = Grid(sides, sides, z, 4.0, thickness)
        x, y, _ = coarse.xyz
        t = (z / self.anatomy.height)[:, None, None].astype(np.float32)
        width, depth, centre = self.anatomy.cavity_sides(t)
        ring = (np.abs(x / width) ** 2.25 + np.abs((y - centre) / depth) ** 2.25) ** (1 / 2.25)
        rim = (1 - ring) * depth + 2.2 * self.anatomy.wall(coarse)
        lungs = _lungs(coarse, self.anatomy, t, rim)
        area = (lungs > 2).sum(axis=(1, 2))
        # Mostly the lower and middle lung: the run of slices starts near the lungs' first good slice.
        usable = np.flatnonzero(area > 25)
        if len(usable) < plan.positive:
            raise ValueError(f"{plan.name}: {plan.positive} positive slices, but lungs in {len(usable)} only")
        first = int(self.random.uniform(0, 0.5) * (len(usable) - plan.positive))
        self.allowed = np.isin(np.arange(len(z)), usable[first : first + plan.positive])
        covered = ~self.allowed
        # Peripheral, posterior and basal preference.
        weight = (lungs > 2) * np.exp(-np.clip(rim, 0, None) / 14) * np.exp(0.013 * y) + 0.02 * (lungs > 5)
        extra = int(round(plan.severity * 18 + self.random.integers(0, 3)))
        while not covered.all() or extra > 0:
            if covered.all():
                extra -= 1
                k = int(self.random.choice(np.flatnonzero(self.allowed)))
            else:
                k = int(self.random.choice(np.flatnonzero(~covered)))
            flat = weight[k].ravel() / weight[k].sum()
            row, column = np.unravel_index(self.random.choice(flat.size, p=flat), weight[k].shape)
            lesion = self._lesion(plan, np.array([sides[column], sides[row], z[k]]), thickness)
            near = np.flatnonzero((np.abs(z - z[k]) < 2 * lesion.radii[2] + thickness) & self.allowed)
            slab = Grid(sides, sides, z[near], 4.0, thickness)
            visible = (self._share(slab, [lesion])[0] > 0.9) & (lungs[near] > 1)
            seen = visible.sum(axis=(1, 2)) >= 3
            if seen[near == k].any():
                self.all.append(lesion)
                covered[near[seen]] = True

    def _lesion(self, plan: ScanPlan, centre: np.ndarray, thickness: float) -> Lesion:
        random = self.random
        size = np.clip(np.exp(random.normal(np.log(12.5 + 13.3 * plan.severity), 0.38)), 12, 60)
        radii = size * np.array([random.uniform(0.75, 1.35), random.uniform(0.75, 1.35), random.uniform(0.5, 0.95)])
        radii[2] = max(radii[2], 0.8 * thickness)
        kind = random.uniform()
        if kind < plan.consolidated:
            return Lesion(centre, 0.75 * radii, random.uniform(-170, 10), random.uniform(0.4, 1.0), 0.0)
        core = random.uniform(0.3, 0.9) if kind > 0.8 else 0.0
        return Lesion(
            centre, radii, self.anatomy.parenchyma + random.uniform(365, 510), core, random.choice([0.0, 0.0, 100.0])
        )

    def _share(self, grid: Grid, lesions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Opacity 0..1, the HU it tends to, and the strength of paving lines, all (z, y, x)."""
        x, y, z = grid.xyz
        shape = (len(grid.z), len(grid.y), len(grid.x))
        opacity, target, paving = (np.zeros(shape, np.float32) for _ in range(3))
        rough = None
        for lesion in lesions:
            (cx, cy, cz), (rx, ry, rz) = lesion.centre, lesion.radii
            # Only the part of the slab that it can reach.
            span = [np.flatnonzero(np.abs(axis - c) < 2.3 * r) for axis, c, r in
                    ((grid.z, cz, rz), (grid.y, cy, ry), (grid.x, cx, rx))]  # fmt: skip
            if not all(len(one) for one in span):
                continue
            if rough is None:
                rough = 0.24 * self.broad(grid) + 0.12 * self.rough(grid)
            box = tuple(slice(one[0], one[-1] + 1) for one in span)
            bx, by, bz = x[..., box[2]], y[:, box[1]], z[box[0]]
            depth = 1 - np.sqrt(((bx - cx) / rx) ** 2 + ((by - cy) / ry) ** 2 + ((bz - cz) / rz) ** 2) + rough[box]
            share = _step(depth, -0.04, min(0.28, 4.5 / min(rx, ry)))
            hu = lesion.density + lesion.core * _step(depth, 0.25, 0.6) * (-20 - lesion.density)
            stronger = share > opacity[box]
            target[box] = np.where(stronger, hu, target[box])
            paving[box] = np.where(stronger, lesion.paving, paving[box])
            opacity[box] = np.maximum(opacity[box], share)
        return opacity, target, paving

    def paint(self, image: np.ndarray, lungs: np.ndarray, grid: Grid, allowed: np.ndarray) -> np.ndarray:
        """Add the lesions of a slab to its HU; returns their mask, bool (z, y, x)."""
        reach = [one for one in self.all if np.abs(grid.z - one.centre[2]).min() < 2.3 * one.radii[2]]
        opacity, target, paving = self._share(grid, reach)
        opacity *= grid.inside(lungs) * allowed[:, None, None]
        if not opacity.any():
            return np.zeros(image.shape, bool)
        texture = self.rough(grid)
        lines = np.clip(1 - np.abs(self.lines(grid)) / 0.25, 0, 1)
        hu = target + 60 * texture + paving * lines
        # Ground-glass veils the lung and leaves vessels to be seen; nothing gets darker. It is denser than the lung
        # around it, be that dense itself.
        added = opacity * np.maximum(hu - image, 160 * (image < -150))
        # The reference is one contour round what an expert would see. It takes in vessels, and the gaps of aerated
        # lung between the patches of a lesion.
        clear = ndimage.gaussian_filter(added, (0, 1, 1)) > 140
        gaps = _step(self.gaps(grid), 0.4, 0.9) * _step(opacity, 0.75, 1) * (target < -150)
        image += added * (1 - 0.6 * gaps)
        return ((clear & (opacity > 0.3)) | (opacity > 0.85)) & (lungs > 0)


# --- a scan


def make_scan(plan: ScanPlan, progress: Progress = silent) -> Scan:
    """Draw one scan.

    Parameters
    ----------
    plan : ScanPlan
        The same plan gives the same voxels.
    progress : callable (done, total, text)

    Returns
    -------
    Scan

    Examples
    --------
    >>> scan = make_scan(cohort_plans()[6])
    >>> scan.image.shape, int(scan.mask.any(axis=(0, 1)).sum())
    ((128, 128, 30), 2)
    """
    anatomy = Anatomy(plan)
    random = np.random.default_rng([plan.seed, plan.patient, plan.scan, 3])
    pixel = 2 * (1.1 * anatomy.width + random.uniform(4, 18)) / plan.columns
    # A scan with hardly a slice without lesion is one that was cut close to the lungs.
    spare = 1 - plan.positive / plan.slices
    bottom, top = (0.07 - 0.24 * spare) * anatomy.height, (0.95 + 0.14 * spare) * anatomy.height
    thickness = (top - bottom) / plan.slices
    z = bottom + thickness * (np.arange(plan.slices) + random.uniform(0.3, 0.7))
    shift_x, shift_y = random.normal(0, 5, 2)
    x = (np.arange(plan.columns) - (plan.columns - 1) / 2) * pixel + shift_x
    # A low volume (630 x 401) keeps the table in view.
    y = (np.arange(plan.rows) - (plan.rows - 1) / 2) * pixel + min(shift_y, 3)
    lesions = Lesions(plan, anatomy, z, thickness)
    round_field = np.random.default_rng([plan.seed, plan.patient, 4]).uniform() < 0.5
    noise, sharpness = random.uniform(14, 28), random.uniform(0.75, 1.1)

    image = np.empty((plan.slices, plan.rows, plan.columns), np.int16)
    mask, lung = np.zeros(image.shape, np.uint8), np.zeros(image.shape, np.uint8)
    per_slab = max(1, int(2e6 / (plan.rows * plan.columns)))
    for start in range(0, plan.slices, per_slab):
        part = slice(start, min(start + per_slab, plan.slices))
        grid = Grid(x, y, z[part], pixel, thickness)
        hu, lungs, _ = _draw_slab(anatomy, grid)
        found = lesions.paint(hu, lungs, grid, lesions.allowed[part])
        mask[part], lung[part] = found, lungs > 0
        for k in range(part.start, part.stop):
            # Seeded by slice, so that slabs of any size give the same voxels.
            grain = np.random.default_rng([plan.seed, plan.patient, plan.scan, 5, k])
            image[k] = _acquire(hu[k - start], grain, noise, sharpness / pixel, x, y, round_field)
        progress(part.stop, plan.slices, plan.name)
    affine = np.diag([pixel, pixel, thickness, 1.0])
    affine[:3, 3] = -x[-1], -y[-1], z[0]
    # Drawn rows run to the back and columns to the left; RAS+ storage runs to the front and the right.
    stored = [np.ascontiguousarray(array[:, ::-1, ::-1].transpose(2, 1, 0)) for array in (image, mask, lung)]
    return Scan(*stored, affine)


def _acquire(hu, random, noise, blur, x, y, round_field):
    """What a scanner adds: blur, grain that neighbouring pixels share, a round field of view."""
    hu = ndimage.gaussian_filter(hu, blur)
    fine = ndimage.gaussian_filter(random.standard_normal(hu.shape).astype(np.float32), max(0.45, 0.55 * blur))
    coarse = ndimage.gaussian_filter(random.standard_normal(hu.shape).astype(np.float32), max(1.2, 3 * blur))
    # The body's middle is noisier than its rim: the beam has crossed more of it.
    middle = 0.6 + 0.6 * np.exp(-((x[None] / 110) ** 2) - (y[:, None] / 90) ** 2)
    hu = hu + noise * middle * (fine / fine.std() + 0.6 * coarse / coarse.std())
    if round_field:
        radius = (x[-1] - x[0]) / 2
        outside = np.hypot(x[None] - x.mean(), y[:, None] - y.mean()) > radius
        hu = np.where(outside, -2048, np.clip(hu, -1024, 3071))
    return np.clip(np.rint(hu), -2048, 3071).astype(np.int16)


# --- a cohort on disk


def write_cohort(
    folder: Path, profile: str = "lesson", seed: int = 0, workers: int | None = None, progress: Progress = silent
) -> Path:
    """Write a cohort in the record's layout, or return at once where it already stands.

    Parameters
    ----------
    folder : Path
        Holds COVID-19-CT-Seg_20cases/, Infection_Mask/, Lung_Mask/ (1 in either lung) and phantom.json afterwards.
    profile : "lesson" or "paper"
    seed : int
    workers : int, optional
        Processes; all cores by default. The voxels do not depend on it.
    progress : callable (done, total, text)

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CovidlabError
        If the folder cannot be written, or holds something else.
    """
    folder = Path(folder)
    plans = cohort_plans(profile, seed)
    identity = {"profile": profile, "seed": seed, "version": VERSION, "plans": [asdict(plan) for plan in plans]}
    marker = folder / MARKER
    if marker.exists() and json.loads(marker.read_text()) == identity:
        return folder
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise CovidlabError(
            folder, "a folder with other files", "an empty or a new folder", "choose another with --out"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise CovidlabError(
            folder,
            f"a place that cannot be written ({error.strerror})",
            "a folder with write permission",
            "choose another folder",
        ) from error
    try:
        for name in (IMAGES, MASKS, LUNGS):
            (scratch / name).mkdir()
        _write_scans(plans, scratch, workers or os.cpu_count() or 1, progress)
        (scratch / MARKER).write_text(json.dumps(identity, indent=1))
        os.chmod(scratch, 0o755)  # mkdtemp makes it private
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _write_scans(plans: tuple[ScanPlan, ...], folder: Path, workers: int, progress: Progress) -> None:
    if workers == 1:
        for done, plan in enumerate(plans, 1):
            _write_scan(plan, folder)
            progress(done, len(plans), plan.name)
        return
    # spawn: a fork of a process that runs TensorFlow's threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        # The largest first, so that no worker is left alone with it at the end.
        order = sorted(plans, key=lambda plan: -plan.slices)
        tasks = {pool.submit(_write_scan, plan, folder): plan for plan in order}
        for done, task in enumerate(as_completed(tasks), 1):
            task.result()
            progress(done, len(plans), tasks[task].name)


def _write_scan(plan: ScanPlan, folder: Path) -> None:
    scan = make_scan(plan)
    for sub, array in ((IMAGES, scan.image), (MASKS, scan.mask), (LUNGS, scan.lungs)):
        image = nib.Nifti1Image(array, scan.affine)
        image.set_sform(scan.affine, 1)
        image.set_qform(scan.affine, 1)
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / sub / f"{plan.name}.nii.gz")
