"""What is scanned of a drawn chest: plans of a cohort, lesions, noise, the grid of voxels."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from covidlab.phantom.anatomy import Anatomy
from covidlab.phantom.drawing import draw_chest
from covidlab.phantom.lesions import Lesions
from covidlab.phantom.shapes import Grid


@dataclass(frozen=True)
class ScanPlan:
    """What one scan of the phantom is to be."""

    name: str  # ``phantom_<patient>_<scan>``
    seed: int  # Of the cohort, and the numbers in the name; the same patient has the same anatomy
    patient: int
    scan: int
    slices: int  # How many, and how many of them show a lesion: hit exactly
    positive: int
    rows: int  # Pixels; the field of view is as wide as the columns and as high as the rows
    columns: int
    severity: float  # float in 0..1; from a few small lesions to most of the lower lungs
    # float in 0..1; share of consolidations among the lesions; some patients have mostly these, as one of the
    # record's has
    consolidated: float


@dataclass(frozen=True)
class Scan:
    """A drawn scan, stored RAS+: x to the patient's right, y to the front, z to the head."""

    image: np.ndarray  # int16 array (x, y, z), HU
    mask: np.ndarray  # uint8 arrays (x, y, z); 1 in lesions; 1 in lungs, lesions included
    lungs: np.ndarray
    affine: np.ndarray  # float array (4, 4), mm


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
    severity = (0.65, 0.7, 0.4, 0.5, 0.6, 0.5, 0.0, 0.15, 0.45, 1.0)
    consolidated = (0.1, 0.05, 0.1, 0.1, 0.1, 0.4, 0.1, 0.2, 0.05, 0.08)
    return tuple(
        ScanPlan(f"phantom_{100 * seed + p:02d}_{k}", seed, p, k, n, m, rows, columns, s, c)
        for p, k, n, m, (rows, columns), s, c in zip(patients, scans, slices, positive, sides, severity, consolidated)
    )

# --- a scan


def make_scan(plan: ScanPlan) -> Scan:
    """Draw one scan.

    Parameters
    ----------
    plan : ScanPlan
        The same plan gives the same voxels.

    Returns
    -------
    Scan

    Examples
    --------
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
        part = slice(start, min(start + per_slab, plan.slices))
        grid = Grid(x, y, z[part], pixel, thickness)
        hu, lungs, cavity = draw_chest(anatomy, grid)
        found = lesions.paint(hu, lungs, cavity, grid, lesions.allowed[part])
        mask[part], lung[part] = found, lungs > 0
        for k in range(part.start, part.stop):
            # Seeded by slice, so that slabs of any size give the same voxels.
            grain = np.random.default_rng([plan.seed, plan.patient, plan.scan, 5, k])
            image[k] = _acquire(hu[k - start], grain, noise, sharpness / pixel, x, y, round_field)
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
    hu = np.clip(hu, -1024, 3071)
    if round_field:
        pixel = x[1] - x[0]
        beyond = np.hypot(x[None] - x.mean(), y[:, None] - y.mean()) - (x[-1] - x[0]) / 2
        # A picture made smaller has a smooth edge: from what is there to the window's lowest value.
        share = np.clip(0.5 - beyond / pixel, 0, 1)
        hu = np.where(share > 0, share * hu - (1 - share) * 1250, -2048)
    return np.clip(np.rint(hu), -2048, 3071).astype(np.int16)
