"""What the numbers of a CT file mean, by stated rules: HU, the record's window, or slices stretched one by one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidlab.errors import CovidlabError

# The record's window: its uint8 files hold [-1250, 250] HU as 0..255, and so do all slices of the course.
LOWEST_HU, HIGHEST_HU = -1250.0, 250.0
MOST_LABELS = 20  # whole numbers up to this are parts of a body that were numbered, such as lobes: no scan is so dark
FULL_SCALE = {"record_window": 255, "unit": 1}  # what stands for its upper end

# What a slice that was stretched by itself is brought back by: its darkest voxel, which scanners write for air outside
# the field of view, and the median of its soft tissue, muscle and organs mixed with some fat and bone.
DARKEST_HU, SOFT_TISSUE_HU = -1024.0, 20.0

# What people do to scans for networks of their own.
BLACKENED, WHOLE = "all but the lungs was painted over", "take the whole scan"


@dataclass(frozen=True)
class Intensities:
    """What the stored numbers of a file mean."""

    # "hu", "record_window", "unit" or "stretched": Hounsfield units; the record's window as 0..255; the same window
    # as 0..1; each slice from its own darkest to its own brightest voxel as 0..255, which is undone by the grey of
    # its soft tissue
    kind: str
    meaning: str  # The same in words, with the evidence

    def hounsfield(self, slices: np.ndarray) -> np.ndarray:
        """Stored numbers (slice, row, column) -> HU, float32."""
        if self.kind == "stretched":
            return unstretch(slices)
        values = slices.astype(np.float32)
        return values if self.kind == "hu" else _in_hounsfield(values, FULL_SCALE[self.kind])

    def windowed(self, slices: np.ndarray) -> np.ndarray:
        """Stored numbers (slice, row, column) -> uint8, [-1250, 250] HU as 0..255."""
        if self.kind == "record_window":
            return slices.astype(np.uint8)
        windowed = np.empty(slices.shape, np.uint8)
        for k, slice_ in enumerate(slices):  # one by one: a slice stays in the processor's cache
            hu = self.hounsfield(slice_[None])[0]
            windowed[k] = np.rint(255 * window(hu, (LOWEST_HU + HIGHEST_HU) / 2, HIGHEST_HU - LOWEST_HU))
        return windowed


def _in_hounsfield(values: np.ndarray, full_scale: float) -> np.ndarray:
    """Float32 values that hold the record's window as 0 to `full_scale` -> HU."""
    return values / full_scale * (HIGHEST_HU - LOWEST_HU) + LOWEST_HU


