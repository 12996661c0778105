"""Which way up a volume lies: by its affine, by the record's rule for a name, or by where its spine is."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from covidlab.data.folders import case_name, record_name
from covidlab.data.intensities import Intensities


@dataclass(frozen=True)
class Orientation:
    """How stored voxels become slices for display: foot to head, spine down, the patient's right on the left."""

    meaning: str  # What decided it, "affine", "record rule" or "picture", a colon, and the same in words
    axes: tuple[int, int, int]  # Which stored axis becomes slice, row and column
    flips: tuple[bool, bool, bool]  # Which of those three then runs backwards

    def to_display(self, array: np.ndarray) -> np.ndarray:
        """A view of a stored (x, y, z) array as (slice, row, column)."""
        return np.flip(array.transpose(self.axes), tuple(np.flatnonzero(self.flips)))

    def from_display(self, array: np.ndarray) -> np.ndarray:
        """The exact inverse of `to_display`."""
        return np.flip(array, tuple(np.flatnonzero(self.flips))).transpose(np.argsort(self.axes))


def spine_side(slices: np.ndarray) -> str:
    """Where the spine lies in slices, uint8 (slice, row, column): "down", "up", "left", "right", or "unclear".

    The brightest 2.5 % of a body's pixels are bone; near the middle of one side of the body, a tenth to four
    tenths of its depth in, they are the spine. That side is named if it has far more bone than the others.
    """
    # A hundred pixels a side show a spine as well as six hundred, and much sooner.
    thinned = max(1, min(slices.shape[1:]) // 100)
    shares = [one for one in map(_bone_by_side, _middle(slices)[:, ::thinned, ::thinned]) if one]
    bone = dict(zip(("down", "left", "up", "right"), np.mean(shares or [4 * [0]], axis=0)))
    first, second = sorted(bone, key=bone.get, reverse=True)[:2]
    return first if bone[first] >= 0.03 and bone[first] >= 1.5 * bone[second] else "unclear"


def _middle(slices: np.ndarray) -> np.ndarray:
    """A dozen slices, or up to two, of the middle third."""
    third = len(slices) // 3
    middle = slices[third : max(third + 1, len(slices) - third)]
    return middle[:: max(1, len(middle) // 12)]


def _bone_by_side(slice_: np.ndarray) -> list[float] | None:
    """How much of where a spine would lie is as bright as bone, in 0..1, if it lay down, left, up or right; None where
    there is no body."""
    body = ndimage.binary_opening(slice_ > 0.5 * np.percentile(slice_, 95), iterations=2)
    labels, found = ndimage.label(body)
    if not found:
        return None
    largest = 1 + np.argmax(np.bincount(labels.ravel())[1:])  # not the table
    body = slice_[labels == largest]
    brightest = max(np.percentile(body, 97.5), 1)
    if (body >= brightest).mean() >= 0.5:  # where a flat picture is "bright" everywhere, nothing stands out
        return 4 * [0.0]
    bright, shares = slice_[ndimage.find_objects(labels)[largest - 1]] >= brightest, []
    for turn in range(4):  # so that each side in its turn comes to lie at the bottom
        turned = np.rot90(bright, turn)
        height, middle, tenth = len(turned) - 1, (turned.shape[1] - 1) / 2, 0.1 * (turned.shape[1] - 1)
        band = turned[int(0.6 * height) : int(0.9 * height), int(middle - tenth) : int(middle + tenth) + 1]
        shares.append(float(band.mean()))
    return shares


def disbelief(header: nib.Nifti1Header, affine: np.ndarray) -> str | None:
    """Why an affine cannot be believed; None where it can."""
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return "sform and qform code 0"
    if not (np.abs(affine) < 1e15).all():  # larger ones, squared, may be infinite
        return "an affine with NaN or infinite numbers"
    flat = np.linalg.matrix_rank(affine[:3, :3]) < 3 or nib.affines.voxel_sizes(affine).min() < 1e-15
    if flat or np.isnan(nib.io_orientation(affine)).any():
        return "an affine that gives voxels no volume"
    unit = np.allclose(affine, np.eye(4)) and tuple(header.get_zooms()[:3]) == (1.0, 1.0, 1.0)
    # The lowest three bits are the unit of length; 0 is unknown.
    return "an identity affine, unit zooms, no units" if unit and int(header["xyzt_units"]) % 8 == 0 else None


def in_millimetres(header: nib.Nifti1Header, affine: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """An affine in mm, whatever unit of length its header names, and what is odd about that.

    A unit that makes no voxel of a CT, whose sides are between 0.01 and 100 mm, is not believed where mm would.
    """
    if disbelief(header, affine):
        return affine, []
    unit, factor = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}.get(int(header["xyzt_units"]) % 8, ("mm", 1.0))
    stored, sizes = (nib.affines.voxel_sizes(affine) * scale for scale in (1, factor))
    as_stored, as_said = (bool(((0.01 < one) & (one < 100)).all()) for one in (stored, sizes))
    if unit == "mm":
        warned = f"WARNING: voxels of {millimetres(sizes)}, which no CT has: check the unit of length"
        return affine, [] if as_said else [warned]
    if as_stored and not as_said:
        return affine, [f"lengths are said to be {unit}, which no CT's are: {millimetres(stored)} is believed"]
    finding = f"lengths are in {unit}: taken as mm, {millimetres(sizes)}"
    return np.diag([factor, factor, factor, 1]) @ affine, [finding if as_said else f"WARNING: {finding}"]


def header_at(shape: tuple[int, ...], affine: np.ndarray, code: int = 1) -> nib.Nifti1Header:
    """A NIfTI header whose sform and qform say where voxels lie, in mm to RAS+; with code 0 neither is believed."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_qform(affine, code)
    header.set_sform(affine, code)
    header.set_xyzt_units("mm")
    return header


def millimetres(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes) + " mm"


def geometry(affine: np.ndarray) -> str:
    """An affine in words."""
    codes = "".join(map(str, nib.aff2axcodes(affine)))
    return f"stored {codes}, voxels of {millimetres(nib.affines.voxel_sizes(affine))}"


def corners_apart(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """From where one affine puts each corner of a volume to where another does: (8, 3)."""
    corners = np.array(list(product(*((0, side - 1) for side in shape[:3]))))
    return nib.affines.apply_affine(other, corners) - nib.affines.apply_affine(one, corners)


def _contradictions(header: nib.Nifti1Header, spacing: tuple[float, float, float]) -> list[str]:
    """Where a header says twice where voxels lie, or how large they are, and not the same."""
    to_mm, findings = spacing[0] / nib.affines.voxel_sizes(header.get_best_affine())[0], []
    if int(header["sform_code"]) and int(header["qform_code"]):
        qform, sform = (np.diag([to_mm, to_mm, to_mm, 1]) @ form for form in (header.get_qform(), header.get_sform()))
        off = float(np.linalg.norm(corners_apart(qform, sform, header.get_data_shape()), axis=1).max())
        # As far as a mask may lie beside its scan.
        if np.isfinite(off) and off > 0.25 * nib.affines.voxel_sizes(sform).min():
            said = f"the qform says {geometry(qform)}, the sform {geometry(sform)}, up to {off:.4g} mm apart"
            findings.append(f"{said}: the sform is believed")
    with np.errstate(invalid="ignore"):  # some NaN cannot be cast without a warning
        zooms = to_mm * np.array(header.get_zooms()[:3], float)
    if not np.allclose(zooms, spacing, rtol=0.01):
        given = f"pixdim gives voxels of {millimetres(zooms)}, the affine {millimetres(spacing)}"
        findings.append(f"{given}: the affine is believed")
    return findings


def orient(
    path: Path, header: nib.Nifti1Header, affine: np.ndarray, voxels: np.ndarray, intensities: Intensities
) -> tuple[Orientation, tuple[float, float, float] | None, list[str]]:
    """How a volume lies, its spacing in mm where the affine can be believed, and what is odd about both."""

    def seen(orientation: Orientation) -> str:
        """The spine's side by the picture; a few slices tell it without converting the whole volume."""
        return spine_side(intensities.windowed(_middle(orientation.to_display(voxels))))

    spacing, findings = None, []
    if why := disbelief(header, affine):
        findings.append(f"no affine to believe ({why}): spacing unknown, orientation by rule")
        axis = _slice_axis(voxels.shape)
        # The record's files have their slices along the last axis.
        orientation, rule = _by_name(record_name(case_name(path))) if axis == 2 else None, "the record's rule"
        if orientation is None:
            orientation, finding = _by_picture(ALONG[axis], seen(ALONG[axis]), voxels.shape)
            return orientation, spacing, [*findings, finding]
    else:
        orientation, rule = _by_affine(affine), "the affine"
        spacing = tuple(float(side) for side in nib.affines.voxel_sizes(affine))
        along = orientation.axes[0]
        if (axis := _slice_axis(voxels.shape, unclear=along)) != along:
            findings.append(
                f"WARNING: slices follow each other along the {ORDINALS[along]} axis by the affine, by the shape "
                f"{' x '.join(map(str, voxels.shape))} along the {ORDINALS[axis]}: check the orientation"
            )
    side = seen(orientation)
    if side not in ("down", "unclear"):
        findings.append(
            f"WARNING: {rule} says that the spine is down, the picture shows it {side}: check the orientation"
        )
    return orientation, spacing, findings + (_contradictions(header, spacing) if spacing else [])


def _by_affine(affine: np.ndarray) -> Orientation:
    # For display slices follow each other to the head (S), rows to the back (P), columns to the left (L).
    display = nib.orientations.axcodes2ornt("SPL")
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), display)
    axes = tuple(int(axis) for axis in np.argsort(turn[:, 0]))
    flips = tuple(bool(turn[axis, 1] < 0) for axis in axes)
    return Orientation(f"affine: stored {''.join(nib.aff2axcodes(affine))}", axes, flips)


# np.rot90(array[:, :, z]) is rows = y backwards, columns = x; from there each collection has its own turn.
AS_ROT90 = Orientation("record rule: coronacases", (2, 1, 0), (False, True, False))


def _by_name(name: str) -> Orientation | None:
    """The record's rule for its files."""
    if name.startswith("coronacases"):
        return AS_ROT90
    if name.startswith("radiopaedia"):
        reverse = name.startswith("radiopaedia_7_85703_0")
        words = "record rule: radiopaedia, upside-down against coronacases" + (", z reversed" if reverse else "")
        return Orientation(words, (2, 1, 0), (reverse, False, False))
    return None


def _slice_axis(shape: tuple[int, ...], unclear: int = 2) -> int:
    """The axis that slices follow each other along, by the shape alone: square slices have two sides alike."""
    odd = [axis for axis in range(3) if shape.count(shape[axis]) == 1]
    return odd[0] if len(odd) == 1 else unclear


ORDINALS = ("first", "middle", "last")
# How slices along each axis are first looked at: as an array (slice, row, column) is, and as np.rot90 turns them.
ALONG = (
    Orientation("", (0, 1, 2), (False, False, False)),
    Orientation("", (1, 2, 0), (False, True, False)),
    AS_ROT90,
)


def _by_picture(looked: Orientation, side: str, shape: tuple[int, ...]) -> tuple[Orientation, str]:
    """Axial slices along the axis that the shape says, else the last; the picture alone says which way is down."""
    (slices, rows, columns), (_, up, left) = looked.axes, looked.flips
    # A flip or a quarter turn brings the spine down; left and right, and head and foot, cannot be told from a spine.
    axes, flips = {
        "up": (looked.axes, (False, not up, left)),
        "left": ((slices, columns, rows), (False, not left, up)),
        "right": ((slices, columns, rows), (False, left, not up)),
    }.get(side, (looked.axes, looked.flips))
    words = f"spine found {side}, turned down"
    if side == "unclear":
        words = f"spine direction unclear, shown as {'stored' if slices == 0 else 'np.rot90'}"
    size = f"{shape[slices]} of {shape[rows]} x {shape[columns]}"
    along = f"slices taken to lie along the {ORDINALS[slices]} axis, {size}"
    finding = f"no rule for this name: {along}; {words}; left and right, head and foot are unverified"
    return Orientation(f"picture: {words}", axes, flips), finding
