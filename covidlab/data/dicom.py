"""One CT series in DICOM, a folder of single slices, read as a `Volume`: what a hospital's archive gives out. And the
one place that tells such a folder from a NIfTI file.

Needs pydicom, the extra `dicom`. Enhanced multi-frame files and segmentations are not read: convert those to NIfTI.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.volumes import NIFTI, Volume, as_volume, read_volume
from covidlab.errors import VolumeError

SERIES = "a folder with the .dcm slices of one CT series"

CONVERT = "convert the series to NIfTI with dcm2niix and name that file"

# What a slice must say, and in how many numbers.
NEEDED = {
    "Modality": 1, "Rows": 1, "Columns": 1, "ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2,
    "PixelData": 1,
}  # fmt: skip


def read_scan(path: Path) -> Volume:
    """Read one scan, in whichever form it is.

    Parameters
    ----------
    path : Path
        A NIfTI file, or a folder with the DICOM slices of one series.

    Returns
    -------
    Volume

    Raises
    ------
    VolumeError
        As `read_series` and `covidlab.data.volumes.read_volume`.
    """
    if path.name.lower().endswith(NIFTI) and not path.name.endswith(NIFTI):
        raise VolumeError(path, "an ending in capitals", " or ".join(NIFTI), "rename the file")
    return read_series(path) if path.is_dir() and not path.name.endswith(NIFTI) else read_volume(path)


def holds_slices(folder: Path) -> bool:
    """Whether any file of a folder is DICOM, by how it begins; pydicom is not needed."""
    return any(True for _ in _dicom_files(folder))


def read_series(folder: Path) -> Volume:
    """Read the CT series in a folder; of several, the one with most slices, and a finding says so.

    Parameters
    ----------
    folder : Path
        Holds one file a slice, with any names. What is no DICOM, or no CT, is passed over; a finding says how many
        slices were left out because they are cut off or do not say where they lie.

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
    across, down = (np.array(first.ImageOrientationPatient[part], float) for part in (slice(0, 3), slice(3, 6)))
    normal = np.cross(across, down)
    height = [float(np.dot(one.ImagePositionPatient, normal)) for one in slices]
    slices = [slices[k] for k in np.argsort(height)]
    gaps = np.diff(np.sort(height))
    if len(slices) < 2 or gaps.min() <= 0 or gaps.max() > 1.1 * np.median(gaps):
        found = f"distances of {gaps.min():.2f} to {gaps.max():.2f} mm between slices" if len(gaps) else "one slice"
        found = "; ".join([found, *findings])
        raise VolumeError(folder, found, "evenly spaced slices, each once", "export the whole series again")
    voxels = np.stack([_hounsfield(one) for one in slices], axis=-1)

    # DICOM's x and y grow to the patient's left and back, NIfTI's to the right and front.
    origin, last = (np.array(one.ImagePositionPatient, float) for one in (slices[0], slices[-1]))
    row_distance, column_distance = (float(distance) for distance in first.PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across * column_distance, down * row_distance
    affine[:3, 2], affine[:3, 3] = (last - origin) / (len(slices) - 1), origin
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    if not np.abs(np.linalg.det(affine)) > 0:  # nor where a number is none
        found = f"PixelSpacing {first.PixelSpacing}, ImageOrientationPatient {first.ImageOrientationPatient}"
        raise VolumeError(folder, found, "millimetres, and two directions at right angles", CONVERT)

    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    return as_volume(folder, image.header, affine, voxels, findings)


def _largest_series(folder: Path):
    try:
        import pydicom
    except ImportError as error:
        raise VolumeError(folder, "a folder of DICOM files, and no pydicom to read it", SERIES,
                          "pip install pydicom, or convert the series to NIfTI") from error  # fmt: skip
    series, left_out = defaultdict(list), []
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
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name[0] != "." and path.name != "DICOMDIR" and not path.name.endswith(NIFTI):
            try:
                with path.open("rb") as file:
                    head = file.read(132)
            except OSError:
                yield path
            else:
                if head[128:] == b"DICM" or head[:2] in (b"\x02\x00", b"\x08\x00"):
                    yield path


def _lacking(one) -> str:
    """The first thing that a slice needs and does not have; of another modality than CT nothing is asked."""
    if one.get("Modality") not in ("CT", "", None):
        return ""
    return next((name for name, size in NEEDED.items() if not one.get(name) or np.size(one.get(name)) != size), "")


def _hounsfield(one) -> np.ndarray:
    """int16 (column, row) of one slice."""
    if "TransferSyntaxUID" not in one.file_meta:  # as old archives leave it out; pydicom has seen how it is written
        from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

        implicit, _ = one.original_encoding
        one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    try:
        stored = one.pixel_array.astype(np.float32)
        if stored.ndim != 2:
            raise ValueError(f"an array {stored.shape} for one slice")
        values = stored * float(one.get("RescaleSlope") or 1) + float(one.get("RescaleIntercept") or 0)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError) as error:
        raise VolumeError(one.filename, f"pixels that cannot be unpacked ({str(error).splitlines()[0]})", SERIES,
                          CONVERT) from error  # fmt: skip
    return np.rint(values).astype(np.int16).T


def write_series(folder: Path, volume: Volume) -> list[Path]:
    """Write a scan as a plain CT series, one file a slice, as a scanner would: for lessons and tests, not for archives.

    Parameters
    ----------
    folder : Path
        Made if missing.
    volume : Volume
        Its HU are rounded to whole numbers. Where it has no spacing, a voxel is a cube of 1 mm.

    Returns
    -------
    list of Path
        The files, from feet to head.

    Raises
    ------
    VolumeError
        If pydicom is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise VolumeError(folder, "no pydicom to write DICOM with", SERIES, "pip install pydicom") from error
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.rint(volume.to_display(volume.hounsfield())).astype(np.int16)
    first, steps = _display_geometry(volume)
    distances = np.linalg.norm(steps, axis=0)
    up, down, across = (steps / distances).T
    uid = pydicom.uid.generate_uid()
    paths = []
    for k, pixels in enumerate(stored):
        one = pydicom.Dataset()
        one.Modality, one.SeriesInstanceUID = "CT", uid
        one.SOPClassUID, one.SOPInstanceUID = pydicom.uid.CTImageStorage, pydicom.uid.generate_uid()
        one.Rows, one.Columns = pixels.shape
        one.PixelSpacing = [f"{distances[1]:.8g}", f"{distances[2]:.8g}"]
        one.ImageOrientationPatient = [f"{side:.8g}" for side in (*across, *down)]
        one.ImagePositionPatient = [f"{side:.8g}" for side in first + k * distances[0] * up]
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.PixelData = pixels.tobytes()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        paths.append(folder / f"slice-{k:04d}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def _display_geometry(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Where the first displayed voxel lies, and the steps to the next slice, row and column (a column each), in DICOM's
    mm: to the patient's left, back and head."""
    if volume.spacing is None:
        return np.zeros(3), np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    axes, flips = volume.orientation.axes, volume.orientation.flips
    corner = np.zeros(3)
    for axis, flipped in zip(axes, flips):
        corner[axis] = volume.voxels.shape[axis] - 1 if flipped else 0
    steps = affine[:3, list(axes)] * np.where(flips, -1.0, 1.0)
    return affine[:3, :3] @ corner + affine[:3, 3], steps
