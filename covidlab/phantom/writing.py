"""A synthetic cohort, written as NIfTI in the published record's layout.

The course needs data that anyone may clone, so its default patients are drawn: a chest (`covidlab.phantom.drawing`)
with lesions (`covidlab.phantom.lesions`) and with much that looks like a lesion and is none. It teaches methods; it
says nothing about disease.

The lesion statistics follow the record's ten Radiopaedia cases; `python -m studies.phantom_report` prints both.
"""

import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import nibabel as nib

from covidlab.errors import CovidlabError
from covidlab.phantom.scans import ScanPlan, cohort_plans, make_scan
from covidlab.progress import progress_bar, track

MARKER = "phantom.json"

VERSION = 4  # raise it whenever the drawn voxels change: cohorts of another version are made anew

IMAGES, MASKS, LUNGS = "COVID-19-CT-Seg_20cases", "Infection_Mask", "Lung_Mask"  # the record's folder names

TITLE = "drawing the phantom"  # of its progress


def write_cohort(
    folder: Path, profile: str = "lesson", seed: int = 0, workers: int | None = None
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
        list(track((), TITLE))  # a notebook shows the same, whether there was anything to do or not
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
        _write_scans(plans, scratch, workers or os.cpu_count() or 1)
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


def _write_scans(plans: tuple[ScanPlan, ...], folder: Path, workers: int) -> None:
    if workers == 1:
        for plan in track(plans, TITLE):
            _write_scan(plan, folder)
        return
    # spawn: a fork of a process that runs TensorFlow's threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        # The largest first, so that no worker is left alone with it at the end.
        order = sorted(plans, key=lambda plan: -plan.slices)
        tasks = {pool.submit(_write_scan, plan, folder): plan for plan in order}
        try:
            with progress_bar(TITLE) as show:
                for done, task in enumerate(as_completed(tasks), 1):
                    task.result()
                    show(done, len(plans), tasks[task].name)
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
