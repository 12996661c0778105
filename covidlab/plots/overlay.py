"""A picture beside each mask: some slices of the scan with what is marked, to look at before a mask is believed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from covidlab.data.folders import case_name
from covidlab.data.volumes import Volume
from covidlab.plots.slices import outlined
from covidlab.plots.style import PREDICTION, save

OVERLAID = 6  # slices of a scan in its overlay picture


def prediction_figure(slices: np.ndarray, masks: np.ndarray, titles: Sequence[str]) -> Figure:
    """Slices with the outline of what a model marked, three in a row: what to look at before a mask is believed.

    Parameters
    ----------
    slices : uint8 array (n, rows, columns)
    masks : 0/1 array of the same shape
    titles : sequence of n str

    Returns
    -------
    Figure
    """
    figure = outlined(slices, masks, titles, 3, PREDICTION, "--")
    figure.legend(handles=[Patch(color=PREDICTION, label="prediction")], loc="outside lower center", fontsize=8,
                  frameon=False)  # fmt: skip
    return figure


def overlaid_slices(marked: np.ndarray) -> np.ndarray:
    """A few slices that show a mask: from foot to head, of each part of its slices the one with most marked.

    Parameters
    ----------
    marked : int array (slices,)
        Marked pixels of each slice.

    Returns
    -------
    1-D int array
        Positions, increasing; slices from all over the scan where nothing is marked.

    Examples
    --------
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
    """Write `overlay_path`: some slices of a scan with what is marked. It names slices, nothing of the patient.

    Parameters
    ----------
    mask : Path
        Of the mask's file.
    volume : Volume
    marked : bool array (slices, rows, columns)
        In display orientation.
    """
    shown = overlaid_slices(np.count_nonzero(marked, axis=(1, 2)))
    titles = [f"slice {k} of {len(marked)}" for k in shown]
    save(prediction_figure(volume.slices(shown), marked[shown], titles), overlay_path(mask))
