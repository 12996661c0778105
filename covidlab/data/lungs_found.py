"""The lungs of a scan as found: shares of them, what to know before a mask in them is believed, their grey."""

from dataclasses import dataclass, field

import numpy as np

from covidlab.data.grid import WHOLE
from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU

RIGHT, LEFT = 1, 2
SIDES = {"right": RIGHT, "left": LEFT}  # The patient's
LOPSIDED = 2 / 3  # of the other lung's size: below, something is amiss; of 15 real scans the least is 0.78
AIR = 0.15, 0.62  # of the body across: outside of these lungs are full, or stand alone; 15 real scans have 0.30 to 0.49
CLOSEST = 0.75  # of the grid's side: nearer no scan is brought
THICK = 0.3  # of the body's depth, behind a lung: more is no wall alone; 15 real scans have 0.14 to 0.25


@dataclass(frozen=True, eq=False)
class Lungs:
    """The lungs of a scan, or why there are none."""

    sides: np.ndarray  # uint8 (slices, rows, columns): 1 in the patient's right lung, 2 in the left, 0 elsewhere
    near: np.ndarray  # Bool of the same shape: the lungs and `MARGIN` around them, where a lesion may lie
    reason: str  # Why the mask is empty, in a sentence; "" where lungs were found
    window: tuple[slice, slice] = WHOLE  # Rows and columns that were looked at, for a network to look at, too
    # Share of the body's depth, 0..1, that lies behind the "right" and the "left" lung, where found
    walls: dict[str, float] = field(default_factory=dict)
    ends: tuple[str, ...] = ()  # Where the scan ends within the lungs: "lower end", "upper end", "picture's edge"
    gap: bool = False  # Whether slices without any lung lie between slices with some
    air: float = 0.4  # The lungs' air as a share of the body, in the slice that has most
    every: int = 1  # Slices of the scan that one of these stands for; the last may stand for fewer

    @property
    def mask(self) -> np.ndarray:
        """Bool (slices, rows, columns): in either lung."""
        return self.sides > 0

    @property
    def findings(self) -> tuple[str, ...]:
        """What to know before a mask within these lungs is believed, in sentences."""
        if self.reason:
            return (f"WARNING: {self.reason}: nothing is marked",)
        found = [
            f"WARNING: {thick:.0%} of the chest's depth lies behind the {name} lung, where a wall takes some 20 %: "
            "if fluid or dense lung is there, mask and share lack it"
            for name, thick in self.walls.items()
            if thick > THICK
        ]
        sizes = {name: np.count_nonzero(self.sides == side) for name, side in SIDES.items()}
        small, large = sorted(sizes, key=sizes.get)
        if (share := sizes[small] / max(sizes[large], 1)) < LOPSIDED:  # of a few pixels both may be rounded away
            how = f"{share:.0%} of the {large} one's size" if share else "not found"
            why = "if dense lesions or fluid fill it, or it has collapsed, mask and share lack what is in there"
            found.append(f"WARNING: the {small} lung is {how}: {why}")
        if self.ends:
            where = " and the ".join(self.ends)
            found.append(f"WARNING: the scan ends within the lungs at its {where}: shares are of the part it shows")
        if self.gap:
            found.append("WARNING: slices without lung lie between others: are some blank, or two scans in one file?")
        if not AIR[0] < self.air < AIR[1]:
            dense = "dense lesions or fluid fill both, mask and shares lack what is in there"
            alone = "the scan is blackened or cut off around them, mask and shares are not to be believed"
            why = dense if self.air < AIR[0] else alone
            found.append(f"WARNING: lungs take {self.air:.0%} of the body across, where 30 to 50 % are usual: if {why}")
        return tuple(found)

    def involvement(self, marked: np.ndarray) -> dict[str, float]:
        """Share of the patient's "right" and "left" lung, where found, that is marked (bool, each slice): 0..1."""
        of, shares = np.arange(len(marked)) // self.every, {}
        for name, side in SIDES.items():
            lung = self.sides == side
            if whole := np.count_nonzero(lung, axis=(1, 2))[of].sum():
                shares[name] = float(sum(np.count_nonzero(lung[k] & one) for k, one in zip(of, marked)) / whole)
        return shares


def tone(slices: np.ndarray, lungs: Lungs, level: float) -> np.ndarray:
    """A table, uint8 (256,), from greys on the [-1250, 250] HU scale to greys that have healthy lung at `level`, 0..1.

    - `slices`, uint8 (slices, rows, columns): a scan, and `lungs` those found in it. Its healthy lung is the median of
      what is thinner than -500 HU in them; what is denser is vessel, wall or lesion.

    Greys of -750 HU move whole, others the less the farther, and those 450 HU off, such as soft tissue, not at all (not
    in the paper).
    """
    hu = np.linspace(LOWEST_HU, HIGHEST_HU, 256)
    greys = np.sum([np.bincount(one[inside], minlength=256) for one, inside in zip(slices, lungs.mask)], axis=0)
    thin = np.cumsum(greys * (hu < -500))
    if not thin[-1]:
        return np.arange(256, dtype=np.uint8)
    by = LOWEST_HU + level * (HIGHEST_HU - LOWEST_HU) - hu[np.searchsorted(thin, thin[-1] / 2)]
    moved = hu + by * np.clip(1 - np.abs(hu + 750) / 450, 0, 1)
    return np.rint(np.interp(moved, hu, np.arange(256))).astype(np.uint8)


def square(near: np.ndarray, share: float) -> tuple[slice, slice]:
    """Rows and columns of a square within a grid; lungs fill `share`, 0..1, of its side, unless it would be smaller
    than `CLOSEST` of the grid, or larger than the grid.

    - `near`, bool (grid, grid): where the lungs are in any slice; somewhere they must be.
    """
    size, found = len(near), []
    ends = [np.flatnonzero(near.any(axis=axis))[[0, -1]] + (0, 1) for axis in (1, 0)]
    side = round(np.clip(max(np.ptp(ends, axis=1)) / share, CLOSEST * size, size))
    for first, last in ends:
        start = min(max(round((first + last - side) / 2), 0), size - side)
        found.append(slice(start, start + side))
    return tuple(found)
