"""One file of a CT series in DICOM: whether it is a slice that can be used, and its Hounsfield units."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np

from covidlab.data.folders import is_nifti
from covidlab.errors import CovidlabError, refused, require

SERIES = "a folder with the .dcm slices of one CT series"
CONVERT = "convert the series to NIfTI with dcm2niix and name that file"

# What a slice must say, and numbers in how many values; and numbers that it may leave out.
PLACE = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
NEEDED = ("Modality", "Rows", "Columns", *PLACE, "PixelData")
NUMBERS = {**PLACE, "RescaleSlope": 1, "RescaleIntercept": 1}

# What pixels of dual-energy CT are in, as RescaleType says: optical density, 0.001 mg/ml, atomic numbers, electron
# densities, percent.
NO_HU = ("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")

PADDED = -2000  # HU that stand for pixels outside the field of view whose own value would be none

DEFLATED = b"1.2.840.10008.1.2.1.99"  # how such a file says that it is zipped as a whole, to any size
LONGEST = 2**28  # bytes that are read of a file: a slice has fewer, a film may have any number


def ct_slices(folder: Path, names: Sequence[str]) -> tuple[list, list[str]]:
    """The CT slices of a folder, each once, pydicom's data sets, and of each that cannot be used its name and what it
    lacks; `names` are what else it is asked for, readable in each."""
    require(folder, "dicom", "pydicom")
    import pydicom

    slices, left_out, seen = [], [], set()
    for path in slice_files(folder):
        lacking = "has no readable header"  # what pydicom raises depends on where a file is damaged
        with suppress(CovidlabError), refused(path, lacking, SERIES, CONVERT):
            with path.open("rb") as file:
                # From a file pydicom asks for what a damaged one claims, and Python for what it may read.
                content = file.read(min(LONGEST, path.stat().st_size))
            deflated = DEFLATED in content
            one = pydicom.dcmread(BytesIO(b"" if deflated else content), force=True)
            one.filename, one.buffer = str(path), None
            [str(one.get(name)) for name in names]  # only now pydicom looks into these
            lacking = "is deflated, the whole file zipped" if deflated else _lacking(one)
        if lacking:
            left_out.append(f"{path.name} {lacking}")
        elif one.get("Modality") == "CT" and (same := hash(content)) not in seen:  # a copy is no second slice
            seen.add(same)
            slices.append(one)
    return slices, left_out


def slice_files(folder: Path) -> Iterator[Path]:
    """The DICOM files of a folder that may be slices: not hidden, not the index of a CD."""
    for path in sorted(folder.glob("[!.]*")):
        if path.is_file() and path.name.upper() != "DICOMDIR" and not is_nifti(path) and is_dicom(path):
            yield path


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does: after a preamble, or, in old archives, at once with group 2 or 8. So does
    what may not be opened, so that whoever reads it says so."""
    head = b"\x08\x00"
    with suppress(OSError), path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or head[:2] in (b"\x02\x00", b"\x08\x00")


def numbers_of(one, name: str) -> np.ndarray:
    """What a tag says, in numbers, float64; a ValueError where it is text, not finite or too few or many."""
    numbers = np.atleast_1d(np.array(one.get(name), float))
    if numbers.shape != (NUMBERS[name],) or not np.isfinite(numbers).all():
        raise ValueError(f"{NUMBERS[name]} numbers are needed")
    return numbers


def _lacking(one) -> str:
    """What makes a file no slice that can be used, in words; of another modality than CT, and of the
    index of a CD under any name, nothing is asked."""
    if one.get("Modality") not in ("CT", "", None) or "DirectoryRecordSequence" in one:
        return ""
    if int(one.get("NumberOfFrames") or 1) > 1:
        return f"holds {one.NumberOfFrames} frames in one file"
    for name in NEEDED:
        if not one.get(name) and one.get(name) != 0:
            return f"has no {name}"
    if type(one.Rows) is not int or type(one.Columns) is not int:
        return "has no Rows and Columns in numbers"
    for name in NUMBERS:
        try:
            numbers_of(one, name) if one.get(name) not in (None, "") else None
        except (ValueError, TypeError):
            return f"has no {name} in numbers, but {str(one.get(name))[:40]!r}"
    if one.get("SamplesPerPixel", 1) != 1 or one.get("PhotometricInterpretation") == "PALETTE COLOR":
        return "is a picture in colour"
    if (unit := one.get("RescaleType")) in NO_HU:
        return f"holds {unit}, not HU"
    if (one.get("HighBit") or 0) >= (one.get("BitsStored") or 16):
        return f"has its {one.BitsStored} bits up to bit {one.HighBit}, not from bit 0"
    return "has a RescaleSlope of 0" if one.get("RescaleSlope") == 0 else ""


def hounsfield(one) -> np.ndarray:
    """int16 (column, row) of one slice, which gives its pixels away."""
    implicit, _ = one.original_encoding
    # Old archives leave it out; pydicom has seen how it is written.
    one.file_meta.setdefault("TransferSyntaxUID", "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1")
    with refused(one.filename, "pixels that cannot be unpacked", SERIES, CONVERT):
        stored = one.pixel_array
        hu = stored.astype(np.float32) * float(one.get("RescaleSlope") or 1)
        hu += float(one.get("RescaleIntercept") or 0)
        hu[(stored == one.get("PixelPaddingValue")) & ((hu > 3000) | (hu < -32768))] = PADDED  # no metal
        del one.PixelData
        if hu.ndim != 2:
            raise ValueError(f"an array {hu.shape} for one slice")
        if np.count_nonzero(np.abs(hu) <= 32768) < 0.99 * hu.size:  # metal may lie beyond, no slice
            found, remedy = f"HU from {hu.min():g} to {hu.max():g}", "correct its RescaleSlope and RescaleIntercept"
            raise CovidlabError(one.filename, found, "HU that 16 bits hold", remedy)
        return as_int16(hu).T


def as_int16(values: np.ndarray) -> np.ndarray:
    """Whole numbers; what is denser or thinner than int16 can say takes its ends."""
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)
