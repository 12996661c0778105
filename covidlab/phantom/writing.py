"""A synthetic cohort, written as NIfTI in the published record's layout.

The course needs data that anyone may clone, so its default patients are drawn: a chest (`covidlab.phantom.drawing`)
with lesions (`covidlab.phantom.lesions`) and with much that looks like a lesion and is none. It teaches methods; it
says nothing about disease.

The lesion statistics follow the record's ten Radiopaedia cases; `python -m studies.phantom_report` prints both.
"""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import nibabel as nib

from covidlab.errors import CovidlabError, writable
from covidlab.files import SCRATCH, remove_scratch, whole_file
from covidlab.phantom.scans import ScanPlan, cohort_plans, make_scan
from covidlab.progress import track

MARKER = "phantom.json"
VERSION = 4  # raise it whenever the drawn voxels change: cohorts of another version are made anew
IMAGES, MASKS, LUNGS = SUBFOLDERS = "COVID-19-CT-Seg_20cases", "Infection_Mask", "Lung_Mask"  # as the record's
TITLE = "drawing the phantom"  # of its progress


def write_cohort(folder: Path, profile: str = "lesson", seed: int = 0) -> Path:
    """Write a cohort of the profile "lesson" or "paper", or return at once where it already stands.

    The folder, which is returned, holds COVID-19-CT-Seg_20cases/, Infection_Mask/, Lung_Mask/ (1 in either lung) and
    phantom.json afterwards. A cohort of an older version is drawn again. Nothing is deleted that this function has not
    written: a CovidlabError says that the folder holds something else, a phantom of another profile or seed, too, or
    that it cannot be written.
    """
    folder = Path(folder)
    plans = cohort_plans(profile, seed)
    identity = {"profile": profile, "seed": seed, "version": VERSION, "plans": [asdict(plan) for plan in plans]}
    if _standing(folder, identity) == identity:
        list(track((), TITLE))  # a notebook shows the same, whether there was anything to do or not
        return folder
    with writable(folder, "set COVIDLAB_HOME, or --out"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_scratch(folder.parent)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder.parent, ignore_cleanup_errors=True) as drawn:
            for name in SUBFOLDERS:
                Path(drawn, name).mkdir()
            _write_scans(plans, Path(drawn))
            _put_in_place(Path(drawn), folder, identity)
    return folder


def _standing(folder: Path, identity: dict) -> dict:
    """What the marker says of a cohort of this profile and seed that stands in the folder; empty if none does."""
    try:
        found = json.loads((folder / MARKER).read_text())
        if any(os.path.basename(plan["name"]) != plan["name"] for plan in found.get("plans", ())):
            raise ValueError("a file elsewhere, which might be removed")
        if (found["profile"], found["seed"]) == (identity["profile"], identity["seed"]):
            return found
        there = f"the {found['profile']} phantom of seed {found['seed']}"
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return {}
        there = "a folder with other files" if folder.is_dir() else "a file"
    except Exception:  # whatever is in it
        there = f"a {MARKER} that is not ours"
    raise CovidlabError(folder, there, "an empty or a new folder", "choose another with --out, or move this one away")


def _write_scans(plans: tuple[ScanPlan, ...], folder: Path) -> None:
    """In threads: drawing is NumPy's work, which lets others run."""
    order = sorted(plans, key=lambda plan: -plan.slices)  # so that no thread is left alone with the largest at the end
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        written = pool.map(partial(_write_scan, folder), order)
        for _ in track(order, TITLE):
            next(written)


def _write_scan(folder: Path, plan: ScanPlan) -> None:
    scan = make_scan(plan)
    for sub, array in zip(SUBFOLDERS, scan[:3]):
        image = nib.Nifti1Image(array, scan.affine)
        image.set_sform(scan.affine, 1)
        image.set_qform(scan.affine, 1)
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / sub / f"{plan.name}.nii.gz")


def _put_in_place(drawn: Path, folder: Path, identity: dict) -> None:
    """Move a drawn cohort to its folder, in steps that are either done or not.

    After a kill between them it is drawn again: the marker that stands meanwhile is of another version. No lock is
    needed: several processes that draw it at once draw the same voxels.
    """
    older = _standing(folder, identity)
    if older == identity:  # another process was quicker
        return
    if not older:
        _mark(folder, identity | {"version": 0})
    for sub in SUBFOLDERS:
        shutil.copytree(drawn / sub, folder / sub, copy_function=os.replace, dirs_exist_ok=True)
        for gone in {plan["name"] for plan in older.get("plans", ())} - {plan["name"] for plan in identity["plans"]}:
            (folder / sub / f"{gone}.nii.gz").unlink(missing_ok=True)
    _mark(folder, identity)


def _mark(folder: Path, identity: dict) -> None:
    with whole_file(folder / MARKER) as file:
        file.write_text(json.dumps(identity, indent=1))
