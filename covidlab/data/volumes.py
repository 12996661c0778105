"""One NIfTI file: read it, check it, say what its numbers mean and which way up it lies.

Nothing is guessed silently. What the intensities mean and how the slices are turned is decided by stated rules,
kept as a sentence with the volume, and everything odd about a file is one of its findings. This module does not
resample (see `covidlab.data.grid`) and knows nothing of cohorts or models.
"""

import gzip
import math
import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.volumeutils import apply_read_scaling

from covidlab.data.folders import is_nifti
from covidlab.data.intensities import Intensities, check_numbers, find_stretched, meaning_of
from covidlab.data.orientation import Orientation, in_millimetres, orient
from covidlab.errors import CovidlabError, reason, refused

NIFTI, AGAIN = "a NIfTI volume, .nii or .nii.gz", "copy or download the file again"
FOUR = "four dimensions, the last of length 1: read as three"

LARGEST = 2**31  # bytes of voxels as stored: 1024 x 1024 x 1023 of 16 bits, more than any chest CT has
UNZIPPED = 1032  # bytes that one byte of a zip can become, by the way zips are made
HEADER, BEHIND = 540, 2**20  # bytes of the longer of NIfTI's two headers, and bytes that may follow the voxels, unread

# nibabel repairs small faults of a header and logs each; what matters is found here.
nib.imageglobals.logger.setLevel("CRITICAL")


@dataclass(frozen=True)
class Volume:
    """A CT volume as stored, with what is known about it."""

    path: Path
    voxels: np.ndarray  # (x, y, z), in stored order and, where the header scales nothing, stored dtype
    header: nib.Nifti1Header  # Kept so that a mask can be written with the same geometry
    affine: np.ndarray  # (4, 4), in mm whatever the file's unit; means something only where `spacing` is known
    # Voxel size in mm along x, y, z by the affine; None where there is no affine to believe
    spacing: tuple[float, float, float] | None
    intensities: Intensities
    orientation: Orientation
    findings: tuple[str, ...]  # Everything odd about the file, in plain sentences
    # Of a DICOM series pydicom's data sets without their pixels, in the order of the last axis
    series: tuple = ()

    @property
    def slice_axis(self) -> int:
        """The stored axis along which slices follow each other."""
        return self.orientation.axes[0]

    @property
    def pixel_aspect(self) -> float:
        """A displayed pixel's height over its width: 1 where the file does not say, and where only rounding differs."""
        if self.spacing is None:
            return 1.0
        _, rows, columns = self.orientation.axes
        aspect = self.spacing[rows] / self.spacing[columns]
        return 1.0 if abs(aspect - 1) < 0.01 else aspect

    def to_display(self, array: np.ndarray) -> np.ndarray:
        """Any array in stored order -> (slice, row, column): foot to head, spine down, patient's right on the left."""
        return self.orientation.to_display(array)

    def from_display(self, array: np.ndarray) -> np.ndarray:
        """The exact inverse of `to_display`."""
        return self.orientation.from_display(array)

    def slices(self, part: slice | np.ndarray = slice(None)) -> np.ndarray:
        """The volume for display and for models: uint8 (slices, rows, columns), [-1250, 250] HU as 0..255.

        Where slices were stretched one by one, HU are estimated: see `unstretch`. A `part` of the slices, or
        positions of some, cost only their share of the work.
        """
        return self.intensities.windowed(self.to_display(self.voxels)[part])

    def hounsfield(self) -> np.ndarray:
        """Float32 HU in stored order; of a windowed file what the window left: steps of 5.9 HU, ends cut off; of
        slices stretched one by one an estimate."""
        return self.from_display(self.intensities.hounsfield(self.to_display(self.voxels)))


def read_volume(path: str | os.PathLike) -> Volume:
    """Read a CT volume from .nii or .nii.gz.

    Raises a CovidlabError if the file is missing, damaged, no NIfTI file, not three-dimensional, or holds values that
    are neither HU nor the record's window.
    """
    return as_volume(Path(path), *read_nifti(Path(path)))


