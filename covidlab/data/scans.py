"""One scan, whichever form it has: a NIfTI file, or the DICOM slices of one series in a folder or in a .zip."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from covidlab.data.dicom import SERIES, holds_slices, is_dicom, read_series
from covidlab.data.folders import EXTENSIONS, cohorts_in, halves, is_nifti
from covidlab.data.volumes import LARGEST, Volume, read_volume
from covidlab.errors import CovidlabError, refused


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
    """Read one scan; raises a CovidlabError as `read_series` and `covidlab.data.volumes.read_volume` do."""
    if is_nifti(path):
        return read_volume(path)
    if path.name.lower().endswith(EXTENSIONS):
        raise CovidlabError(path, "an ending in capitals", " or ".join(EXTENSIONS), "rename the file")
    if path.is_file() and is_dicom(path):
        raise CovidlabError(path, "one DICOM file", SERIES, f"name its folder, {path.parent}")
    if path.is_file() and path.suffix.lower() == ".zip":
        return _read_zipped(path)
    if path.is_file():
        remedy = "convert it to NIfTI, as SimpleITK and 3D Slicer do with .mha and .nrrd"
        raise CovidlabError(path, "a file of another kind", "NIfTI, or a folder or .zip of DICOM slices", remedy)
    return read_series(path) if path.is_dir() else read_volume(path)


def _read_zipped(path: Path) -> Volume:
    """The DICOM series in a zip archive, as viewers and archives give it out."""
    with TemporaryDirectory() as folder:
        found, remedy = "an archive that cannot be unpacked", "unpack it and name the folder"
        with refused(path, found, SERIES, remedy), zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if (size := sum(member.file_size for member in members)) > LARGEST:  # no more is unpacked than it claims
                raise CovidlabError(path, f"files of {size:,} bytes when unpacked", f"{LARGEST:,} at most", remedy)
            # All into one folder, by number: names may come twice, or point out of it.
            for k, member in enumerate(members):
                with archive.open(member) as packed, Path(folder, f"{k:06d}").open("wb") as file:
                    shutil.copyfileobj(packed, file)
        try:
            return replace(read_series(Path(folder)), path=path)
        except CovidlabError as error:
            raise CovidlabError(path, *error.told) from error
