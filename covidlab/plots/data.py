"""Plots of the data themselves: planes, levels of detail, splits.

The visual grammar is that of `covidlab.plots.slices`.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS, Split, shared_patients
from covidlab.data.volumes import Volume
from covidlab.plots.slices import WINDOW_SENTENCE, body_box, draw_slice, framed, outline, view
from covidlab.plots.style import PART_COLOURS, REFERENCE, SMALL, TITLE, legend_below, new_figure


def planes_figure(volume: Volume, slice_: int, row: int, column: int) -> Figure:
    """The same place in the axial, the coronal and the sagittal plane, with the directions at the edges.

    The place is given in display order: from the feet, from the front, from the patient's right. Proportions are true
    where the file knows its spacing, else a voxel is drawn as a square.
    """
    stored = volume.spacing or (1.0, 1.0, 1.0)
    through, down, across = (stored[axis] for axis in volume.orientation.axes)
    shown = volume.slices()
    height = len(shown) - 1 - slice_  # from the head
    # Title, picture, proportion, where the place is in it, what lies at the top, the bottom, the left and the right.
    planes = (
        ("axial: seen from the feet", shown[slice_], down / across, column, row, "front back right left"),
        ("coronal: seen from the front", shown[::-1, row], through / across, column, height, "head feet right left"),
        ("sagittal: seen from the left", shown[::-1, :, column], through / down, row, height, "head feet front back"),
    )
    places = ((0.5, 0.97, "center", "top"), (0.5, 0.03, "center", "bottom"),
              (0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"))  # fmt: skip
    figure, (panels,) = new_figure(3, 1, 3.1, 3.2)
    for axes, (title, picture, aspect, x, y, directions) in zip(panels, planes):
        draw_slice(axes, picture, title)
        axes.set_aspect(aspect)
        axes.axvline(x, color="#56B4E9", linewidth=1.1, linestyle=":")
        axes.axhline(y, color="#56B4E9", linewidth=1.1, linestyle=":")
        for (*place, horizontal, vertical), word in zip(places, directions.split()):
            axes.text(
                *place, word, color="white", fontsize=SMALL, ha=horizontal, va=vertical, transform=axes.transAxes,
                bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1},
            )  # fmt: skip
    spacing = "spacing unknown" if volume.spacing is None else f"voxel {across:.1f} x {down:.1f} x {through:.1f} mm"
    figure.suptitle(f"{spacing}; {WINDOW_SENTENCE}", fontsize=SMALL)
    return figure


def detail_figure(slice_: np.ndarray, mask: np.ndarray, boxes: Sequence[tuple[slice, slice]], title: str) -> Figure:
    """The same slice answered three ways: classified, localised, segmented.

    `slice_` is uint8, `mask` 0/1 of its shape; a box is what `skimage.measure.regionprops` calls a region's `slice`.
    """
    whole = body_box(slice_[None])
    figure, (row,) = framed(1, 3, whole)
    draw_slice(row[0], slice_, f"classification: {'lesion' if np.any(mask) else 'no lesion'}")
    draw_slice(row[1], slice_, f"localisation: {len(boxes)} box{'es' * (len(boxes) != 1)}")
    for down, across in boxes:
        corner = across.start - 0.5, down.start - 0.5
        size = across.stop - across.start, down.stop - down.start
        row[1].add_patch(Rectangle(corner, *size, fill=False, edgecolor=REFERENCE, linewidth=1.3))
    draw_slice(row[2], slice_, f"segmentation: {np.count_nonzero(mask)} pixels")
    outline(row[2], mask, REFERENCE)
    for axes in row:
        view(axes, whole)
    figure.suptitle(f"{title}; {WINDOW_SENTENCE}", fontsize=SMALL)
    return figure


def split_figure(cache: SliceCache, splits: Sequence[Split]) -> Figure:
    """Which part each slice belongs to: a panel a split, a line a case from the feet on, a longer tick for lesion."""
    cases = list(dict.fromkeys(cache.cases.tolist()))
    figure, (row,) = new_figure(len(splits), 1, 4.6, 0.8 + 0.26 * len(cases))
    places = np.array([cases.index(case) for case in cache.cases])
    height = np.where(cache.positive, 0.42, 0.2)
    for axes, split in zip(row, splits):
        for part in PARTS:
            at = split.part(part)
            low, high = places[at] - height[at], places[at] + height[at]
            axes.vlines(cache.z[at], low, high, PART_COLOURS[part], linewidth=1.4)
        axes.set_yticks(range(len(cases)), cases, fontsize=8)
        axes.invert_yaxis()
        shared = len(shared_patients(split, cache.patients)["test"])
        axes.set_title(f"protocol {split.protocol}: {shared} patients in both train and test", fontsize=TITLE)
        axes.set_xlabel("slice, from the feet; long: with lesion")
    legend_below(figure, PART_COLOURS)
    return figure