def as_volume(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, findings: list[str]
) -> Volume:
    """Decide what voxels (x, y, z) that were read from somewhere mean and how they lie.

    The path is for messages, the affine in mm to RAS+; a mask is written with the header, and the findings are what
    was odd so far. Raises a CovidlabError if voxels are missing, or their values are neither HU nor the record's
    window, or a mask's.
    """
    if bad := voxels.size - np.count_nonzero(np.isfinite(voxels)) if voxels.dtype.kind == "f" else 0:
        raise CovidlabError(
            path, f"{bad} voxels that are NaN or infinite", "a number in every voxel",
            "write the scan again from its source; air is -1000 HU, not NaN",
        )  # fmt: skip
    intensities = meaning_of(path, voxels)
    orientation, spacing, of_place = orient(path, header, affine, voxels, intensities)
    if intensities.kind == "record_window":  # which axis the slices follow each other along is known only now
        intensities = find_stretched(orientation.to_display(voxels)) or intensities
    findings = (*findings, *check_numbers(path, voxels, intensities), *of_place)
    return Volume(path, voxels, header, affine, spacing, intensities, orientation, findings)


def read_nifti(path: Path) -> tuple[nib.Nifti1Header, np.ndarray, np.ndarray, list[str]]:
    """Header, affine in mm, voxels (three-dimensional, real numbers) and first findings of a NIfTI file."""
    with refused(path, "a damaged or cut-off file", f"the whole of {NIFTI}", AGAIN):
        if not path.exists():
            raise CovidlabError(path, "no such file", NIFTI, "check the name")
        if path.is_dir():
            raise CovidlabError(path, "a folder", NIFTI, "name one file in it")
        if not is_nifti(path):
            raise CovidlabError(path, "a file of another kind by its name", NIFTI, "convert the scan to NIfTI")
        try:
            image, content = _opened(path)
            stored = image.dataobj  # nibabel would copy the voxels out of the content, a large scan's 500 MB
            voxels = np.ndarray(stored.shape, stored.dtype, content, stored.offset, order="F")
            voxels = apply_read_scaling(voxels, stored.slope, stored.inter)
            if voxels.dtype == np.float64:  # what nibabel makes of a scaled integer file; float32 holds every CT number
                voxels = voxels.astype(np.float32)
        except nib.spatialimages.HeaderDataError as error:
            found = f"a header that contradicts itself ({reason(error)})"
            raise CovidlabError(path, found, NIFTI, "correct that field, or write the scan again") from error
    affine, findings = in_millimetres(image.header, image.affine)
    if voxels.ndim == 4:
        voxels = voxels[..., 0]
        findings.append(FOUR)
    return image.header, affine, voxels, findings


def _opened(path: Path) -> tuple[nib.Nifti1Image, bytearray]:
    """The image in a file without its voxels, and all the file holds, unzipped up to the checksum at the end, where
    nibabel would not come; no more than a header claims, and that only where the file can hold it."""
    size = path.stat().st_size
    if not size:
        raise CovidlabError(path, "an empty file", NIFTI, AGAIN)
    with path.open("rb") as stored:
        zipped = b"\x1f\x8b".startswith(stored.read(2))
        stored.seek(0)
        with gzip.GzipFile(fileobj=stored) if zipped else stored as file:
            start = file.read(HEADER)
            kind, offset, claimed = _claimed(path, start)
            if zipped and path.suffix != ".gz":
                raise CovidlabError(path, "a compressed file named as plain", NIFTI, f"rename it to {path.name}.gz")
            if path.suffix == ".gz" and not zipped:
                raise CovidlabError(path, "a plain file named as compressed", NIFTI, f"rename it to {path.stem}")
            if claimed > min(LARGEST, size * (UNZIPPED if zipped else 1)):
                raise EOFError(f"its header claims {claimed:,} bytes, the file has {size:,}")
            content = bytearray(start)
            while len(content) <= claimed + BEHIND and (more := file.read(BEHIND)):
                content += more
            if not claimed <= len(content) <= claimed + BEHIND:
                raise EOFError(f"its header claims {claimed:,} bytes, and it holds fewer, or many more")
    before = _with_a_rotation(path, kind.header_class, bytes(content[: max(offset, HEADER)]))
    return kind.from_bytes(before), content


