"""What is scanned of a drawn chest: plans of a cohort, lesions, noise, the grid of voxels."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from covidlab.phantom.anatomy import Anatomy
from covidlab.phantom.drawing import draw_chest
from covidlab.phantom.lesions import Lesions
from covidlab.phantom.shapes import Grid

# Of each scan: patient and number; slices and how many of them are positive in the lesson, then in the paper's profile;
# severity, and share of consolidations. Nine patients, one scanned twice, one nearly without lesion.
SCANS = [
    (1, 1, 39, 26, 39, 26, 0.65, 0.1),
    (2, 1, 36, 30, 45, 41, 0.7, 0.05),
    (3, 1, 32, 11, 39, 14, 0.4, 0.1),
    (3, 2, 44, 18, 418, 147, 0.5, 0.1),
    (4, 1, 38, 29, 110, 103, 0.6, 0.1),
    (5, 1, 34, 20, 66, 44, 0.5, 0.4),
    (6, 1, 30, 2, 42, 2, 0.0, 0.1),
    (7, 1, 36, 12, 42, 9, 0.15, 0.2),
    (8, 1, 33, 21, 45, 34, 0.45, 0.05),
    (9, 1, 42, 22, 93, 72, 1.0, 0.08),
]


@dataclass(frozen=True)
class ScanPlan:
    """What one scan of the phantom is to be."""

    name: str  # ``phantom_<patient>_<scan>``
    seed: int  # of the cohort; with it a patient has the same chest in every scan
    patient: int
    scan: int
    slices: int
    positive: int  # slices that show a lesion: hit exactly
    rows: int  # pixels; the field of view is as wide as the columns and as high as the rows
    columns: int
    severity: float  # 0..1, from a few small lesions to most of the lower lungs
    consolidated: float  # 0..1, share of consolidations among the lesions; one of the record's patients has many


class Scan(NamedTuple):
    """A drawn scan, stored RAS+: x to the patient's right, y to the front, z to the head."""

    image: np.ndarray  # int16 (x, y, z), HU
    mask: np.ndarray  # uint8 (x, y, z), 1 in lesions
    lungs: np.ndarray  # uint8 (x, y, z), 1 in either lung, lesions included
    affine: np.ndarray  # float (4, 4), mm


def cohort_plans(profile: str = "lesson", seed: int = 0) -> tuple[ScanPlan, ...]:
    """The ten scans of a cohort of the profile "lesson" or "paper".

    The lesson has 364 slices of 128 x 128 pixels; the paper's has the record's 939 of 630 x 630, one scan of 630 x 401.
    """
    if profile not in ("lesson", "paper"):
        raise ValueError(f"unknown profile {profile!r}: use lesson or paper")
    plans = []
    for patient, scan, *counts, severity, consolidated in SCANS:
        slices, positive = counts[:2] if profile == "lesson" else counts[2:]
        columns = 128 if profile == "lesson" else 630
        rows = 401 if (profile, patient) == ("paper", 4) else columns
        name = f"phantom_{100 * seed + patient:02d}_{scan}"
        plans.append(ScanPlan(name, seed, patient, scan, slices, positive, rows, columns, severity, consolidated))
    return tuple(plans)


def make_scan(plan: ScanPlan) -> Scan:
    """Draw one scan; the same plan gives the same voxels.

    >>> scan = make_scan(cohort_plans()[6])
    >>> scan.image.shape, int(scan.mask.any(axis=(0, 1)).sum())
    ((128, 128, 30), 2)
    """
    anatomy = Anatomy(plan.seed, plan.patient)
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
    round_field = np.random.default_rng([plan.seed, plan.patient, 4]).uniform() < 0.7
    # Small pixels are the noisier ones.
    noise, sharpness = random.uniform(4, 11) * (3 / pixel) ** 0.5, random.uniform(0.7, 1.1)

    image = np.empty((plan.slices, plan.rows, plan.columns), np.int16)
    mask, lung = np.zeros(image.shape, np.uint8), np.zeros(image.shape, np.uint8)
    per_slab = max(1, int(2e6 / (plan.rows * plan.columns)))
    for start in range(0, plan.slices, per_slab):
        part = slice(start, start + per_slab)
        grid = Grid(x, y, z[part], pixel, thickness)
        hu, lungs, cavity = draw_chest(anatomy, grid)
        mask[part], lung[part] = lesions.paint(hu, lungs, cavity, grid, lesions.allowed[part]), lungs > 0
        for k, drawn in enumerate(hu, start):
            # Seeded by slice, so that slabs of any size give the same voxels.
            grain = np.random.default_rng([plan.seed, plan.patient, plan.scan, 5, k])
            image[k] = _acquire(drawn, grain, noise, sharpness / pixel, x, y, round_field)
    affine = np.diag([pixel, pixel, thickness, 1.0])
    affine[:3, 3] = -x[-1], -y[-1], z[0]
    # Drawn rows run to the back and columns to the left; RAS+ storage runs to the front and the right.
    stored = (np.ascontiguousarray(array[:, ::-1, ::-1].transpose(2, 1, 0)) for array in (image, mask, lung))
    return Scan(*stored, affine)


def _acquire(hu, random, noise, blur, x, y, round_field):
    """What a scanner adds to a slice: blur, grain that neighbouring pixels share, a round field of view."""
    hu = ndimage.gaussian_filter(hu, blur)
    fine, coarse = (
        ndimage.gaussian_filter(random.standard_normal(hu.shape).astype(np.float32), width)
        for width in (max(0.45, 0.55 * blur), max(1.2, 3 * blur))
    )
    # The body's middle is noisier than its rim: the beam has crossed more of it.
    middle = 0.6 + 0.6 * np.exp(-((x[None] / 110) ** 2) - (y[:, None] / 90) ** 2)
    hu = hu + noise * middle * (fine / fine.std() + 0.6 * coarse / coarse.std())
    hu = np.clip(hu, -1024, 3071)
    if round_field:
        beyond = np.hypot(x[None] - x.mean(), y[:, None] - y.mean()) - (x[-1] - x[0]) / 2
        # A picture made smaller has a smooth edge: from what is there to the window's lowest value.
        share = np.clip(0.5 - beyond / (x[1] - x[0]), 0, 1)
        hu = np.where(share > 0, share * hu - (1 - share) * 1250, -2048)
    return np.clip(np.rint(hu), -2048, 3071).astype(np.int16)
