"""One CT series in DICOM, a folder of single slices, read as a `Volume`: what a hospital's archive gives out.

Needs pydicom, the extra `dicom`. Enhanced multi-frame files and segmentations are not read: convert those to NIfTI.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.dicom_slice import (
    CONVERT,
    NUMBERS,
    SERIES,
    as_int16,
    ct_slices,
    hounsfield,
    numbers_of,
    slice_files,
)
from covidlab.data.orientation import header_at, in_millimetres
from covidlab.data.volumes import Volume, as_volume, check_claim
from covidlab.errors import CovidlabError, require

# DICOM's x and y grow to the patient's left and back, NIfTI's to the right and front.
TURN = np.diag([-1.0, -1.0, 1.0, 1.0])

# What all slices of a series share. Numbers may differ by rounding: 0.001 is half a pixel over 512.
SHARED = ("SeriesInstanceUID", "Rows", "Columns", "ImageOrientationPatient")
ROUNDING = 1e-3

# Whose it is: in a series that was made anonymous badly, single slices say otherwise than the others.
WHOSE = ("StudyInstanceUID", "PatientID")
# What tells acquisitions of one series apart. A scanner may give each turn of the gantry a number of its own: only
# those that lie among each other are not one volume.
ACQUISITION = (
    "AcquisitionNumber", "AcquisitionUID", "TemporalPositionIdentifier", "ImageType", "ConvolutionKernel", "KVP",
    "SliceThickness", "ContrastBolusAgent", "PixelSpacing",
)  # fmt: skip

# What a segmentation repeats of its slices: each must have all of it, and only what is no UID may be empty.
NAMES = ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "PatientID", "PatientName",
         "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber")  # fmt: skip

# How far a slice may lie from where even spacing puts it: in pixels along rows and columns, and in slices.
UNEVEN = (0.25, 0.25, 0.1)


def holds_slices(folder: Path) -> bool:
    """Whether any file of a folder is DICOM, by how it begins; pydicom is not needed."""
    return any(slice_files(folder))


def read_series(folder: Path) -> Volume:
    """Read the CT series in a folder; of several, the one with most slices, and a finding says so.

    The folder holds one file a slice, with any names. What is no DICOM, or no CT, is passed over; a finding says how
    many slices were left out because they are cut off or do not say where they lie. The volume is in HU, stored as
    NIfTI would be: (column, row, slice), with an affine in mm to RAS+.

    Raises a CovidlabError if pydicom is not installed; if there is no CT slice; if slices are missing, cut off within
    their pixels, or compressed in a way that cannot be read here.
    """
    slices, findings = _largest_series(folder)
    affine, order = _geometry(folder, slices, findings)
    slices = [slices[k] for k in order]
    check_claim(folder, (slices[0].Columns, slices[0].Rows, len(slices)), np.dtype(np.int16))
    voxels = np.stack([hounsfield(one) for one in slices], axis=-1)
    header, corner = header_at(voxels.shape, affine), [*voxels.shape, 1]
    findings += in_millimetres(header, affine)[1]
    if not np.allclose(header.get_qform() @ corner, affine @ corner, atol=0.1):
        header.set_qform(None, 0)
        findings.append("the gantry was tilted, so the stack is sheared: only the sform of its mask says where it lies")
    return replace(as_volume(folder, header, affine, voxels, findings), series=tuple(slices))


def _geometry(folder: Path, slices: list, findings: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The affine of a stack, mm to RAS+, and the order of its slices; refused where they do not follow each other
    evenly along a line."""

    def refusal(found: str, expected="evenly spaced slices, each once", remedy="export the whole series again"):
        return CovidlabError(folder, "; ".join([found, *findings]), expected, remedy)

    first = slices[0]
    if len(sizes := _alike(slices, ["PixelSpacing"])) > 1:
        found = " and ".join(f"PixelSpacing {group[0].PixelSpacing} in {len(group)} slices" for group in sizes)
        raise refusal(found, "one pixel size in a series", "leave the slices of one in the folder")
    across, down = numbers_of(first, "ImageOrientationPatient").reshape(2, 3)
    rows, columns = numbers_of(first, "PixelSpacing")
    if min(rows, columns) <= 0 or not np.allclose([across @ across, down @ down, across @ down], [1, 1, 0], atol=0.01):
        found = f"PixelSpacing {first.PixelSpacing}, ImageOrientationPatient {first.ImageOrientationPatient}"
        raise refusal(found, "millimetres, and two directions at right angles", CONVERT)
    if len(slices) < 2:
        raise refusal("one slice")
    places = np.array([numbers_of(one, "ImagePositionPatient") for one in slices])
    heights = places @ np.cross(across, down)
    order = np.argsort(heights, kind="stable")
    places, gaps = places[order], np.diff(heights[order])
    if twice := np.count_nonzero(gaps <= 0.01 * gaps.max()):
        found = f"{twice} of {len(slices)} slices at the place of another (two acquisitions, or copies of files)"
        raise refusal(found, remedy="leave the slices of one acquisition in the folder, each once")
    matrix = np.stack([across * columns, down * rows, (places[-1] - places[0]) / (len(slices) - 1)], axis=1)
    even = places[0] + np.arange(len(slices))[:, None] * matrix[:, 2]
    off = np.abs(np.linalg.solve(matrix, (places - even).T)).max(axis=1)
    if off[2] > UNEVEN[2]:
        raise refusal(f"distances of {gaps.min():.2f} to {gaps.max():.2f} mm between slices")
    if (off > UNEVEN).any():
        raise refusal(f"slices that lie up to {off.max():.1f} pixels beside the line through the first and the last")
    return TURN @ nib.affines.from_matvec(matrix, places[0]), order