def _claimed(path: Path, start: bytes) -> tuple[type[nib.Nifti1Image], int, int]:
    """Which NIfTI a file is, and how many bytes its header claims, before the voxels and in all; refused where they are
    no scan's."""
    kinds = (nib.Nifti1Image, nib.Nifti2Image)
    kind = next((kind for kind in kinds if kind.header_class.may_contain_header(start)), None)
    if not kind:
        raise CovidlabError(path, "no NIfTI header (is it text, or another format?)", NIFTI, AGAIN)
    size = kind.header_class.template_dtype.itemsize
    header = kind.header_class(start[:size], check=False)
    shape, dtype, offset = header.get_data_shape(), header.get_data_dtype(), header.get_data_offset()
    if offset < size:  # of 0 nibabel would read the header as voxels
        raise nib.spatialimages.HeaderDataError(f"voxels from byte {offset}, where the header still is")
    return kind, offset, offset + check_claim(path, shape, dtype)


def check_claim(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """The bytes of voxels that a header claims; a CovidlabError, before anything is allocated, where they are no
    scan's, or too many."""
    if dtype.kind not in "iufb":
        raise CovidlabError(path, f"voxels of type {dtype}", "one grey value a voxel", "convert it to grey values")
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        remedy = "stack a scan's slices into one volume" if len(shape) < 3 else "save one volume a file"
        if len(shape) > 3 and sum(side > 1 for side in shape) <= 3:
            axis = "first axis" if shape[0] == 1 else "axes"
            remedy = f"remove the {axis} of length 1, so that x, y, z are left"
        raise CovidlabError(path, f"{len(shape)} dimensions ({sides(shape)})", "three: x, y, z", remedy)
    if min(shape) < 1:
        raise CovidlabError(path, f"a volume without voxels ({sides(shape)})", "at least one slice", AGAIN)
    claimed = math.prod(map(int, shape)) * dtype.itemsize
    if claimed > LARGEST:
        raise CovidlabError(path, f"a claim of {sides(shape)} voxels", f"at most {LARGEST >> 30} GiB", "crop the scan")
    return claimed


def _with_a_rotation(path: Path, kind: type[nib.Nifti1Header], content: bytes) -> bytes:
    """A file's content, where its quaternion is longer than 1 with one that is not, which nibabel would not take.

    Software rounds; a much longer one is no rotation, and refused where no sform says where voxels lie; so are voxels
    without a size, for which nibabel would take 1 mm.
    """
    size = kind.template_dtype.itemsize
    header, names = kind(content[:size], check=False), ("quatern_b", "quatern_c", "quatern_d")
    by_qform = header["qform_code"] > 0 and header["sform_code"] == 0
    if by_qform and not header["pixdim"][1:4].all():
        raise CovidlabError(
            path, f"a pixdim of {sides(header['pixdim'][1:4])}, and no sform", "how large a voxel is, in mm",
            "write that into pixdim, or a qform code of 0 if nobody knows",
        )  # fmt: skip
    length = float(np.linalg.norm([float(header[name]) for name in names]))
    if not length > 1:
        return content
    if length > 1.01 and by_qform:
        raise CovidlabError(
            path, f"a qform whose quaternion is {length:.4g} long", "a rotation, of length 1 at most",
            "write the scan again with its sform, or with a qform code of 0 if its place does not matter",
        )  # fmt: skip
    for name in names:
        header[name] = header[name] / length
    return header.binaryblock + content[size:]


def sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
