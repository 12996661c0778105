"""What a viewer shows: a picture and the sentence under it, as plain functions of a few numbers.

There is no widget in here (`covidlab.plots.viewers` has them), so a view can be tested, printed and looked at without a
running notebook. The visual grammar is that of `covidlab.plots.slices`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from covidlab import paper
from covidlab.data.patches import slice_patches
from covidlab.evaluation.counts import Counts, count, count_at
from covidlab.plots.slices import WINDOW_SENTENCE, draw_slice, mark_centre, outline, tint_errors
from covidlab.plots.style import PREDICTION, REFERENCE

PANEL = 3.2  # inches a side

COLOURS = "green: found, purple: missed, yellow: marked falsely"

# Of the threshold viewer, as far up as those that a training tries.
THRESHOLDS = np.round(np.arange(0.005, 0.9975, 0.005), 3)


@dataclass(frozen=True)
class View:
    """One state of a viewer."""

    figure: Figure
    words: str  # What the picture shows, in a sentence with its numbers: alt text and readout in one


@dataclass(frozen=True)
class SliceSeries:
    """Slices to leaf through, with what experts and models marked on them.

    Parameters
    ----------
    images : uint8 array (slices, rows, columns)
        On the [-1250, 250] HU scale, in display orientation; may be a memory map.
    titles : sequence of str
        Case and number of each slice.
    references : 0/1 array of the same shape, optional
        Without it (a scan of your own) predictions are outlined instead of judged.
    predictions : mapping of str to 0/1 array of the same shape, optional
        One mask a model, under the name by which it is shown.

    Raises
    ------
    ValueError
        If there is no slice, or the shapes differ.
    """

    images: np.ndarray
    titles: Sequence[str]
    references: np.ndarray | None = None
    predictions: Mapping[str, np.ndarray] | None = None

    def __post_init__(self):
        if self.images.ndim != 3 or not len(self.images):
            raise ValueError(f"a series is (slices, rows, columns) with a slice or more; found {self.images.shape}")
        if len(self.titles) != len(self.images):
            raise ValueError(f"{len(self.images)} slices have {len(self.titles)} titles")
        for name, masks in {"reference": self.references, **(self.predictions or {})}.items():
            if masks is not None and np.shape(masks) != self.images.shape:
                raise ValueError(f"{name} has shape {np.shape(masks)}, the slices {self.images.shape}")


def slice_view(series: SliceSeries, number: int, level: float, width: float, overlay: bool) -> View:
    """A slice with its reference, and beside it each prediction.

    Parameters
    ----------
    series : SliceSeries
    number : int
        Position of the slice in the series.
    level, width : float
        The window, HU.
    overlay : bool
        Whether masks are drawn over the slices, and scores told.

    Returns
    -------
    View
        The reference is outlined in the first panel; each further panel colours what one prediction found, missed
        and marked falsely.
    """
    image, predictions = series.images[number], series.predictions or {}
    reference = None if series.references is None else series.references[number].astype(bool)
    figure, panels = _panels(1 + len(predictions))
    words = [f"{series.titles[number]}; window: level {level:g} HU, width {width:g} HU"]
    draw_slice(panels[0], image, series.titles[number], (level, width))
    if overlay and reference is not None:
        outline(panels[0], reference, REFERENCE)
        words.append(f"reference: {np.count_nonzero(reference)} lesion pixels")
    for axes, (name, masks) in zip(panels[1:], predictions.items()):
        found = masks[number].astype(bool)
        draw_slice(axes, image, name, (level, width))
        if overlay and reference is not None:
            tint_errors(axes, reference, found)
            words.append(f"{name}: {_scores(count(reference, found))}")
        elif overlay:
            outline(axes, found, PREDICTION, "--")
            words.append(f"{name}: {np.count_nonzero(found)} pixels marked")
    if overlay and reference is not None and predictions:
        words.append(COLOURS)
    return View(figure, "; ".join(words) + ".")


@dataclass(frozen=True)
class ThresholdSeries:
    """Probabilities with their reference, counted at every threshold once.

    Make it with `threshold_series`.
    """

    image: np.ndarray
    reference: np.ndarray
    probabilities: np.ndarray
    title: str
    counts: tuple[Counts, ...]
    scope: str
    chosen: float | None


def threshold_series(
    images: np.ndarray, references: np.ndarray, probabilities: np.ndarray, shown: int = 0, title: str = "",
    chosen: float | None = None,
) -> ThresholdSeries:
    """Count slices at every threshold from 0.005 to 0.995.

    Parameters
    ----------
    images : uint8 array (slices, rows, columns)
    references : 0/1 array of the same shape
    probabilities : float array of the same shape, in 0..1
    shown : int
        Which of the slices is drawn; the scores pool all of them.
    title : str
        Case and number of the drawn slice.
    chosen : float, optional
        The threshold that validation chose; a line of its own among the scores.

    Returns
    -------
    ThresholdSeries

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if not np.shape(images) == np.shape(references) == np.shape(probabilities):
        shapes = f"{np.shape(images)}, {np.shape(references)}, {np.shape(probabilities)}"
        raise ValueError(f"slices, references and probabilities need one shape; found {shapes}")
    return ThresholdSeries(
        image=images[shown],
        reference=references[shown].astype(bool),
        probabilities=np.asarray(probabilities[shown], np.float32),
        title=title,
        counts=tuple(count_at(THRESHOLDS, references, probabilities)),
        scope="this slice" if len(images) == 1 else f"{len(images)} slices, pooled",
        chosen=chosen,
    )


