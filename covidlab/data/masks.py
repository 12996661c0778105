"""A mask of infection: read onto its scan's voxels, written with its scan's geometry and nothing else of its header."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.folders import is_nifti
from covidlab.data.orientation import corners_apart, disbelief, geometry
from covidlab.data.volumes import Volume, read_nifti, sides
from covidlab.errors import CovidlabError
from covidlab.files import whole_file

# What of a header says where voxels lie; all else of a scan's header may name the patient and is never copied.
GEOMETRY = (
    "dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip


def read_mask(path: str | os.PathLike, like: Volume | None = None) -> np.ndarray:
    """Read a mask of infection: uint8 (x, y, z), 0 and 1, in the stored order of its scan, `like`.

    A mask that is stored in another order, by its affine and the scan's, is turned to the scan's. Raises as
    `read_volume` does; and for another shape or another place than the scan's, or values other than 0 and 1.
    """
    return read_mask_with_findings(path, like)[0]


def read_mask_with_findings(path: str | os.PathLike, like: Volume | None = None) -> tuple[np.ndarray, list[str]]:
    """`read_mask`, and what is odd about the file, in plain sentences."""
    path = Path(path)
    header, affine, voxels, findings = read_nifti(path)
    if like is not None:
        voxels, more = _on_the_scans_voxels(path, header, affine, voxels, like)
        findings = findings + more
    values = np.unique(voxels)
    # A header's slope, or another's arithmetic, leaves 1.000001 of a 1.
    if not (np.isclose(values, 0, atol=1e-3) | np.isclose(values, 1, atol=1e-3)).all():
        shown = ", ".join(f"{value:g}" for value in values[:5]) + (" …" if len(values) > 5 else "")
        remedy = "write lesion as 1 and everything else as 0"
        if values.max() == 3 and np.isin(values, (0, 1, 2, 3)).all():
            remedy += "; if 1 and 2 are the lungs and 3 is infection, take the record's Infection_Mask instead"
        raise CovidlabError(path, f"a mask with the values {shown}", "only 0 and 1", remedy)
    return np.rint(voxels).astype(np.uint8), findings


def _on_the_scans_voxels(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, like: Volume
) -> tuple[np.ndarray, list[str]]:
    """A mask's voxels in its scan's stored order, and what is odd about that; refused where they lie elsewhere."""
    shape, findings, to_scan = voxels.shape, [], None
    believed = (like.spacing is not None, disbelief(header, affine) is None)
    if all(believed):
        to_scan = np.linalg.inv(like.affine) @ affine  # the mask's voxels -> the scan's
        turn = nib.io_orientation(to_scan)
        voxels, to_scan = nib.apply_orientation(voxels, turn), to_scan @ nib.orientations.inv_ornt_aff(turn, shape)
    elif any(believed):
        findings = ["of scan and mask only one has an affine to believe: they are taken to be stored in the same order"]
    if voxels.shape != like.voxels.shape:
        expected = f"{sides(like.voxels.shape)}, as {like.path.name} has"
        raise CovidlabError(path, f"a mask of shape {sides(shape)}", expected, "pair each scan with its own mask")
    # Software rounds affines; up to a quarter of a voxel each voxel of the mask still lies on its own.
    if to_scan is not None and (off := np.abs(corners_apart(np.eye(4), to_scan, voxels.shape)).max()) > 0.25:
        raise CovidlabError(
            path, f"a mask ({geometry(affine)}) that by its affine lies up to {off:.1f} voxels beside its scan",
            f"the place of {like.path.name} ({geometry(like.affine)})",
            "pair each scan with its own mask; one drawn on these very voxels is saved with the scan's affine",
        )  # fmt: skip
    return voxels, findings


def write_mask(path: str | os.PathLike, mask: np.ndarray, like: Volume) -> None:
    """Write a mask, 0/1 or bool (x, y, z) in the stored order of its scan, `like`, to a name ending in .nii or .nii.gz.

    It has the scan's exact affine, shape and header codes, and nothing else of its header; it is written whole or not
    at all (`covidlab.files`), its folder made if missing. Raises a CovidlabError if the mask has another shape than the
    scan or the name another ending, a CovidlabError if the place cannot be written.
    """
    path = Path(path)
    if mask.shape != like.voxels.shape:
        found, expected = f"a mask of shape {sides(mask.shape)}", sides(like.voxels.shape)
        raise CovidlabError(path, found, expected, "pass them in order")
    if not is_nifti(path):
        raise CovidlabError(path, "a name of another kind", "an ending .nii or .nii.gz", "add .nii.gz")
    header = nib.Nifti1Header()
    with np.errstate(over="ignore"):  # NIfTI-2's numbers may be too large for NIfTI-1: no place that is believed
        for field in GEOMETRY:
            header[field] = like.header[field]
    header.set_data_dtype(np.uint8)
    header["descrip"] = b"covidlab infection mask"
    # The affine is left to the header: passing one would make nibabel set codes that the scan does not have.
    bytes_ = mask.view(np.uint8) if mask.dtype == bool else mask.astype(np.uint8)
    image = nib.Nifti1Image(bytes_.reshape(like.header.get_data_shape()), None, header)
    with whole_file(path) as scratch:
        image.to_filename(scratch)
