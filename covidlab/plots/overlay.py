"""A picture beside each mask: some slices of the scan with what is marked, to look at before a mask is believed."""

from pathlib import Path

import numpy as np

from covidlab.data.folders import case_name
from covidlab.data.volumes import Volume
from covidlab.plots.slices import outline_figure
from covidlab.plots.style import save

OVERLAID = 6  # slices of a scan in its overlay picture


def overlaid_slices(marked: np.ndarray) -> np.ndarray:
    """Positions of a few slices that show a mask, from foot to head: in each part of those marked, the most marked one.

    `marked` holds the number of marked pixels of each slice. Where there are none the slices come from all over the
    scan.

    >>> overlaid_slices(np.array([0, 0, 4, 9, 0, 1])).tolist()
    [2, 3, 5]
    """
    positive = np.flatnonzero(marked)
    parts = np.array_split(positive if len(positive) else np.arange(len(marked)), OVERLAID)
    return np.array([part[np.argmax(marked[part])] for part in parts if len(part)])


def overlay_path(mask: Path) -> Path:
    """Where the picture of a mask goes: beside it, as a PNG of the same name."""
    return mask.parent / f"{case_name(mask)}.png"


def draw_overlay(mask: Path, volume: Volume, marked: np.ndarray) -> None:
    """Write the picture that belongs beside the file of a mask. It names slices, nothing of the patient.

    `marked` is the mask, bool (slices, rows, columns) in display orientation.
    """
    shown = overlaid_slices(np.count_nonzero(marked, axis=(1, 2)))
    titles = [f"slice {k} of {len(marked)}" for k in shown]
    figure = outline_figure(volume.slices(shown), marked[shown], titles, of="prediction")
    for axes in figure.axes[: len(shown)]:
        for x, side in ((0.02, "R"), (0.95, "L")):  # the patient's right is on the left
            axes.text(x, 0.92, side, color="white", fontsize=11, transform=axes.transAxes)
    save(figure, overlay_path(mask))