def window(slices: np.ndarray, level: float, width: float) -> np.ndarray:
    """Map a range of HU to 0..1, float32, as a radiologist's screen does.

    - `slices`, uint8 array on the [-1250, 250] HU scale, or an array of any other dtype in HU
    - `level`, `width`, float: centre and width of the range, HU. Lungs are read at about -500 and 1500, soft tissue at
      40 and 400. A width that is not positive is a ValueError.

    >>> window(np.array([-1250, -500, 250, 3000]), level=-500, width=1500).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    if width <= 0:
        raise ValueError(f"a window needs a positive width in HU; found {width}")
    values = slices.astype(np.float32)
    if slices.dtype == np.uint8:
        values = _in_hounsfield(values, 255)
    return np.clip((values - (level - width / 2)) / width, 0, 1)


def meaning_of(path: Path, voxels: np.ndarray) -> Intensities:
    """What a file's numbers mean, by their range; a CovidlabError where they mean nothing known, or are a mask's."""
    low, high = float(voxels.min()), float(voxels.max())
    span = f"{voxels.dtype} from {low:g} to {high:g}"
    if low == high:
        raise CovidlabError(path, f"the same value {low:g} in every voxel", "a picture", "write the scan again")
    if low < -100:
        return Intensities("hu", f"HU: {span}, and neither the record's window nor 0..1 goes below 0")
    if low >= 0 and high <= 255:
        whole = voxels.dtype.kind in "iu" or np.array_equal(voxels, np.rint(voxels))
        # A part of the voxels of a scan shows more values at once.
        few_values = all(len(np.unique(part)) <= 3 for part in (voxels[::5, ::5, ::5], voxels))
        if (whole and high <= MOST_LABELS) or few_values:
            found, remedy = f"a mask: {span}, a few values only", "name the CT volume that the mask belongs to"
            raise CovidlabError(path, found, "a scan", remedy)
        if whole:  # as floating point, too: what nibabel's get_fdata gives and saves
            return Intensities("record_window", f"record window: {span}, whole numbers within 0..255: [-1250, 250] HU")
        if high <= 1:
            return Intensities("unit", f"unit: {span}, so [-1250, 250] HU as 0..1")
    raise CovidlabError(
        path, f"values of {span}", "HU (air near -1000), the record's 0..255 window, or 0..1",
        "apply the scanner's rescale slope and intercept, or undo what scaled it; air is then near -1000, water 0",
    )  # fmt: skip


def _check_hounsfield(path: Path, voxels: np.ndarray) -> list[str]:
    """Whether tissue lies where HU have it: refused where it surely lies elsewhere, a finding where there is none.

    A scan may be cropped to the lungs or lie below them, hold metal, or be blackened outside the lungs: each has air
    or tissue in its place. Scanner units (water at 1024) have neither, but much that would be bone; HU less 1024 have
    no tissue, but much that would be thinner than air. The lowest value is left out: it may be padding.
    """
    thinned, ends = _thinned(voxels), (voxels.min(), voxels.max())
    inside = thinned[thinned > ends[0]].astype(np.float32)

    def share(low: float, high: float) -> float:
        return np.count_nonzero((inside > low) & (inside < high)) / max(1, inside.size)

    tissue, gas, dense, thinner = share(-150, 200), share(-1100, -200), share(300, np.inf), share(-np.inf, -1200)
    found = None
    if gas < 0.05 and dense > 0.1:
        found = f"{dense:.0%} of the voxels above 300 and hardly any between -1100 and -200"
    elif tissue < 0.05 and thinner > 0.1:
        found = f"{thinner:.0%} of the voxels below -1200, padding left out, and hardly any near 0"
    if found:
        raise CovidlabError(
            path, f"values that go below -100 but are no HU: {found}", "air near -1000 and soft tissue near 0 to 60 HU",
            "apply the scanner's rescale slope and intercept, once, to all but the padding",
        )  # fmt: skip
    for end, cut in zip(ends, ("below {:g}, where lungs and air lie", "above {:g}, where lesions and vessels lie")):
        # A scan's own darkest or densest value is rare.
        if -900 < end < 150 and (often := np.mean(thinned == end)) > 0.02:
            value = f"WARNING: {often:.0%} of the voxels have the value {end:g}, as if HU were cut off "
            return [f"{value}{cut.format(end)}: write the scan again without that window"]
    if -200 < (value := np.median(thinned)) < 150 and (often := np.mean(thinned == value)) > 0.5:
        return [f"WARNING: {often:.0%} of the voxels have the value {value:g}, as if {BLACKENED}: {WHOLE}"]
    if tissue < 0.01:
        return [
            "hardly a voxel is between -150 and 200 HU, where fat and soft tissue lie: check that these are HU; if "
            f"{BLACKENED}, {WHOLE}"
        ]
    return []


def check_numbers(path: Path, voxels: np.ndarray, intensities: Intensities) -> list[str]:
    """What is odd about numbers by what they were taken for; a CovidlabError where they surely are no HU.

    Of grey values it is soft tissue that lies elsewhere than in the record's window. Fat, muscle and all else above
    -500 HU has a median between 208 and 245 in the record's scans and the phantom's; in [-1000, 400] HU it would be
    185, in the usual windows of soft tissue and of bone below 150.
    """
    if intensities.kind == "hu":
        return _check_hounsfield(path, voxels)
    if intensities.kind == "stretched":
        return [
            "grey values are scaled per slice, not by the record's window: HU are estimated from each slice's darkest "
            "voxel and its soft tissue, and dense tissue above it may be some tens of HU off"
        ]
    grey = _thinned(voxels).astype(np.float32) * (255 / FULL_SCALE[intensities.kind])
    lighter = grey[grey > 128]
    middle = np.median(lighter) if lighter.size else 0
    if _is_negative(grey):
        return ["WARNING: the corners are light and the middle is dark, as in a negative: turn it, 255 less each grey"]
    if 204 <= middle <= 248:
        return []
    place = f"near grey {middle:.0f} of 255" if middle else "not lighter than grey 128 of 255"
    return [
        f"WARNING: soft tissue is {place}, and in the record's window near 220: if these grey values were made with "
        f"another window, write the scan in HU; if {BLACKENED}, {WHOLE}"
    ]


def _is_negative(grey: np.ndarray) -> bool:
    """Whether a scan lies in air that is light, and all alike, where a crop's corners are fat, muscle and bone."""
    corners = grey[np.ix_([0, -1], [0, -1], [0, -1])]
    inside = grey[tuple(slice(side // 3, side - side // 3) for side in grey.shape)]
    return corners.min() > max(128, np.median(inside)) and np.ptp(corners) <= 16


def _thinned(voxels: np.ndarray) -> np.ndarray:
    """Some hundred thousand voxels, which tell as much as all."""
    return voxels[tuple(slice(None, None, max(1, side // 64)) for side in voxels.shape)]


def find_stretched(slices: np.ndarray) -> Intensities | None:
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
    low, middle, high = np.nanpercentile(_soft_tissue(slices), (5, 50, 95))
    if high - low < 0.05 * middle:
        return None
    return Intensities(
        "stretched",
        f"stretched: {slices.dtype}, soft tissue drifts from grey {low:.0f} to {high:.0f}, where the record's window "
        "has it above 200, so each slice was scaled by itself; undone by its darkest voxel and its soft tissue",
    )


def _soft_tissue(slices: np.ndarray) -> np.ndarray:
    """The grey of soft tissue in each of some slices; nan where a slice is black.

    Muscle, organs, fat and bone are the upper three quarters of a slice's grey levels; most of them is soft tissue, so
    their median is.
    """
    return np.array([np.median(one[one > one.max() / 4]) if one.max() else np.nan for one in slices])


def unstretch(slices: np.ndarray) -> np.ndarray:
    """Estimate HU, float32, of slices (slice, row, column) each scaled from their darkest to their brightest voxel.

    Two points of the scale are known again: 0 is the darkest voxel, taken for air, and the grey of soft tissue. A
    straight line through both is the scale. Slices that were padded with less than air before come out too dark.

    >>> unstretch(np.array([[[0.0, 9.0, 100.0, 100.0, 100.0]]])).ravel().round().tolist()
    [-1024.0, -930.0, 20.0, 20.0, 20.0]
    """
    slopes = (SOFT_TISSUE_HU - DARKEST_HU) / np.nan_to_num(_soft_tissue(slices), nan=1.0)  # a black slice stays air
    return slices.astype(np.float32) * slopes.astype(np.float32)[:, None, None] + np.float32(DARKEST_HU)
