"""One CT series in DICOM, a folder of single slices, read as a `Volume`: what a hospital's archive gives out.

Needs pydicom, the extra `dicom`. Enhanced multi-frame files and segmentations are not read: convert those to NIfTI.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.folders import EXTENSIONS
from covidlab.data.volumes import Volume, as_volume
from covidlab.errors import VolumeError

SERIES = "a folder with the .dcm slices of one CT series"
CONVERT = "convert the series to NIfTI with dcm2niix and name that file"

# DICOM's x and y grow to the patient's left and back, NIfTI's to the right and front.
TURN = np.diag([-1.0, -1.0, 1.0, 1.0])

# What a slice must say, and in how many numbers.
NEEDED = {
    "Modality": 1, "Rows": 1, "Columns": 1, "ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2,
    "PixelData": 1,
}  # fmt: skip


def holds_slices(folder: Path) -> bool:
    """Whether any file of a folder is DICOM, by how it begins; pydicom is not needed."""
    return any(True for _ in _dicom_files(folder))


def read_series(folder: Path) -> Volume:
    """Read the CT series in a folder; of several, the one with most slices, and a finding says so.

    The folder holds one file a slice, with any names. What is no DICOM, or no CT, is passed over; a finding says how
    many slices were left out because they are cut off or do not say where they lie.

    Returns
    -------
    Volume
        HU, stored as NIfTI would be: (column, row, slice), with an affine in mm to RAS+.

    Raises
    ------
    VolumeError
        If pydicom is not installed; if there is no CT slice; if slices are missing, cut off within their pixels, or
        compressed in a way that cannot be read here.
    """
    slices, findings = _largest_series(folder)
    first = slices[0]
    across, down = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    places = np.array([one.ImagePositionPatient for one in slices], float)
    heights = places @ np.cross(across, down)
    order, gaps = np.argsort(heights), np.diff(np.sort(heights))
    if len(slices) < 2 or gaps.min() <= 0 or gaps.max() > 1.1 * np.median(gaps):
        found = f"distances of {gaps.min():.2f} to {gaps.max():.2f} mm between slices" if len(gaps) else "one slice"
        remedy = "export the whole series again"
        raise VolumeError(folder, "; ".join([found, *findings]), "evenly spaced slices, each once", remedy)

    origin, last = places[order[[0, -1]]]
    row_distance, column_distance = map(float, first.PixelSpacing)
    steps = across * column_distance, down * row_distance, (last - origin) / (len(slices) - 1)
    affine = TURN @ nib.affines.from_matvec(np.stack(steps, axis=1), origin)
    if not np.abs(np.linalg.det(affine)) > 0:  # nor where a number is none
        found = f"PixelSpacing {first.PixelSpacing}, ImageOrientationPatient {first.ImageOrientationPatient}"
        raise VolumeError(folder, found, "millimetres, and two directions at right angles", CONVERT)

    voxels = np.stack([_hounsfield(slices[k]) for k in order], axis=-1)
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    return as_volume(folder, image.header, affine, voxels, findings)


def write_series(folder: Path, volume: Volume) -> list[Path]:
    """Write a scan as a plain CT series, one file a slice, as a scanner would: for lessons and tests, not for archives.

    HU are rounded to whole numbers; where the scan has no spacing, a voxel is a cube of 1 mm. The folder is made if
    missing. Returns the files, from feet to head. Raises a VolumeError if pydicom is not installed.
    """
    pydicom = _pydicom(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first, steps = _display_geometry(volume)
    distances = np.linalg.norm(steps, axis=0)
    up, down, across = (steps / distances).T
    uid, paths = pydicom.uid.generate_uid(), []
    for k, pixels in enumerate(np.rint(volume.to_display(volume.hounsfield())).astype(np.int16)):
        one = pydicom.Dataset()
        one.Modality, one.SeriesInstanceUID, one.SOPClassUID = "CT", uid, pydicom.uid.CTImageStorage
        one.PixelSpacing = [f"{distance:.8g}" for distance in distances[1:]]
        one.ImageOrientationPatient = [f"{side:.8g}" for side in (*across, *down)]
        one.ImagePositionPatient = [f"{side:.8g}" for side in first + k * distances[0] * up]
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.set_pixel_data(pixels, "MONOCHROME2", bits_stored=16)
        paths.append(folder / f"slice-{k:04d}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def _pydicom(folder: Path):
    """pydicom, which is an extra."""
    try:
        import pydicom
    except ImportError as error:
        remedy = "pip install pydicom, or convert the series to NIfTI"
        raise VolumeError(folder, "DICOM, and no pydicom to read or write it", SERIES, remedy) from error
    return pydicom


def _largest_series(folder: Path):
    """The slices of the series with most of them, and findings."""
    pydicom, series, left_out = _pydicom(folder), defaultdict(list), []
    paths = list(_dicom_files(folder))
    for path in paths:
        try:
            one = pydicom.dcmread(path, force=True)
            lacking = _lacking(one)
        # What pydicom raises depends on where a file is cut off.
        except (OSError, EOFError, ValueError, struct.error, pydicom.errors.BytesLengthException):
            one, lacking = None, "readable header"
        if lacking:
            left_out.append(f"{path.name} has no {lacking}")
        elif one.Modality == "CT":
            shape = (one.Rows, one.Columns, tuple(np.round(one.ImageOrientationPatient, 4)))
            series[(one.get("SeriesInstanceUID") or "", shape)].append(one)
    findings = []
    if left_out:
        findings.append(f"{len(left_out)} of {len(paths)} files left out, cut off or incomplete: {left_out[0]}")
    if not series:
        found = "; ".join(["no CT slice in DICOM", *findings])
        raise VolumeError(folder, found, SERIES, f"name the folder of the slices, or {CONVERT}")
    (uid, _), largest = max(series.items(), key=lambda item: len(item[1]))
    if len(series) > 1:
        findings.append(f"{len(series)} series: read the one with most slices ({len(largest)})")
    if not uid:
        findings.append("no SeriesInstanceUID: the slices are taken for one series")
    return largest, findings


def _dicom_files(folder: Path) -> Iterator[Path]:
    """The files of a folder that begin as DICOM does: after a preamble, or, in old archives, at once with group 2 or 8.
    Not the index of a CD; and a file that may not be opened, so that whoever reads it says so."""
    for path in sorted(folder.glob("[!.]*")):
        if path.is_file() and path.name != "DICOMDIR" and not path.name.endswith(EXTENSIONS):
            head = b"\x08\x00"
            with suppress(OSError), path.open("rb") as file:
                head = file.read(132)
            if head[128:] == b"DICM" or head[:2] in (b"\x02\x00", b"\x08\x00"):
                yield path


def _lacking(one) -> str:
    """The first thing that a slice needs and does not have; of another modality than CT nothing is asked."""
    if one.get("Modality") not in ("CT", "", None):
        return ""
    return next((name for name, size in NEEDED.items() if not one.get(name) or np.size(one.get(name)) != size), "")


def _hounsfield(one) -> np.ndarray:
    """int16 (column, row) of one slice."""
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    # Old archives leave it out; pydicom has seen how it is written.
    implicit, _ = one.original_encoding
    one.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    try:
        stored = one.pixel_array.astype(np.float32)
        if stored.ndim != 2:
            raise ValueError(f"an array {stored.shape} for one slice")
        values = stored * float(one.get("RescaleSlope") or 1) + float(one.get("RescaleIntercept") or 0)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError) as error:
        found = f"pixels that cannot be unpacked ({str(error).splitlines()[0]})"
        raise VolumeError(one.filename, found, SERIES, CONVERT) from error
    return np.rint(values).astype(np.int16).T


def _display_geometry(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Where the first displayed voxel lies, and the steps to the next slice, row and column (a column each), in DICOM's
    mm: to the patient's left, back and head."""
    if volume.spacing is None:
        return np.zeros(3), np.fliplr(np.eye(3))
    axes, flips = list(volume.orientation.axes), volume.orientation.flips
    matrix, origin = nib.affines.to_matvec(TURN @ volume.affine)
    corner = np.where(flips, np.take(volume.voxels.shape, axes) - 1, 0)
    return matrix[:, axes] @ corner + origin, matrix[:, axes] * np.where(flips, -1, 1)
