"""One CT series in DICOM, a folder of single slices, read as a `Volume`: what a hospital's archive gives out.

Needs pydicom, the extra `dicom`. Enhanced multi-frame files and segmentations are not read: convert those to NIfTI.
"""

from collections import defaultdict
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.volumes import Volume, VolumeError, as_volume

SERIES = "a folder with the .dcm slices of one CT series"
CONVERT = "convert the series to NIfTI with dcm2niix and name that file"


def read_series(folder: Path) -> Volume:
    """Read the CT series in a folder; of several, the one with most slices, and a finding says so.

    Parameters
    ----------
    folder : Path
        Holds one file a slice, with any names; files that are no DICOM are passed over.

    Returns
    -------
    Volume
        HU, stored as NIfTI would be: (column, row, slice), with an affine in mm to RAS+.

    Raises
    ------
    VolumeError
        If pydicom is not installed; if there is no CT slice; if slices differ in size, are missing, or are
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
        raise VolumeError(folder, found, "evenly spaced slices, each once", "export the whole series again")
    voxels = np.stack([_hounsfield(folder, one) for one in slices], axis=-1)

    # DICOM's x and y grow to the patient's left and back, NIfTI's to the right and front.
    origin, last = (np.array(one.ImagePositionPatient, float) for one in (slices[0], slices[-1]))
    row_distance, column_distance = (float(distance) for distance in first.PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across * column_distance, down * row_distance
    affine[:3, 2], affine[:3, 3] = (last - origin) / (len(slices) - 1), origin
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine

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
    series = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            one = pydicom.dcmread(path)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError):
            continue
        if one.get("Modality") == "CT" and "ImagePositionPatient" in one and "PixelData" in one:
            shape = (one.Rows, one.Columns, tuple(np.round(one.ImageOrientationPatient, 4)))
            series[(one.SeriesInstanceUID, shape)].append(one)
    if not series:
        raise VolumeError(folder, "no CT slice in DICOM", SERIES, f"name the folder of the slices, or {CONVERT}")
    largest = max(series.values(), key=len)
    findings = [] if len(series) == 1 else [f"{len(series)} series: read the one with most slices ({len(largest)})"]
    return largest, findings


def _hounsfield(folder: Path, one) -> np.ndarray:
    """int16 (column, row) of one slice."""
    try:
        stored = one.pixel_array
    except (RuntimeError, NotImplementedError, AttributeError, ValueError) as error:
        raise VolumeError(folder, f"pixels that cannot be unpacked ({str(error).splitlines()[0]})", SERIES,
                          CONVERT) from error  # fmt: skip
    values = stored.astype(np.float32) * float(one.get("RescaleSlope", 1)) + float(one.get("RescaleIntercept", 0))
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
