"""Plots of slices: with outlines, side by side, with what was found, missed and invented.

Slices always lie the same way (spine down, the patient's right on the left) and in the same window. In all that follows
they are uint8 (n, rows, columns) on the [-1250, 250] HU scale, masks are 0/1 of the same shape, and titles say case and
number of each slice.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import ndimage

from covidlab.data.intensities import window
from covidlab.evaluation.counts import count
from covidlab.plots.style import (
    FALSE,
    FOUND,
    MISSED,
    PAGE,
    PANEL,
    PREDICTION,
    REFERENCE,
    SMALL,
    TITLE,
    legend_below,
    new_figure,
)

LUNG_WINDOW = (-500, 1500)  # level and width, HU: the one in which lungs are read, and all that the slice cache keeps

WINDOW_SENTENCE = f"window: level {LUNG_WINDOW[0]} HU, width {LUNG_WINDOW[1]} HU"

SMALLEST_WHOLE = 48  # pixels: what is smaller is a patch or a piece of a slice, and is shown as it is

Box = tuple[slice, slice]  # rows and columns

OUTCOMES = {"found": FOUND, "missed": MISSED, "false": FALSE}


def draw_slice(axes: Axes, slice_: np.ndarray, title: str = "", level_width: tuple[float, float] = LUNG_WINDOW) -> None:
    """Draw one slice in grey: (rows, columns), HU or uint8 on the [-1250, 250] HU scale, through a window in HU."""
    axes.imshow(window(slice_, *level_width), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=TITLE)
    axes.set_axis_off()


def outline(axes: Axes, mask: np.ndarray, colour: str, style: str = "-") -> None:
    """Draw the border of a mask; nothing for an empty one."""
    if np.any(mask):
        axes.contour(np.asarray(mask, dtype=float), levels=[0.5], colors=[colour], linewidths=1.3, linestyles=[style])


def tint_errors(axes: Axes, reference: np.ndarray, prediction: np.ndarray) -> None:
    """Colour the lesion pixels that were found and missed, and the healthy ones that were marked."""
    reference, prediction = np.asarray(reference, bool), np.asarray(prediction, bool)
    layer = np.zeros((*reference.shape, 4), np.uint8)
    outcomes = (reference & prediction, reference & ~prediction, ~reference & prediction)
    for mask, colour in zip(outcomes, OUTCOMES.values()):
        layer[mask] = (*bytes.fromhex(colour[1:]), 191)
    axes.imshow(layer, interpolation="nearest")


def body_box(slices: np.ndarray) -> Box:
    """Rows and columns that hold the body on any of several slices: the largest piece denser than -300 HU on each.

    All of them for a cut-out smaller than `SMALLEST_WHOLE` pixels, and where nothing is as dense.
    """
    height, width = slices.shape[1:]
    if min(height, width) < SMALLEST_WHOLE:
        return slice(0, height), slice(0, width)
    body = np.zeros((height, width), bool)
    for tissue in window(slices, -300, 1) > 0.5:
        pieces, number = ndimage.label(tissue)
        sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
        body |= (pieces == sizes.argmax() + 1) & (number > 0)
    return _around(body, margin=2)


def detail_box(marked: np.ndarray, whole: Box) -> Box:
    """Rows and columns around what is marked, in the proportion of `whole` and at most as large.

    `marked` is bool (rows, columns). A quarter of the whole's height is the least: less would show no surroundings.
    """
    if not marked.any():
        return whole
    around = _around(marked, margin=4)
    scale = min(max((near.stop - near.start) / (at.stop - at.start) for near, at in zip(around, whole)), 1)
    box = []
    for near, at in zip(around, whole):
        side = round(max(scale, 0.25) * (at.stop - at.start))
        first = min(max((near.start + near.stop - side) // 2, at.start), at.stop - side)
        box.append(slice(first, first + side))
    return tuple(box)


def framed(figure_rows: int, columns: int, whole: Box) -> tuple[Figure, np.ndarray]:
    """A figure of panels in the proportion of `whole`, as wide as the page allows, and its axes."""
    width = min(PANEL, PAGE / columns)
    height, across = (at.stop - at.start for at in whole)
    return new_figure(columns, figure_rows, width, width * height / across + 0.3)


def view(axes: Axes, box: Box) -> None:
    """Show only these rows and columns of what is drawn."""
    rows, columns = box
    # Pixel centres lie at whole numbers, so a pixel reaches half a unit to each side.
    axes.set(xlim=(columns.start - 0.5, columns.stop - 0.5), ylim=(rows.stop - 0.5, rows.start - 0.5))


def slice_comparison(
    slices: np.ndarray, references: np.ndarray, predictions: np.ndarray, titles: Sequence[str]
) -> Figure:
    """Rows of a slice with its reference; then, enlarged, reference and prediction, and where the two differ."""
    whole = body_box(slices)
    figure, grid = framed(len(slices), 3, whole)
    for axes, slice_, reference, prediction, title in zip(grid, slices, references, predictions, titles):
        near = _draw_whole(axes[0], slice_, reference, (reference > 0) | (prediction > 0), whole, title)
        for panel, name in zip(axes[1:], ("reference and prediction", "found, missed, false")):
            draw_slice(panel, slice_, name)
            view(panel, near)
        outline(axes[1], reference, REFERENCE)
        outline(axes[1], prediction, PREDICTION, "--")
        tint_errors(axes[2], reference, prediction)
    return _told(figure, {"reference": REFERENCE, "prediction": PREDICTION, **OUTCOMES})


def models_figure(
    slices: np.ndarray, references: np.ndarray, predictions: Mapping[str, np.ndarray], titles: Sequence[str]
) -> Figure:
    """The paper's Figs. 1, 2 and 7: rows of a slice with its reference, and what each model found, missed and invented.

    `predictions` holds masks by model. Models are shown enlarged, all the same part of the slice, which is framed in
    the first panel. Over each stands the F1 of that slice, or the number of false pixels on a slice without lesion.
    """
    whole, panels = body_box(slices), (len(slices), 1 + len(predictions))
    figure, grid = framed(*((2, 2) if panels == (1, 4) else panels), whole)  # a single row of four would be small
    grid = grid.reshape(panels)
    for k, (axes, slice_, reference, title) in enumerate(zip(grid, slices, references, titles)):
        marked = np.any([reference, *(masks[k] for masks in predictions.values())], axis=0)
        near = _draw_whole(axes[0], slice_, reference, marked, whole, title)
        for panel, (name, masks) in zip(axes[1:], predictions.items()):
            # A negative slice has no F1; what can be said of it is how much is marked there.
            counts = count(reference.astype(bool), masks[k].astype(bool))
            score = f"F1 {counts.f1:.2f}" if reference.any() else f"{counts.fp} px false"
            draw_slice(panel, slice_, f"{name}: {score}")
            tint_errors(panel, reference, masks[k])
            view(panel, near)
    return _told(figure, {"reference": REFERENCE, **OUTCOMES})


def _draw_whole(axes: Axes, slice_, reference, marked, whole: Box, title: str) -> Box:
    """Draw a slice with its reference and a frame around what is marked; the frame, to be shown enlarged beside it."""
    draw_slice(axes, slice_, title)
    outline(axes, reference, REFERENCE)
    view(axes, whole)
    near = detail_box(np.asarray(marked, bool), whole)
    if near != whole:
        (top, bottom), (left, right) = ((at.start, at.stop) for at in near)
        corner = left - 0.5, top - 0.5
        axes.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, color="white", linewidth=0.8))
    return near


def outline_figure(slices: np.ndarray, masks: np.ndarray, titles: Sequence[str], of: str = "reference") -> Figure:
    """Slices with the outline of their masks, three in a row: `of` the "reference" or of a "prediction"."""
    colour, style = {"reference": (REFERENCE, "-"), "prediction": (PREDICTION, "--")}[of]
    whole, columns = body_box(slices), min(len(slices), 3)
    figure, grid = framed(-(-len(slices) // columns), columns, whole)
    for axes in grid.flat[len(slices) :]:
        axes.set_axis_off()
    for axes, slice_, mask, title in zip(grid.flat, slices, masks, titles):
        draw_slice(axes, slice_, title)
        outline(axes, mask, colour, style)
        view(axes, whole)
    legend_below(figure, {f"{of}; {WINDOW_SENTENCE}": colour})  # above, it would be a title of the middle slice
    return figure


def uncertainty_figure(
    slices: np.ndarray, references: np.ndarray, means: np.ndarray, deviations: np.ndarray, threshold: float,
    titles: Sequence[str],
) -> Figure:
    """Rows of a slice, enlarged: the errors of the mean of many predictions, and where these spread.

    `means` and `deviations` are floats in 0..1; from `threshold` on a mean is called lesion. Standard deviations lie
    over the slice, from 0.01 on.
    """
    whole = body_box(slices)
    figure, grid = framed(len(slices), 2, whole)
    for axes, slice_, reference, mean, deviation, title in zip(grid, slices, references, means, deviations, titles):
        found = mean >= threshold
        draw_slice(axes[0], slice_, title)
        tint_errors(axes[0], reference, found)
        draw_slice(axes[1], slice_, "standard deviation")
        # 0.5 is the most that numbers in 0..1 can spread; a tenth of that is rare.
        rare = np.ma.masked_less(deviation, 0.01)
        doubt = axes[1].imshow(rare, cmap="autumn", vmin=0, vmax=0.05, interpolation="nearest")
        outline(axes[1], reference, REFERENCE)  # what was missed is there, too, and whether it was doubted
        for panel in axes:
            view(panel, detail_box((reference > 0) | found, whole))
    figure.set_figheight(figure.get_figheight() + 1.2)  # room for the bar
    label = "standard deviation"
    figure.colorbar(doubt, ax=grid, label=label, location="bottom", shrink=0.5, fraction=0.05, extend="max")
    return _told(figure, OUTCOMES | {"reference": REFERENCE})


def _told(figure: Figure, colours: dict[str, str]) -> Figure:
    """The figure with its window above and its colours below."""
    figure.set_figheight(figure.get_figheight() + 0.4)  # or both would take their room from the panels
    figure.suptitle(WINDOW_SENTENCE, fontsize=SMALL)
    legend_below(figure, colours)
    return figure


def _around(marked: np.ndarray, margin: int) -> Box:
    """Rows and columns that hold all that is marked, and a margin; all where nothing is."""
    if not marked.any():
        marked = np.ones_like(marked)
    return tuple(
        slice(max(int(at.min()) - margin, 0), min(int(at.max()) + margin + 1, side))
        for at, side in zip(np.nonzero(marked), marked.shape)
    )
