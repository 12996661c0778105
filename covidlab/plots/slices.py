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

from covidlab.data.intensities import window
from covidlab.evaluation.counts import count
from covidlab.plots.style import FALSE, FOUND, MISSED, PREDICTION, REFERENCE, legend_below, new_figure

LUNG_WINDOW = (-500, 1500)  # level and width, HU: the one in which lungs are read, and all that the slice cache keeps

WINDOW_SENTENCE = f"window: level {LUNG_WINDOW[0]} HU, width {LUNG_WINDOW[1]} HU"

OUTCOMES = {"found": FOUND, "missed": MISSED, "false": FALSE}


def draw_slice(axes: Axes, slice_: np.ndarray, title: str = "", level_width: tuple[float, float] = LUNG_WINDOW) -> None:
    """Draw one slice in grey: (rows, columns), HU or uint8 on the [-1250, 250] HU scale, through a window in HU."""
    axes.imshow(window(slice_, *level_width), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=9)
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


def slice_comparison(
    slices: np.ndarray, references: np.ndarray, predictions: np.ndarray, titles: Sequence[str]
) -> Figure:
    """Rows of slice, reference, prediction, and where the two differ."""
    figure, grid = new_figure(4, len(slices), 2.5, 2.65)
    for axes, slice_, reference, prediction, title in zip(grid, slices, references, predictions, titles):
        for panel, name in zip(axes, (title, "reference", "prediction", "found, missed, false")):
            draw_slice(panel, slice_, name)
        outline(axes[1], reference, REFERENCE)
        outline(axes[2], prediction, PREDICTION, "--")
        tint_errors(axes[3], reference, prediction)
    return _told(figure, {"reference": REFERENCE, "prediction": PREDICTION, **OUTCOMES})


def models_figure(
    slices: np.ndarray, references: np.ndarray, predictions: Mapping[str, np.ndarray], titles: Sequence[str]
) -> Figure:
    """The paper's Figs. 1, 2 and 7: rows of slice, reference, and what each model found, missed and invented.

    `predictions` holds masks by model. Over each stands the F1 of that slice, or the number of false pixels on a slice
    without lesion.
    """
    figure, grid = new_figure(2 + len(predictions), len(slices), 2.3, 2.45)
    for k, (axes, slice_, reference, title) in enumerate(zip(grid, slices, references, titles)):
        draw_slice(axes[0], slice_, title)
        draw_slice(axes[1], slice_, "reference")
        outline(axes[1], reference, REFERENCE)
        for panel, (name, masks) in zip(axes[2:], predictions.items()):
            # A negative slice has no F1; what can be said of it is how much is marked there.
            counts = count(reference.astype(bool), masks[k].astype(bool))
            score = f"F1 {counts.f1:.2f}" if reference.any() else f"{counts.fp} px false"
            draw_slice(panel, slice_, f"{name}: {score}")
            tint_errors(panel, reference, masks[k])
    return _told(figure, {"reference": REFERENCE, **OUTCOMES})


def mark_centre(axes: Axes, slice_: np.ndarray) -> None:
    """A square around the middle pixel of a slice or patch."""
    # Pixel centres lie at whole numbers, so a pixel reaches half a unit to each side.
    corner = [side // 2 - 0.5 for side in reversed(slice_.shape)]
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, color=PREDICTION, linewidth=2))


def outline_figure(slices: np.ndarray, references: np.ndarray, titles: Sequence[str], centre: bool = False) -> Figure:
    """A row of slices or patches with the outline of their reference.

    `centre` marks the middle pixel of each: of a patch it is the one in question.
    """
    figure = outlined(slices, references, titles, len(slices), REFERENCE)
    for axes, slice_ in zip(figure.axes if centre else (), slices):
        mark_centre(axes, slice_)
    return figure


def outlined(slices, masks, titles, columns: int, colour: str, style: str = "-") -> Figure:
    """Slices with the outline of their masks, so many in a row."""
    figure, grid = new_figure(columns, -(-len(slices) // columns), 2.9, 3.1)
    for axes in grid.flat[len(slices) :]:
        axes.set_axis_off()
    for axes, slice_, mask, title in zip(grid.flat, slices, masks, titles):
        draw_slice(axes, slice_, title)
        outline(axes, mask, colour, style)
    figure.suptitle(WINDOW_SENTENCE, fontsize=8)
    return figure


def uncertainty_figure(
    slices: np.ndarray, references: np.ndarray, means: np.ndarray, deviations: np.ndarray, threshold: float,
    titles: Sequence[str],
) -> Figure:
    """Rows of slice with reference, mean of many predictions, their standard deviation, and what the mean gets wrong.

    `means` and `deviations` are floats in 0..1; from `threshold` on a mean is called lesion. Doubt is a thread a pixel
    wide, so only what lies around what is marked or should be is drawn.
    """
    near = (slice(None), *_around((references > 0) | (means >= threshold), margin=8))
    slices, references, means, deviations = slices[near], references[near], means[near], deviations[near]
    height, width = slices.shape[1:]
    figure, grid = new_figure(4, len(slices), 2.5, float(np.clip(2.4 * height / width + 0.7, 1.4, 4.0)))
    for axes, slice_, reference, mean, deviation, title in zip(grid, slices, references, means, deviations, titles):
        draw_slice(axes[0], slice_, title)
        outline(axes[0], reference, REFERENCE)
        axes[1].imshow(mean, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        # 0.5 is the most that numbers in 0..1 can spread; a fifth of that is rare.
        axes[2].imshow(deviation, cmap="viridis", vmin=0, vmax=0.1, interpolation="nearest")
        for panel, words in zip(axes[1:3], ("mean probability", "standard deviation")):
            panel.set_title(words, fontsize=9)
            panel.set_axis_off()
        draw_slice(axes[3], slice_, "found, missed, false")
        tint_errors(axes[3], reference, mean >= threshold)
    for panels, beyond in zip((grid[:, 1], grid[:, 2]), ("neither", "max")):
        picture = panels[-1].images[0]
        figure.colorbar(picture, ax=panels, location="bottom", shrink=0.8, fraction=0.05, extend=beyond)
    return _told(figure, {"reference": REFERENCE, **OUTCOMES})


def _told(figure: Figure, colours: dict[str, str]) -> Figure:
    """The figure with its window above and its colours below."""
    figure.suptitle(WINDOW_SENTENCE, fontsize=8)
    legend_below(figure, colours)
    return figure


def _around(marked: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns that hold all that is marked on any of several slices, and a margin; all where nothing is."""
    places = np.nonzero(marked.any(axis=0))
    if not len(places[0]):
        return slice(None), slice(None)
    return tuple(slice(max(at.min() - margin, 0), at.max() + margin + 1) for at in places)
