"""One scan, whichever form it has: a NIfTI file, or a folder with the DICOM slices of one series."""

from pathlib import Path

from covidlab.data.dicom import SERIES, holds_slices, is_dicom, read_series
from covidlab.data.folders import EXTENSIONS, cohorts_in, halves, is_nifti
from covidlab.data.volumes import Volume, read_volume
from covidlab.errors import VolumeError


def is_single_scan(path: Path) -> bool:
    """Whether a path is one scan, a file or a folder of DICOM slices, and no folder of cases."""
    if not path.is_dir():
        return path.is_file()
    if holds_slices(path) and not all(halves(path)):  # whatever else is there, a file or folder named `images`, too
        return True
    children = list(path.glob("[!.]*"))
    cases = any(halves(path)) or cohorts_in(path) or any(map(is_nifti, children))
    return not cases and any(child.is_file() for child in children)


def read_scan(path: Path) -> Volume:
    """Read one scan; raises a VolumeError as `read_series` and `covidlab.data.volumes.read_volume` do."""
    if is_nifti(path):
        return read_volume(path)
    if path.name.lower().endswith(EXTENSIONS):
        raise VolumeError(path, "an ending in capitals", " or ".join(EXTENSIONS), "rename the file")
    if path.is_file() and is_dicom(path):
        raise VolumeError(path, "one DICOM file", SERIES, f"name its folder, {path.parent}")
    return read_series(path) if path.is_dir() else read_volume(path)
