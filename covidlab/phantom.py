"""A synthetic chest CT with lesions, in HU, written as NIfTI in the published record's layout.

The course needs data that anyone may clone, so its default patients are drawn: a chest (`covidlab.chest`) with lesions
(`covidlab.lesions`) and with much that looks like a lesion and is none. It teaches methods; it says nothing about
disease.

The lesion statistics follow the record's ten Radiopaedia cases; `python -m covidlab.phantom_report` prints both.
"""

import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from covidlab.chest import Anatomy, Grid, draw_chest
from covidlab.errors import CovidlabError
from covidlab.lesions import Lesions
from covidlab.progress import Progress, silent

MARKER = "phantom.json"
VERSION = 4  # raise it whenever the drawn voxels change: cohorts of another version are made anew
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
    severity = (0.65, 0.7, 0.4, 0.5, 0.6, 0.5, 0.0, 0.15, 0.45, 1.0)
    consolidated = (0.1, 0.05, 0.1, 0.1, 0.1, 0.4, 0.1, 0.2, 0.05, 0.08)
    return tuple(
        ScanPlan(f"phantom_{100 * seed + p:02d}_{k}", seed, p, k, n, m, rows, columns, s, c)
        for p, k, n, m, (rows, columns), s, c in zip(patients, scans, slices, positive, sides, severity, consolidated)
    )


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
    lesions = Lesions(
        [plan.seed, plan.patient, plan.scan, 2], anatomy, z, thickness, plan.positive, plan.severity, plan.consolidated
    )
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
    hu = np.clip(hu, -1024, 3071)
    if round_field:
        pixel = x[1] - x[0]
        beyond = np.hypot(x[None] - x.mean(), y[:, None] - y.mean()) - (x[-1] - x[0]) / 2
        # A picture made smaller has a smooth edge: from what is there to the window's lowest value.
        share = np.clip(0.5 - beyond / pixel, 0, 1)
        hu = np.where(share > 0, share * hu - (1 - share) * 1250, -2048)
    return np.clip(np.rint(hu), -2048, 3071).astype(np.int16)


# --- a cohort on disk


def write_cohort(
    folder: Path, profile: str = "lesson", seed: int = 0, workers: int | None = None, progress: Progress = silent
) -> Path:
    """Write a cohort in the record's layout, or return at once where it already stands.

    One of an older version is drawn again. Nothing is deleted that this function has not written.

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
        If the folder cannot be written, or holds something else: a phantom of another profile or seed, too.
    """
    folder = Path(folder)
    plans = cohort_plans(profile, seed)
    identity = {"profile": profile, "seed": seed, "version": VERSION, "plans": [asdict(plan) for plan in plans]}
    if _standing(folder, identity) == identity:
        return folder
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
        _put_in_place(scratch, folder, identity)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _standing(folder: Path, identity: dict) -> dict:
    """What the marker says of a cohort of this profile and seed that stands in the folder; empty if none does."""
    marker = folder / MARKER
    try:
        found = json.loads(marker.read_text())
        if (found["profile"], found["seed"]) == (identity["profile"], identity["seed"]):
            return found
        there = f"the {found['profile']} phantom of seed {found['seed']}"
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return {}
        there = "a folder with other files" if folder.is_dir() else "a file"
    except (ValueError, KeyError, TypeError):
        there = f"a {MARKER} that is not ours"
    raise CovidlabError(folder, there, "an empty or a new folder", "choose another with --out, or move this one away")


def _put_in_place(scratch: Path, folder: Path, identity: dict) -> None:
    """Move a drawn cohort to its folder. No lock is needed: several processes that draw it at once draw the same
    voxels, and each step is either done or not. A lock held while drawing would stop the worker processes of a script
    whose calls are unguarded, for ever, before they can say what is wrong."""
    older = _standing(folder, identity)
    if not older:
        try:
            if folder.exists():
                folder.rmdir()
            os.replace(scratch, folder)
            return
        except OSError:  # another process was quicker, or the folder is one that cannot be replaced
            older = _standing(folder, identity)
    if older == identity:
        return
    for path in sorted(scratch.rglob("*.nii.gz")):
        place = folder / path.relative_to(scratch)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)
    names = {plan["name"] for plan in older.get("plans", ())} - {plan["name"] for plan in identity["plans"]}
    for name in names:
        for sub in (IMAGES, MASKS, LUNGS):
            (folder / sub / f"{name}.nii.gz").unlink(missing_ok=True)
    # Last, so that a kill leaves the older marker, and the cohort is drawn again.
    os.replace(scratch / MARKER, folder / MARKER)


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
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                task.result()
                progress(done, len(plans), tasks[task].name)
        except BrokenProcessPool as error:
            # Each new process imports the caller's script first; one that asks for the cohort again ends right there.
            raise CovidlabError(
                sys.argv[0] or "this Python session",
                "processes that ended before their scan was made",
                'a script whose calls stand under `if __name__ == "__main__":`, and memory for two scans',
                "put them there, or make the cohort beforehand with `covidlab phantom`",
            ) from error


def _write_scan(plan: ScanPlan, folder: Path) -> None:
    scan = make_scan(plan)
    for sub, array in ((IMAGES, scan.image), (MASKS, scan.mask), (LUNGS, scan.lungs)):
        image = nib.Nifti1Image(array, scan.affine)
        image.set_sform(scan.affine, 1)
        image.set_qform(scan.affine, 1)
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / sub / f"{plan.name}.nii.gz")