def write_series(folder: Path, volume: Volume) -> list[Path]:
    """Write a scan as a plain CT series, one file a slice, as a scanner would: for lessons and tests, not for archives.

    HU are rounded to whole numbers; without spacing a voxel is a cube of 1 mm; UIDs are new, patient and dates empty.
    The folder is made if missing. Returns the files, feet to head. Raises a CovidlabError if pydicom is not installed.
    """
    require(folder, "dicom", "pydicom")
    import pydicom

    folder.mkdir(parents=True, exist_ok=True)
    affine = np.eye(4)[[2, 1, 0, 3]]
    if volume.spacing is not None:  # from a displayed voxel to DICOM's mm, by way of the stored one
        axes, flips = volume.orientation.axes, volume.orientation.flips
        turn = [(axes.index(axis), -1 if flips[axes.index(axis)] else 1) for axis in range(3)]
        affine = TURN @ volume.affine @ nib.orientations.inv_ornt_aff(turn, volume.voxels.shape)
    steps, first = nib.affines.to_matvec(affine)
    distances = np.linalg.norm(steps, axis=0)
    up, down, across = (steps / distances).T
    one, paths = pydicom.Dataset(), []
    for name in NAMES:
        setattr(one, name, pydicom.uid.generate_uid() if name.endswith("UID") else "")
    one.Modality, one.SOPClassUID, one.RescaleSlope, one.RescaleIntercept = "CT", pydicom.uid.CTImageStorage, 1, 0
    one.PixelSpacing = [f"{distance:.8g}" for distance in distances[1:]]
    one.ImageOrientationPatient = [f"{side:.8g}" for side in (*across, *down)]
    for k, pixels in enumerate(as_int16(volume.to_display(volume.hounsfield()))):
        one.SOPInstanceUID = pydicom.uid.generate_uid()
        one.ImagePositionPatient = [f"{side:.8g}" for side in first + k * distances[0] * up]
        one.set_pixel_data(pixels, "MONOCHROME2", bits_stored=16)
        paths.append(folder / f"slice-{k:04d}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def _largest_series(folder: Path) -> tuple[list, list[str]]:
    """The slices of the series, or of the acquisition in it, with most of them, and findings."""
    slices, left_out = ct_slices(folder, (*SHARED, *WHOSE, *ACQUISITION))
    stacks = [stack for series in _alike(slices, SHARED) for stack in _acquisitions(series)]
    largest, findings = max(stacks, key=len, default=[]), []
    for name in ("RescaleSlope", "RescaleIntercept"):
        bare = [one for one in largest if one.get(name) in (None, "")]
        if len(bare) < len(largest):  # where none has it, the stored numbers may be HU
            left_out += [f"{Path(one.filename).name} has no {name}" for one in bare]
            largest = [one for one in largest if one not in bare]
    if left_out:
        number = len(list(slice_files(folder)))
        findings.append(f"{len(left_out)} of {number} files left out, cut off or incomplete: {left_out[0]}")
    if not largest:
        below = sorted(Path(place) for place, _, _ in islice(os.walk(folder), 1, 200))  # a CD has its viewer's, too
        inside = next(filter(holds_slices, below), None)
        remedy = f"name the folder of the slices{f', such as {inside}' if inside else ''}, or {CONVERT}"
        raise CovidlabError(folder, "; ".join(["no CT slice in DICOM", *findings]), SERIES, remedy)
    if len(stacks) > 1:
        firsts = [stack[0] for stack in stacks]
        differ = [name for name in (*SHARED, *WHOSE, *ACQUISITION) if len(_alike(firsts, [name])) > 1]
        kind = "acquisitions in one series" if set(differ) <= set(ACQUISITION) else "series"
        findings.append(
            f"{len(stacks)} {kind}, which differ in {', '.join(differ)}: read the one with most slices "
            f"({len(largest)}), that of {Path(largest[0].filename).name}"
        )
    if not largest[0].get("SeriesInstanceUID"):
        findings.append("no SeriesInstanceUID: the slices are taken for one series")
    return largest, findings


def _alike(slices: list, names: Sequence[str]) -> list[list]:
    """Slices grouped by what they say under some names, numbers within rounding, however they are spelled."""
    groups: dict[tuple, list[tuple[np.ndarray, list]]] = {}
    for one in slices:
        values = [one.get(name) for name in names if name not in NUMBERS]
        said = tuple(round(a, 3) if isinstance(a, (int, float)) else str(a or "") for a in values)
        numbers = np.concatenate([[], *(numbers_of(one, name) for name in names if name in NUMBERS)])
        for known, group in groups.setdefault(said, []):
            if np.allclose(known, numbers, ROUNDING, ROUNDING):
                group.append(one)
                break
        else:
            groups[said].append((numbers, [one]))
    return [group for near in groups.values() for _, group in near]


def _acquisitions(slices: list) -> list[list]:
    """A series parted by `WHOSE` it is, then by the first of `ACQUISITION` whose values lie among each other along the
    stack; where only the whole of it is evenly spaced, it is one, whatever single slices say."""
    normal = np.cross(*numbers_of(slices[0], "ImageOrientationPatient").reshape(2, 3))

    def heights(group: list) -> np.ndarray:
        return np.sort([normal @ numbers_of(one, "ImagePositionPatient") for one in group])

    def even(group: list) -> bool:
        found = heights(group)
        line, step = np.linspace(found[0], found[-1], len(found), retstep=True)
        return len(found) < 3 or np.abs(found - line).max() <= UNEVEN[2] * step

    def apart(groups: list) -> bool:
        return even(max(groups, key=len)) or not even(slices)

    if len(groups := _alike(slices, WHOSE)) > 1 and apart(groups):
        return [stack for group in groups for stack in _acquisitions(group)]
    for name in ACQUISITION:
        groups = _alike(slices, [name])
        ends = sorted((found[0], found[-1]) for found in map(heights, groups))
        if any(after[0] <= before[1] for before, after in pairwise(ends)) and apart(groups):
            return groups
    return [slices]
