"""The slice cache: every axial slice of a cohort as one memory-mapped array, beside a table of what it is.

A slice out of a .nii.gz costs the unpacking of the whole volume; out of this cache it costs one read.
Its folder is named by the content of the files, and built once, under a scratch name and a lock: two notebooks
that start together build it once, and a killed build leaves nothing that could be mistaken for a cache.
"""

import csv
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from covidlab.data.cohorts import Case, Cohort
from covidlab.data.folders import data_home
from covidlab.data.grid import GridFit
from covidlab.data.masks import read_mask
from covidlab.data.volumes import read_volume
from covidlab.errors import CovidlabError, refused, writable
from covidlab.files import SCRATCH, remove_scratch, waited_for
from covidlab.progress import track

# Raise it when the reading or resampling of slices changes: old caches are then built anew.
FORMAT = 6

TITLE = "reading slices of {} pixels"


@dataclass(frozen=True)
class SliceCache:
    """All slices of a cohort on one pixel grid; the arrays of images and masks are memory-mapped."""

    # uint8 (slices, size, size), the [-1250, 250] HU window as 0..255; spine down, patient's right on the left
    images: np.ndarray
    masks: np.ndarray  # uint8 (slices, size, size); 1 where the expert saw infection, else 0
    cases: np.ndarray  # str (slices,), as are the patients
    patients: np.ndarray
    z: np.ndarray  # int (slices,); the slice's number within its case, from feet to head
    positive_pixels: np.ndarray  # int (slices,); lesion pixels of the slice on this grid
    size: int  # Pixels a side
    cohort: str  # Its name
    folder: Path  # Where the cache lies

    def __len__(self) -> int:
        return len(self.images)

    @property
    def positive(self) -> np.ndarray:
        """Whether each slice shows any lesion, bool (slices,)."""
        return self.positive_pixels > 0

    @property
    def content(self) -> str:
        """A digest of all files, patients and the way they were read, which ends the name of the cache's folder."""
        return self.folder.name.rpartition("-")[2]

    def case(self, name: str) -> np.ndarray:
        """The positions of one case's slices, from feet to head."""
        found = np.flatnonzero(self.cases == name)
        if not found.size:
            raise CovidlabError(name, "no slices", f"a case of {self.cohort}", "see `covidlab inspect`")
        return found


def open_slice_cache(cohort: Cohort, size: int = 128, root: Path | None = None) -> SliceCache:
    """Open the cohort's cache on a square grid of `size` pixels a side, building it first where there is none.

    `root` is the folder that holds caches; by default ``cache`` under `covidlab.data.folders.data_home`. Raises a
    CovidlabError if a file of the cohort cannot be read, and leaves nothing behind then; if the cache cannot be
    written, or read.
    """
    root = root or data_home() / "cache"
    folder = root / f"{cohort.name}-{size}-{_content_key(cohort, size)[:16]}"
    with writable(root, "free space there, or set COVIDLAB_HOME to another folder"):
        if folder.exists():
            list(track((), TITLE.format(size)))  # a notebook shows the same, whether there was anything to do or not
        else:
            root.mkdir(parents=True, exist_ok=True)
            # Whoever shares the folder may build, too: so their lock is not private.
            with waited_for(FileLock(f"{folder}.lock", mode=0o666)):
                if not folder.exists():  # whoever waited for the lock finds the work done
                    _build(cohort, size, folder)
    with refused(folder, "a cache that cannot be read", "a whole one", "remove it: it is built anew"):
        return _load(folder, cohort.name)


def grid_spacing(case: Case, size: int) -> tuple[float, float, float] | None:
    """How far apart a case's slices, rows and columns are on a cache's grid of `size` pixels a side, in mm.

    None where the file does not say: then distances can be had in pixels of the grid only.
    """
    volume = read_volume(case.image)
    if volume.spacing is None:
        return None
    fit = GridFit.of(volume, size)
    between, down, across = (volume.spacing[axis] for axis in volume.orientation.axes)
    return between, down * fit.height / fit.covered[0], across * fit.width / fit.covered[1]


def _content_key(cohort: Cohort, size: int) -> str:
    digest = hashlib.sha256(f"{FORMAT} {size}".encode())
    for case in cohort.cases:
        digest.update(f"\n{case.name} {case.patient}".encode())
        for path in (case.image, case.mask):
            found, remedy = "a file that cannot be read", "put the file there, or leave the case out with --cases"
            with refused(path, found, "a NIfTI file", remedy), path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _build(cohort: Cohort, size: int, folder: Path) -> None:
    remove_scratch(folder.parent)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=folder.parent))
    try:
        images, masks, rows = [], [], []
        for case in track(cohort.cases, TITLE.format(size)):
            volume = read_volume(case.image)
            fit = GridFit.of(volume, size)
            images.append(fit.to_grid(volume.slices()))
            masks.append(fit.mask_to_grid(volume.to_display(read_mask(case.mask, like=volume))))
            pixels = masks[-1].sum(axis=(1, 2), dtype=np.int64)
            rows += [(case.name, case.patient, z, int(lesion)) for z, lesion in enumerate(pixels)]
        np.save(scratch / "images.npy", np.concatenate(images))
        np.save(scratch / "masks.npy", np.concatenate(masks))
        with (scratch / "slices.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("case", "patient", "z", "positive_pixels"), *rows])
        os.chmod(scratch, 0o755)  # mkdtemp makes it private
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _load(folder: Path, cohort: str) -> SliceCache:
    with (folder / "slices.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    cases, patients, z, lesion = map(np.array, zip(*rows))
    images, masks = (np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("images", "masks"))
    return SliceCache(
        images, masks, cases, patients, z.astype(int), lesion.astype(int), images.shape[1], cohort, folder
    )