def threshold_view(series: ThresholdSeries, threshold: float) -> View:
    """The mask that a threshold makes, and the scores over all thresholds.

    Parameters
    ----------
    series : ThresholdSeries
    threshold : float
        0.005 to 0.995, in steps of 0.005: a pixel is marked where its probability is at least that.

    Returns
    -------
    View
    """
    place = int(np.clip(round(200 * threshold), 1, len(THRESHOLDS))) - 1
    threshold, pooled = THRESHOLDS[place], series.counts[place]
    figure, (left, right) = _panels(2)
    found = series.probabilities >= np.float32(threshold)
    draw_slice(left, series.image, series.title or "found, missed, false")
    tint_errors(left, series.reference, found)
    for name, label, style in (("precision", "precision", "-"), ("recall", "recall", "--"), ("f1", "F1", ":")):
        right.plot(THRESHOLDS, [getattr(counts, name) for counts in series.counts], style, color="black", label=label)
    right.axvline(threshold, color=PREDICTION, linewidth=2)
    if series.chosen is not None:
        right.axvline(series.chosen, color="0.5", linewidth=1, linestyle="--", label="chosen")
    right.set(xlim=(0, 1.02), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), xlabel="threshold")
    right.set_title(f"scores, {series.scope}", fontsize=9)
    right.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4,
                 columnspacing=1, handlelength=1.6)  # fmt: skip
    right.set_position([0.57, 0.24, 0.4, 0.66])
    where = f"{series.title}, " if series.title else ""
    marked = f"{where}threshold {threshold:g}: {np.count_nonzero(found)} pixels marked here"
    return View(figure, f"{marked}; {series.scope}: {_scores(pooled)}; {COLOURS}; {WINDOW_SENTENCE}.")


def patch_view(
    image: np.ndarray, reference: np.ndarray, row: int, column: int, title: str = "", size: int = paper.PATCH_SIZE
) -> View:
    """A pixel, the patch around it, and the class of its centre.

    Parameters
    ----------
    image : uint8 array (rows, columns)
    reference : 0/1 array of the same shape
    row, column : int
        The pixel. Beyond the border the slice is reflected.
    title : str
        Case and number of the slice.
    size : int, odd
        Pixels a side of the patch.

    Returns
    -------
    View
    """
    figure, (left, right) = _panels(2)
    half = size // 2
    draw_slice(left, image, title)
    outline(left, reference, REFERENCE)
    # Pixel centres lie at whole numbers, so a pixel reaches half a unit to each side.
    left.add_patch(Rectangle((column - half - 0.5, row - half - 0.5), size, size, fill=False, color=PREDICTION))
    patch = slice_patches(image, size)[row, column]
    lesion = slice_patches(np.asarray(reference), size)[row, column].astype(bool)
    draw_slice(right, patch, f"the patch, {size} x {size} pixels")
    mark_centre(right, patch)
    outline(right, lesion, REFERENCE)
    centre = "lesion" if lesion[half, half] else "healthy"
    words = f"row {row}, column {column}: the centre is {centre}; {np.count_nonzero(lesion)} of the patch's {size**2}"
    return View(figure, f"{title}, {words} pixels are lesion." if title else f"{words} pixels are lesion.")


def _panels(number: int) -> tuple[Figure, Sequence[Axes]]:
    """Panels side by side, at fixed places: a layout engine would take longer than the drawing."""
    figure = Figure(figsize=(PANEL * number, PANEL * 1.09))
    edge = 0.02 / number
    places = [(k / number + edge / 2, 0.005, 1 / number - edge, 0.91) for k in range(number)]
    return figure, [figure.add_axes(place) for place in places]


def _scores(counts: Counts) -> str:
    """Precision, recall and F1 in words; what is not defined is said, not shown as nan."""
    scores = {"precision": counts.precision, "recall": counts.recall, "F1": counts.f1}
    told = [f"{name} {value:.2f}" for name, value in scores.items() if not np.isnan(value)]
    return ", ".join(told) or "nothing to find, and nothing marked"
