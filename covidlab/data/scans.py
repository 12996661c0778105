"""One scan, whichever form it has: a NIfTI, MetaImage or NRRD file, or the DICOM slices of one series."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from covidlab.data.dicom import SERIES, holds_slices, is_dicom, read_series
from covidlab.data.folders import ITK, cohorts_in, halves, is_nifti, is_scan
from covidlab.data.itk import read_itk
from covidlab.data.volumes import LARGEST, Volume, read_volume
from covidlab.errors import CovidlabError, refused

SCAN = "a .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr file, or a folder or .zip of DICOM slices"


def is_single_scan(path: Path) -> bool:
    """Whether a path is one scan, a file or a folder of DICOM slices, and no folder of cases."""
    if not path.is_dir():
        return path.is_file()
    if holds_slices(path) and not all(halves(path)):  # whatever else is there, a file or folder named `images`, too
        return True
    children = list(path.glob("[!.]*"))
    cases = any(halves(path)) or cohorts_in(path) or any(map(is_scan, children))
    return not cases and any(child.is_file() for child in children)


def read_scan(path: Path) -> Volume:
    """Read one scan; raises a CovidlabError as the readers of its form do."""
    if is_nifti(path) or not path.exists():
        return read_volume(path)
    if path.is_dir():
        return read_series(path)
    if path.name.endswith(ITK):
        return read_itk(path)
    if is_scan(path):
        raise CovidlabError(path, "an ending in capitals", "small letters", "rename the file")
    if is_dicom(path):
        raise CovidlabError(path, "one DICOM file", SERIES, f"name its folder, {path.parent}")
    if path.suffix.lower() == ".zip":
        return _read_zipped(path)
    raise CovidlabError(path, "a file of another kind", SCAN, "convert it to NIfTI")


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
            if other := next((member.filename for member in members if is_scan(Path(member.filename))), None):
                raise CovidlabError(path, f"no DICOM series, but {other}", SERIES, "unpack it and name that") from error
            raise CovidlabError(path, *error.told) from error
