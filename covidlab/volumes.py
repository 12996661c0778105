"""One NIfTI file: read it, check it, say what its numbers mean and which way up it lies, write a mask like it.

Nothing is guessed silently. What the intensities mean and how the slices are turned is decided by stated rules,
kept as a sentence with the volume, and everything odd about a file is one of its findings. This module does not
resample (see `covidlab.grid`) and knows nothing of cohorts or models.
"""

import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib
from scipy import ndimage

from covidlab.errors import CovidlabError
from covidlab.whole_file import whole_file

# The record's window: its uint8 files hold [-1250, 250] HU as 0..255, and so do all slices of the course.
LOWEST_HU, HIGHEST_HU = -1250.0, 250.0
# What a slice that was stretched by itself is brought back by: its darkest voxel, which scanners write for air outside
# the field of view, and the median of its soft tissue, muscle and organs mixed with some fat and bone.
DARKEST_HU, SOFT_TISSUE_HU = -1024.0, 20.0
NIFTI = (".nii.gz", ".nii")
# What of a header says where voxels lie; all else of a scan's header may name the patient and is never copied.
GEOMETRY = (
    "dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip


class VolumeError(CovidlabError):
    """A file that cannot be read as a CT volume or as a mask, or a mask that cannot be written."""


@dataclass(frozen=True)
class Intensities:
    """What the stored numbers of a file mean.

    Parameters
    ----------
    kind : "hu", "record_window", "unit" or "stretched"
        Hounsfield units; the record's window as 0..255; the same window as 0..1; each slice from its own darkest to
        its own brightest voxel as 0..255, which is undone by the grey of its soft tissue.
    meaning : str
        The same in words, with the evidence.
    """

    kind: str
    meaning: str


@dataclass(frozen=True)
class Orientation:
    """How stored voxels become slices for display: foot to head, spine down, the patient's right on the left.

    Parameters
    ----------
    source : "affine", "record rule" or "picture"
        What decided it.
    meaning : str
        The same in words.
    axes : tuple of three int
        Which stored axis becomes slice, row and column.
    flips : tuple of three bool
        Which of those three then runs backwards.
    """

    source: str
    meaning: str
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def to_display(self, array: np.ndarray) -> np.ndarray:
        """A view of a stored (x, y, z) array as (slice, row, column)."""
        return np.flip(array.transpose(self.axes), [axis for axis in range(3) if self.flips[axis]])

    def from_display(self, array: np.ndarray) -> np.ndarray:
        """The exact inverse of `to_display`."""
        return np.flip(array, [axis for axis in range(3) if self.flips[axis]]).transpose(np.argsort(self.axes))


@dataclass(frozen=True)
class Volume:
    """A CT volume as stored, with what is known about it.

    Parameters
    ----------
    path : Path
    voxels : ndarray (x, y, z)
        Stored order and, where the header scales nothing, stored dtype.
    header : nibabel.Nifti1Header
        Kept so that a mask can be written with the same geometry.
    affine : float array (4, 4)
        As nibabel reads it; means something only where `spacing` is known.
    spacing : tuple of three float, or None
        Voxel size in mm along x, y, z by the affine; None where there is no affine to believe.
    intensities : Intensities
    orientation : Orientation
    findings : tuple of str
        Everything odd about the file, in plain sentences.
    """

    path: Path
    voxels: np.ndarray
    header: nib.Nifti1Header
    affine: np.ndarray
    spacing: tuple[float, float, float] | None
    intensities: Intensities
    orientation: Orientation
    findings: tuple[str, ...]

    @property
    def slice_axis(self) -> int:
        """The stored axis along which slices follow each other."""
        return self.orientation.axes[0]

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of a displayed slice."""
        _, rows, columns = self.orientation.axes
        return self.voxels.shape[rows], self.voxels.shape[columns]

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
        displayed, kind = self.to_display(self.voxels)[part], self.intensities.kind
        if kind == "stretched":
            displayed, kind = unstretch(displayed), "hu"
        windowed = np.empty(displayed.shape, np.uint8)
        for target, slice_ in zip(windowed, displayed):  # one by one: a slice stays in the processor's cache
            target[:] = _to_record_window(slice_, kind)
        return windowed

    def hounsfield(self) -> np.ndarray:
        """Float32 HU in stored order; of a windowed file what the window left: steps of 5.9 HU, ends cut off; of
        slices stretched one by one an estimate."""
        if self.intensities.kind == "hu":
            return self.voxels.astype(np.float32)
        if self.intensities.kind == "stretched":
            return self.from_display(unstretch(self.to_display(self.voxels)))
        full_scale = 255.0 if self.intensities.kind == "record_window" else 1.0
        return self.voxels.astype(np.float32) / full_scale * (HIGHEST_HU - LOWEST_HU) + LOWEST_HU


def window(slices: np.ndarray, level: float, width: float) -> np.ndarray:
    """Map a range of HU to 0..1, as a radiologist's screen does.

    Parameters
    ----------
    slices : uint8 array on the [-1250, 250] HU scale, or an array of any other dtype in HU
    level, width : float
        Centre and width of the range, HU. Lungs are read at about -500 and 1500, soft tissue at 40 and 400.

    Returns
    -------
    float32 array of the same shape in 0..1

    Raises
    ------
    ValueError
        If the width is not positive.

    Examples
    --------
    >>> window(np.array([-1250, -500, 250, 3000]), level=-500, width=1500).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    if width <= 0:
        raise ValueError(f"a window needs a positive width in HU; found {width}")
    values = slices.astype(np.float32)
    if slices.dtype == np.uint8:
        values = values / 255 * (HIGHEST_HU - LOWEST_HU) + LOWEST_HU
    return np.clip((values - (level - width / 2)) / width, 0, 1)


def read_volume(path: str | os.PathLike) -> Volume:
    """Read a CT volume from .nii or .nii.gz.

    Parameters
    ----------
    path : path

    Returns
    -------
    Volume

    Raises
    ------
    VolumeError
        If the file is missing, damaged, no NIfTI file, not three-dimensional, or holds values that are neither
        HU nor the record's window. The message names the file, what was found and what to do.
    """
    path = Path(path)
    return as_volume(path, *_read(path))


def as_volume(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, findings: list[str]
) -> Volume:
    """Decide what voxels that were read from somewhere mean and how they lie.

    Parameters
    ----------
    path : Path
        Where they come from, for messages.
    header : nibabel Nifti1Header
        A mask is written with it.
    affine : float array (4, 4), mm, to RAS+
    voxels : array (x, y, z)
    findings : list of str
        What was odd so far.

    Returns
    -------
    Volume

    Raises
    ------
    VolumeError
        If voxels are missing, or their values are neither HU nor the record's window, or a mask's.
    """
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        bad = int(np.count_nonzero(~np.isfinite(voxels)))
        raise VolumeError(
            path,
            f"{bad} voxels that are NaN or infinite",
            "a number in every voxel",
            "write the scan again from its source; air is -1000 HU, not NaN",
        )
    intensities = _intensities(path, voxels)
    if intensities.kind == "hu":
        findings = findings + _check_hounsfield(path, voxels)
    orientation, spacing, more = _orientation(path, header, affine, voxels, intensities)
    # Which axis the slices follow each other along is known only now.
    if intensities.kind == "record_window" and (stretched := _stretched(orientation.to_display(voxels))):
        intensities = stretched
        findings = findings + [
            "grey values are scaled per slice, not by the record's window: HU are estimated from each slice's darkest "
            "voxel and its soft tissue, and dense tissue above it may be some tens of HU off"
        ]
    return Volume(path, voxels, header, affine, spacing, intensities, orientation, tuple(findings + more))


def read_mask(path: str | os.PathLike, like: Volume | None = None) -> np.ndarray:
    """Read a mask of infection.

    Parameters
    ----------
    path : path
    like : Volume, optional
        The scan that it belongs to, on whose voxels it must lie. A mask that is stored in another order, by its affine
        and the scan's, is turned to the scan's.

    Returns
    -------
    uint8 array (x, y, z), the scan's stored order, 0 and 1

    Raises
    ------
    VolumeError
        As `read_volume`; and for another shape or another place than the scan's, or values other than 0 and 1.
    """
    return read_mask_with_findings(path, like)[0]


def read_mask_with_findings(path: str | os.PathLike, like: Volume | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """`read_mask`, and what is odd about the file, in plain sentences."""
    path = Path(path)
    header, affine, voxels, findings = _read(path)
    if like is not None:
        voxels, more = _on_the_scans_voxels(path, header, affine, voxels, like)
        findings = findings + more
    values = np.unique(voxels)
    if not np.isin(values, (0, 1)).all():
        shown = ", ".join(f"{value:g}" for value in values[:5]) + (" …" if len(values) > 5 else "")
        remedy = "write lesion as 1 and everything else as 0"
        if np.isin(values, (0, 1, 2, 3)).all():
            remedy = "take the record's Infection_Mask: here 1 and 2 are the lungs and 3 is infection"
        raise VolumeError(path, f"a mask with the values {shown}", "only 0 and 1", remedy)
    return voxels.astype(np.uint8), tuple(findings)


def write_mask(path: str | os.PathLike, mask: np.ndarray, like: Volume) -> None:
    """Write a mask with its scan's exact affine, shape and header codes, and nothing else of the scan's header.

    Parameters
    ----------
    path : path ending in .nii or .nii.gz
        Written whole or not at all (`covidlab.whole_file`); its folder is made if missing.
    mask : 0/1 or bool array (x, y, z)
        In stored order: see `Volume.from_display`.
    like : Volume
        The scan.

    Raises
    ------
    VolumeError
        If the mask has another shape than the scan, or the name another ending.
    CovidlabError
        If the place cannot be written.
    """
    path = Path(path)
    if mask.shape != like.voxels.shape:
        raise VolumeError(
            path, f"a mask of shape {_sides(mask.shape)}", _sides(like.voxels.shape), "pass them in order"
        )
    if not path.name.endswith(NIFTI):
        raise VolumeError(path, "a name of another kind", "an ending .nii or .nii.gz", "add .nii.gz")
    header = nib.Nifti1Header()
    for field in GEOMETRY:
        header[field] = like.header[field]
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["descrip"] = b"covidlab infection mask"
    # The affine is left to the header: passing one would make nibabel set codes that the scan does not have.
    image = nib.Nifti1Image(mask.astype(np.uint8).reshape(like.header.get_data_shape()), None, header)
    content = image.to_bytes()
    with whole_file(path) as scratch:
        scratch.write_bytes(igzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def spine_side(slices: np.ndarray) -> str:
    """Where the spine lies in the picture: "down", "up", "left", "right", or "unclear".

    The brightest 2.5 % of a body's pixels are bone; near the middle of one side of the body, a tenth to four
    tenths of its depth in, they are the spine. That side is named if it has far more bone than the others.

    Parameters
    ----------
    slices : uint8 array (slices, rows, columns)

    Returns
    -------
    str
    """
    third = len(slices) // 3
    middle = slices[third : max(third + 1, len(slices) - third)]
    # A hundred pixels a side show a spine as well as six hundred, and much sooner.
    thinned = max(1, min(slices.shape[1:]) // 100)
    middle = middle[:: max(1, len(middle) // 12), ::thinned, ::thinned]
    found = [pair for pair in map(_body_and_bone, middle) if pair is not None]
    # Turn the slices so that each side in its turn comes to lie at the bottom.
    bone = {
        side: _bone_at_the_bottom([(np.rot90(body, turn), np.rot90(bright, turn)) for body, bright in found])
        for turn, side in enumerate(_SIDES)
    }
    first, second = sorted(bone, key=bone.get, reverse=True)[:2]
    return first if bone[first] >= 0.03 and bone[first] >= 1.5 * bone[second] else "unclear"


_SIDES = ("down", "left", "up", "right")


def _body_and_bone(slice_: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the body is, and where the slice is as bright as its bone; bool masks, None where there is no body."""
    body = ndimage.binary_opening(slice_ > 0.5 * np.percentile(slice_, 95), iterations=2)
    labels, found = ndimage.label(body)
    if not found:
        return None
    body = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])  # the largest part: not the table
    return body, slice_ >= max(np.percentile(slice_[body], 97.5), 1)


def _bone_at_the_bottom(slices: list[tuple[np.ndarray, np.ndarray]]) -> float:
    shares = []
    for body, bright in slices:
        rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
        top, height = rows[0], rows[-1] - rows[0]
        middle, tenth = (columns[0] + columns[-1]) / 2, 0.1 * (columns[-1] - columns[0])
        band = bright[int(top + 0.6 * height) : int(top + 0.9 * height), int(middle - tenth) : int(middle + tenth) + 1]
        if band.size:
            # Where a flat picture is "bright" everywhere, nothing stands out.
            shares.append(band.mean() if bright[body].mean() < 0.5 else 0.0)
    return float(np.mean(shares)) if shares else 0.0


def _read(path: Path) -> tuple[nib.Nifti1Header, np.ndarray, np.ndarray, list[str]]:
    """Header, affine, voxels (three-dimensional, real numbers) and first findings of a NIfTI file."""
    nifti, again = "a NIfTI volume, .nii or .nii.gz", "copy or download the file again"
    if not path.exists():
        raise VolumeError(path, "no such file", nifti, "check the name")
    if path.is_dir():
        raise VolumeError(path, "a folder", nifti, "name one file in it")
    if not path.name.endswith(NIFTI):
        raise VolumeError(path, "a file of another kind by its name", nifti, "convert the scan to NIfTI")
    if path.stat().st_size == 0:
        raise VolumeError(path, "an empty file", nifti, again)
    if name := _right_name(path):
        found = "a compressed file named as a plain one" if name.endswith(".gz") else "a plain file named as compressed"
        raise VolumeError(path, found, nifti, f"rename it to {name}")
    try:
        # nibabel repairs small header faults and logs each; what matters is found below.
        with nib.imageglobals.LoggingOutputSuppressor():
            image = _unzipped(path) if path.suffix == ".gz" else nib.load(path)
            shape, dtype = image.shape, image.get_data_dtype()
            if dtype.kind not in "iufb":
                raise VolumeError(
                    path, f"voxels of type {dtype}", "one grey value a voxel", "convert it to grey values"
                )
            if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
                raise VolumeError(
                    path,
                    f"{len(shape)} dimensions ({_sides(shape)})",
                    "three: x, y, z",
                    "stack a scan's slices into one volume" if len(shape) < 3 else "save one volume a file",
                )
            if 0 in shape:
                raise VolumeError(path, f"a volume without voxels ({_sides(shape)})", "at least one slice", again)
            voxels = np.asanyarray(image.dataobj)
    except VolumeError:
        raise
    except nib.filebasedimages.ImageFileError as error:
        raise VolumeError(path, "no NIfTI header (is it text, or another format?)", nifti, again) from error
    except (EOFError, OSError, ValueError, isal_zlib.error, nib.spatialimages.HeaderDataError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VolumeError(path, f"a damaged or cut-off file ({reason})", f"the whole of {nifti}", again) from error
    findings = []
    if voxels.ndim == 4:
        voxels = voxels[..., 0]
        findings.append("four dimensions, the last of length 1: read as three")
    if voxels.dtype == np.float64:  # what nibabel makes of a scaled integer file; float32 holds every CT number
        voxels = voxels.astype(np.float32)
    return image.header, image.affine, voxels, findings


def _right_name(path: Path) -> str | None:
    """The name that fits the content where the ending .gz, or its absence, does not; None where it does."""
    with path.open("rb") as file:
        start = file.read(nib.Nifti2Header.sizeof_hdr)
    if start.startswith(b"\x1f\x8b"):
        return None if path.suffix == ".gz" else f"{path.name}.gz"
    return path.stem if path.suffix == ".gz" and _nifti_kind(start) else None


def _nifti_kind(content: bytes) -> type[nib.Nifti1Image] | None:
    kinds = (nib.Nifti1Image, nib.Nifti2Image)
    return next((kind for kind in kinds if kind.header_class.may_contain_header(content)), None)


def _unzipped(path: Path) -> nib.Nifti1Image:
    """A zipped file, read at once: nibabel would unzip piece by piece, which takes longer than a network on 128 px."""
    content = igzip.decompress(path.read_bytes())
    kind = _nifti_kind(content)
    if not kind:
        raise nib.filebasedimages.ImageFileError(f"no NIfTI header in {path}")
    return kind.from_bytes(content)


def _on_the_scans_voxels(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, like: Volume
) -> tuple[np.ndarray, list[str]]:
    """A mask's voxels in its scan's stored order, and what is odd about that; refused where they lie elsewhere."""
    shape, findings, placed = voxels.shape, [], None
    believed = (like.spacing is not None, _disbelief(header, affine) is None)
    if all(believed):
        to_scan = np.linalg.inv(like.affine) @ affine  # the mask's voxels -> the scan's
        turn = nib.io_orientation(to_scan)
        voxels = nib.apply_orientation(voxels, turn)
        placed = to_scan @ nib.orientations.inv_ornt_aff(turn, shape)
    elif any(believed):
        findings.append(
            "of scan and mask only one has an affine to believe: they are taken to be stored in the same order"
        )
    if voxels.shape != like.voxels.shape:
        raise VolumeError(
            path,
            f"a mask of shape {_sides(shape)}",
            f"{_sides(like.voxels.shape)}, as {like.path.name} has",
            "pair each scan with its own mask",
        )
    if placed is not None:
        corners = np.array(list(product(*((0, side - 1) for side in voxels.shape))))
        off = float(np.abs(nib.affines.apply_affine(placed, corners) - corners).max())
        # Software rounds affines; up to a quarter of a voxel each voxel of the mask still lies on its own.
        if off > 0.25:
            raise VolumeError(
                path,
                f"a mask ({_geometry(affine)}) that by its affine lies up to {off:.1f} voxels beside its scan",
                f"the place of {like.path.name} ({_geometry(like.affine)})",
                "pair each scan with its own mask; one drawn on these very voxels is saved with the scan's affine",
            )
    return voxels, findings


def _geometry(affine: np.ndarray) -> str:
    return f"stored {''.join(nib.aff2axcodes(affine))}, voxels of {_millimetres(nib.affines.voxel_sizes(affine))}"


def _millimetres(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes) + " mm"


def _intensities(path: Path, voxels: np.ndarray) -> Intensities:
    low, high = float(voxels.min()), float(voxels.max())
    span = f"{voxels.dtype} from {low:g} to {high:g}"
    if low == high:
        raise VolumeError(path, f"the same value {low:g} in every voxel", "a picture", "write the scan again")
    if low < -100:
        return Intensities("hu", f"HU: {span}, and neither the record's window nor 0..1 goes below 0")
    if low >= 0 and high <= 255:
        whole = voxels.dtype.kind in "iu" or np.array_equal(voxels, np.rint(voxels))
        if (whole and high <= 3) or _has_few_values(voxels):
            raise VolumeError(
                path,
                f"a mask: {span}, a few values only",
                "a scan",
                "name the CT volume that the mask belongs to",
            )
        if whole:  # as floating point, too: what nibabel's get_fdata gives and saves
            return Intensities("record_window", f"record window: {span}, whole numbers within 0..255: [-1250, 250] HU")
        if high <= 1:
            return Intensities("unit", f"unit: {span}, so [-1250, 250] HU as 0..1")
    raise VolumeError(
        path,
        f"values of {span}",
        "HU (air near -1000), the record's 0..255 window, or 0..1",
        "apply the scanner's rescale slope and intercept, so that air is about -1000 and water 0",
    )


def _has_few_values(voxels: np.ndarray) -> bool:
    """Whether there are three values or fewer; a part of the voxels of a scan shows more at once."""
    return all(len(np.unique(part)) <= 3 for part in (voxels[::5, ::5, ::5], voxels))


def _check_hounsfield(path: Path, voxels: np.ndarray) -> list[str]:
    """Whether tissue lies where HU have it: refused where it surely lies elsewhere, a finding where there is none.

    A scan may be cropped to the lungs or lie below them, hold metal, or be blackened outside the lungs: each has air
    or tissue in its place. Scanner units (water at 1024) have neither, but much that would be bone; HU less 1024 have
    no tissue, but much that would be thinner than air. The lowest value is left out: it may be padding.
    """
    steps = tuple(slice(None, None, max(1, side // 64)) for side in voxels.shape)  # some hundred thousand voxels tell
    thinned = voxels[steps]
    inside = thinned[thinned > voxels.min()].astype(np.float32)

    def share(low: float, high: float) -> float:
        return np.count_nonzero((inside > low) & (inside < high)) / max(1, inside.size)

    tissue, gas, dense, thinner = share(-150, 200), share(-1100, -200), share(300, np.inf), share(-np.inf, -1200)
    found = None
    if gas < 0.05 and dense > 0.1:
        found = f"{dense:.0%} of the voxels above 300 and hardly any between -1100 and -200"
    elif tissue < 0.05 and thinner > 0.1:
        found = f"{thinner:.0%} of the voxels below -1200, padding left out, and hardly any near 0"
    if found:
        raise VolumeError(
            path,
            f"values that go below -100 but are no HU: {found}",
            "air near -1000 and soft tissue near 0 to 60 HU",
            "apply the scanner's rescale slope and intercept, once, to all but the padding",
        )
    if tissue < 0.01:
        return ["hardly a voxel is between -150 and 200 HU, where fat and soft tissue lie: check that these are HU"]
    return []


def _to_record_window(voxels: np.ndarray, kind: str) -> np.ndarray:
    if kind in ("record_window", "stretched"):
        return voxels.astype(np.uint8, copy=False)
    scaled = voxels.astype(np.float32)
    if kind == "hu":
        np.clip(scaled, LOWEST_HU, HIGHEST_HU, out=scaled)
        scaled -= LOWEST_HU
        scaled /= HIGHEST_HU - LOWEST_HU
    scaled *= 255
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _stretched(slices: np.ndarray) -> Intensities | None:
    """Tell slices (slice, row, column) that were each stretched to 0..255 from the record's window; None for that.

    In the window soft tissue lies at grey 200 or above, 40 % to 80 % of what is lighter than air in a chest, however
    it was averaged; air lies near 42, and what is darker is padding, mostly black. A slice stretched up to its densest
    bone or metal has hardly anything above 200, its air and lungs just above black, and a soft tissue whose grey drifts
    from slice to slice. Fewer than eight slices do not show a drift: they are taken for windowed.
    """
    if len(slices) < 8 or np.count_nonzero(slices >= 200) > 0.05 * np.count_nonzero(slices >= 64):
        return None
    if np.count_nonzero((slices > 0) & (slices <= 32)) < 0.25 * np.count_nonzero(slices):
        return None
    tissue = soft_tissue(slices)
    if np.isnan(tissue).all():
        return None
    low, middle, high = np.nanpercentile(tissue, (5, 50, 95))
    if high - low < 0.05 * middle:
        return None
    return Intensities(
        "stretched",
        f"stretched: {slices.dtype}, soft tissue drifts from grey {low:.0f} to {high:.0f}, where the record's window "
        "has it above 200, so each slice was scaled by itself; undone by its darkest voxel and its soft tissue",
    )


def soft_tissue(slices: np.ndarray) -> np.ndarray:
    """The grey of soft tissue in each of some slices (slice, row, column); nan where a slice is black.

    Muscle, organs, fat and bone are the upper three quarters of a slice's grey levels; most of them is soft tissue, so
    their median is.
    """
    return np.array([
        np.median(slice_[slice_ > slice_.max() / 4]) if slice_.max() else np.nan for slice_ in slices
    ])  # fmt: skip


def unstretch(slices: np.ndarray) -> np.ndarray:
    """Estimate HU of slices that were each scaled from their darkest to their brightest voxel.

    Two points of the scale are known again: 0 is the darkest voxel, taken for air, and the grey of soft tissue. A
    straight line through both is the scale. Slices that were padded with less than air before come out too dark.

    Parameters
    ----------
    slices : array (slice, row, column), 0 or more

    Returns
    -------
    float32 array of the same shape, HU

    Examples
    --------
    >>> unstretch(np.array([[[0.0, 9.0, 100.0, 100.0, 100.0]]])).ravel().round().tolist()
    [-1024.0, -930.0, 20.0, 20.0, 20.0]
    """
    tissue = soft_tissue(slices)
    # A black slice stays air, whatever its scale.
    slopes = (SOFT_TISSUE_HU - DARKEST_HU) / np.where(np.isnan(tissue), 1.0, tissue)
    return slices.astype(np.float32) * slopes.astype(np.float32)[:, None, None] + np.float32(DARKEST_HU)


def _disbelief(header: nib.Nifti1Header, affine: np.ndarray) -> str | None:
    """Why an affine cannot be believed; None where it can."""
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return "sform and qform code 0"
    if not np.isfinite(affine).all():
        return "an affine with NaN or infinite numbers"
    if np.linalg.matrix_rank(affine[:3, :3]) < 3 or np.isnan(nib.io_orientation(affine)).any():
        return "an affine that gives voxels no volume"
    unit = np.allclose(affine, np.eye(4)) and tuple(header.get_zooms()[:3]) == (1.0, 1.0, 1.0)
    # The lowest three bits are the unit of length; 0 is unknown.
    return "an identity affine, unit zooms, no units" if unit and int(header["xyzt_units"]) % 8 == 0 else None


def _orientation(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, intensities: Intensities
) -> tuple[Orientation, tuple[float, float, float] | None, list[str]]:
    why = _disbelief(header, affine)
    if why is None:
        directions = nib.io_orientation(affine)
        axes = tuple(int(np.flatnonzero(directions[:, 0] == world)[0]) for world in (2, 1, 0))
        # Stored towards the feet, the front or the right is the way of display for slice, row, column respectively
        # when reversed: head last, back last, left last.
        flips = tuple(bool(directions[axis, 1] == sign) for axis, sign in zip(axes, (-1, 1, 1)))
        codes = "".join(nib.aff2axcodes(affine))
        orientation = Orientation("affine", f"affine: stored {codes}", axes, flips)
        slices = _some_slices(orientation, voxels, intensities)
        findings = _warn_unless_down(slices, "the affine")
        spacing, zooms = nib.affines.voxel_sizes(affine), np.array(header.get_zooms()[:3], float)
        if not np.allclose(zooms, spacing, rtol=0.01):
            given = f"pixdim gives voxels of {_millimetres(zooms)}, the affine {_millimetres(spacing)}"
            findings.append(f"{given}: the affine is believed")
        return orientation, tuple(float(side) for side in spacing), findings
    findings = [f"no affine to believe ({why}): spacing unknown, orientation by rule"]
    # np.rot90(array[:, :, z]) is rows = y backwards, columns = x; from there each collection has its own turn.
    name = path.name.lower()
    if name.startswith("coronacases"):
        orientation = Orientation("record rule", "record rule: coronacases", (2, 1, 0), (False, True, False))
    elif name.startswith("radiopaedia"):
        reverse = name.startswith("radiopaedia_7_85703_0")
        words = "record rule: radiopaedia, upside-down against coronacases" + (", z reversed" if reverse else "")
        orientation = Orientation("record rule", words, (2, 1, 0), (reverse, False, False))
    else:
        orientation, finding = _by_picture(voxels, intensities)
        return orientation, None, [*findings, finding]
    slices = _some_slices(orientation, voxels, intensities)
    return orientation, None, findings + _warn_unless_down(slices, "the record's rule")


def _by_picture(voxels: np.ndarray, intensities: Intensities) -> tuple[Orientation, str]:
    """Axial slices assumed along the last axis; the picture alone says which way is down."""
    rot90 = Orientation("picture", "", (2, 1, 0), (False, True, False))
    side = spine_side(_some_slices(rot90, voxels, intensities))
    # A quarter turn brings the spine down; left and right, and head and foot, cannot be told from a spine.
    axes, flips = {
        "up": ((2, 1, 0), (False, False, False)),
        "left": ((2, 0, 1), (False, True, True)),
        "right": ((2, 0, 1), (False, False, False)),
    }.get(side, (rot90.axes, rot90.flips))
    words = "spine direction unclear, shown as np.rot90" if side == "unclear" else f"spine found {side}, turned down"
    finding = f"no rule for this name: {words}; left and right, head and foot are unverified"
    return Orientation("picture", f"picture: {words}", axes, flips), finding


def _some_slices(orientation: Orientation, voxels: np.ndarray, intensities: Intensities) -> np.ndarray:
    """The middle slices, enough for `spine_side`, without converting the whole volume."""
    displayed = orientation.to_display(voxels)
    third = len(displayed) // 3
    middle = displayed[third : max(third + 1, len(displayed) - third)]
    return _to_record_window(middle[:: max(1, len(middle) // 12)], intensities.kind)


def _warn_unless_down(slices: np.ndarray, rule: str) -> list[str]:
    side = spine_side(slices)
    if side in ("down", "unclear"):
        return []
    return [f"WARNING: {rule} says that the spine is down, the picture shows it {side}: check the orientation"]


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
