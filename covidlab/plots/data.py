"""Plots of the data themselves: windows, tissues, planes, findings, levels of detail, splits.

The visual grammar is that of `covidlab.plots.slices`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS, Split, shared_patients
from covidlab.data.volumes import Volume
from covidlab.phantom.findings import Finding
from covidlab.plots.slices import WINDOW_SENTENCE, body_box, draw_slice, framed, outline, view
from covidlab.plots.style import PART_COLOURS, REFERENCE, legend_below, new_figure


def windows_figure(slice_: np.ndarray, windows: Mapping[str, tuple[float, float]], title: str) -> Figure:
    """One slice, HU or uint8 on the [-1250, 250] HU scale, through several windows: (level, width) in HU by name."""
    whole = body_box(slice_[None])
    figure, (row,) = framed(1, len(windows), whole)
    for axes, (name, (level, width)) in zip(row, windows.items()):
        draw_slice(axes, slice_, f"{name}: level {level:g} HU, width {width:g} HU", (level, width))
        view(axes, whole)
    figure.suptitle(title, fontsize=9)
    return figure


def hounsfield_figure(values: np.ndarray, tissues: Mapping[str, tuple[float, float]], title: str) -> Figure:
    """The share of voxels in steps of 25 HU, on a logarithmic scale, as air outnumbers everything else.

    `values` is an array of HU, `tissues` the (lowest, highest) HU of some by name; they are drawn behind.
    """
    figure, ((axes,),) = new_figure(1, 1, 7.5, 3.1)
    edges = np.arange(-1100, 701, 25)
    share = np.histogram(values, edges)[0] / values.size
    axes.stairs(np.where(share > 0, share, np.nan), edges, color="black", linewidth=1.2)
    colours = ("0.80", "#56B4E9", "#F0E442", "#CC79A7", "#E69F00", "#009E73")
    for (name, (low, high)), colour in zip(tissues.items(), colours):
        axes.axvspan(low, high, color=colour, alpha=0.35, linewidth=0)
        axes.text((low + high) / 2, 1.02, name, fontsize=8, rotation=30, transform=axes.get_xaxis_transform())
    axes.set(xlabel="CT number, HU", ylabel="share of voxels", yscale="log", xlim=(edges[0], edges[-1]))
    figure.suptitle(title, fontsize=9)
    return figure


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
                *place, word, color="white", fontsize=8, ha=horizontal, va=vertical, transform=axes.transAxes,
                bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1},
            )  # fmt: skip
    spacing = "spacing unknown" if volume.spacing is None else f"voxel {across:.1f} x {down:.1f} x {through:.1f} mm"
    figure.suptitle(f"{spacing}; {WINDOW_SENTENCE}", fontsize=8)
    return figure


def findings_figure(findings: Sequence[Finding]) -> Figure:
    """A row of drawn findings."""
    figure, (row,) = new_figure(len(findings), 1, 2.3, 2.6)
    for axes, finding in zip(row, findings):
        draw_slice(axes, finding.hu, finding.name)
    side = findings[0].pixel * len(findings[0].hu)
    figure.suptitle(f"drawn, not scanned; {side:.0f} mm a side; {WINDOW_SENTENCE}", fontsize=8)
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
    figure.suptitle(f"{title}; {WINDOW_SENTENCE}", fontsize=8)
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
        axes.set_yticks(range(len(cases)), cases, fontsize=7)
        axes.invert_yaxis()
        shared = len(shared_patients(split, cache.patients)["test"])
        axes.set_title(f"protocol {split.protocol}: {shared} patients in both train and test", fontsize=9)
        axes.set_xlabel("slice, from the feet; long: with lesion")
    legend_below(figure, PART_COLOURS)
    return figure
