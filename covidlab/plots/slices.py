"""Plots of slices: with outlines, side by side, with what was found, missed and invented.

Slices always lie the same way (spine down, the patient's right on the left) and in the same window.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from covidlab.data.intensities import window
from covidlab.evaluation.counts import count
from covidlab.plots.style import (
    FALSE,
    FOUND,
    MISSED,
    OUTCOME_HANDLES,
    PREDICTION,
    REFERENCE,
    new_figure,
)

LUNG_WINDOW = (-500, 1500)  # level and width, HU: the one in which lungs are read, and all that the slice cache keeps

WINDOW_SENTENCE = f"window: level {LUNG_WINDOW[0]} HU, width {LUNG_WINDOW[1]} HU"


def draw_slice(axes: Axes, slice_: np.ndarray, title: str = "", level_width: tuple[float, float] = LUNG_WINDOW) -> None:
    """Draw one slice in grey.

    Parameters
    ----------
    axes : Axes
    slice_ : uint8 array (rows, columns)
        On the [-1250, 250] HU scale, in display orientation.
    title : str
    level_width : (float, float)
        The window, HU.
    """
    axes.imshow(window(slice_, *level_width), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def outline(axes: Axes, mask: np.ndarray, colour: str, style: str = "-") -> None:
    """Draw the border of a mask; nothing for an empty one."""
    if mask.any():
        axes.contour(np.asarray(mask, dtype=float), levels=[0.5], colors=[colour], linewidths=1.3, linestyles=[style])


def tint_errors(axes: Axes, reference: np.ndarray, prediction: np.ndarray) -> None:
    """Colour the lesion pixels that were found and missed, and the healthy ones that were marked.

    Parameters
    ----------
    axes : Axes
    reference, prediction : bool arrays (rows, columns)
    """
    layer = np.zeros((*reference.shape, 4), np.uint8)
    for mask, colour in (
        (reference & prediction, FOUND), (reference & ~prediction, MISSED), (~reference & prediction, FALSE),
    ):  # fmt: skip
        layer[mask] = (*bytes.fromhex(colour[1:]), 191)
    axes.imshow(layer, interpolation="nearest")


def slice_comparison(
    slices: np.ndarray, references: np.ndarray, predictions: np.ndarray, titles: Sequence[str]
) -> Figure:
    """Rows of slice, reference, prediction, and where the two differ.

    Parameters
    ----------
    slices : uint8 array (n, rows, columns)
    references, predictions : 0/1 arrays of the same shape
    titles : sequence of n str
        Case and slice of each row.

    Returns
    -------
    Figure
    """
    figure, grid = new_figure(4, len(slices), 2.5, 2.65)
    for axes, slice_, reference, prediction, title in zip(grid, slices, references, predictions, titles):
        reference, prediction = reference.astype(bool), prediction.astype(bool)
        draw_slice(axes[0], slice_, title)
        draw_slice(axes[1], slice_, "reference")
        outline(axes[1], reference, REFERENCE)
        draw_slice(axes[2], slice_, "prediction")
        outline(axes[2], prediction, PREDICTION, "--")
        draw_slice(axes[3], slice_, "found, missed, false")
        tint_errors(axes[3], reference, prediction)
    figure.suptitle(WINDOW_SENTENCE, fontsize=8)
    handles = [Patch(color=REFERENCE, label="reference"), Patch(color=PREDICTION, label="prediction")]
    handles += OUTCOME_HANDLES
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    return figure


def models_figure(
    slices: np.ndarray, references: np.ndarray, predictions: Mapping[str, np.ndarray], titles: Sequence[str]
) -> Figure:
    """The paper's Figs. 1, 2 and 7: rows of slice, reference, and what each model found, missed and invented.

    Parameters
    ----------
    slices : uint8 array (n, rows, columns)
    references : 0/1 array of the same shape
    predictions : mapping of model name -> 0/1 array of the same shape
    titles : sequence of n str
        Case and slice of each row.

    Returns
    -------
    Figure
        Over each prediction the F1 of that slice, or the number of false pixels on a slice without lesion.
    """
    figure, grid = new_figure(2 + len(predictions), len(slices), 2.3, 2.45)
    for k, (axes, slice_, title) in enumerate(zip(grid, slices, titles)):
        reference = references[k].astype(bool)
        draw_slice(axes[0], slice_, title)
        draw_slice(axes[1], slice_, "reference")
        outline(axes[1], reference, REFERENCE)
        for place, (name, masks) in zip(axes[2:], predictions.items()):
            prediction = masks[k].astype(bool)
            # A negative slice has no F1; what can be said of it is how much is marked there.
            score = f"F1 {count(reference, prediction).f1:.2f}" if reference.any() else f"{prediction.sum()} px false"
            draw_slice(place, slice_, f"{name}: {score}")
            tint_errors(place, reference, prediction)
    figure.suptitle(WINDOW_SENTENCE, fontsize=8)
    handles = [Patch(color=REFERENCE, label="reference"), *OUTCOME_HANDLES]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def mark_centre(axes: Axes, slice_: np.ndarray) -> None:
    """A square around the middle pixel of a slice or patch."""
    # Pixel centres lie at whole numbers, so a pixel reaches half a unit to each side.
    corner = [side // 2 - 0.5 for side in reversed(slice_.shape)]
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, color=PREDICTION, linewidth=2))


def outline_figure(
    slices: np.ndarray, references: np.ndarray, titles: Sequence[str], centre: bool = False
) -> Figure:
    """A row of slices or patches with the outline of their reference.

    Parameters
    ----------
    slices : uint8 array (n, rows, columns)
    references : 0/1 array of the same shape
    titles : sequence of n str
        Case and slice of each.
    centre : bool
        Whether the middle pixel of each is marked: of a patch it is the one in question.

    Returns
    -------
    Figure
    """
    figure = outlined(slices, references, titles, len(slices), REFERENCE)
    for axes, slice_ in zip(figure.axes if centre else (), slices):
        mark_centre(axes, slice_)
    return figure


def outlined(slices, masks, titles, columns: int, colour: str, style: str = "-") -> Figure:
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

    Doubt is a thread a pixel wide, so only what lies around what is marked or should be is drawn.

    Parameters
    ----------
    slices : uint8 array (n, rows, columns)
    references : 0/1 array of the same shape
    means, deviations : float arrays of the same shape, in 0..1
    threshold : float
        From which the mean is called lesion.
    titles : sequence of n str
        Case and slice of each row.

    Returns
    -------
    Figure
    """
    near = (slice(None), *_around((references > 0) | (means >= threshold), margin=8))
    slices, references, means, deviations = slices[near], references[near], means[near], deviations[near]
    height, width = slices.shape[1:]
    figure, grid = new_figure(4, len(slices), 2.5, float(np.clip(2.4 * height / width + 0.7, 1.4, 4.0)))
    pictures = []
    for axes, slice_, reference, mean, deviation, title in zip(grid, slices, references, means, deviations, titles):
        reference = reference.astype(bool)
        draw_slice(axes[0], slice_, title)
        outline(axes[0], reference, REFERENCE)
        pictures = [
            axes[1].imshow(mean, cmap="magma", vmin=0, vmax=1, interpolation="nearest"),
            # 0.5 is the most that numbers in 0..1 can spread; a fifth of that is rare.
            axes[2].imshow(deviation, cmap="viridis", vmin=0, vmax=0.1, interpolation="nearest"),
        ]
        draw_slice(axes[3], slice_, "found, missed, false")
        tint_errors(axes[3], reference, mean >= threshold)
        for place, words in zip(axes[1:3], ("mean probability", "standard deviation")):
            place.set_title(words, fontsize=9)
            place.set_axis_off()
    for column, picture, beyond in zip((1, 2), pictures, ("neither", "max")):
        figure.colorbar(picture, ax=grid[:, column], location="bottom", shrink=0.8, fraction=0.05, extend=beyond)
    figure.suptitle(WINDOW_SENTENCE, fontsize=8)
    handles = [Patch(color=REFERENCE, label="reference"), *OUTCOME_HANDLES]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _around(marked: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns that hold all that is marked on any of several slices, and a margin; all where nothing is."""
    box = []
    for axis in (1, 0):
        where = np.flatnonzero(marked.any(axis=0).any(axis=axis))
        box.append(slice(max(where[0] - margin, 0), where[-1] + margin + 1) if len(where) else slice(None))
    return tuple(box)
