"""Every plot of the course, in one visual grammar.

Slices always lie the same way (spine down, the patient's right on the left) and in the same window. The reference
is always one colour and the prediction another; missed and false pixels have two more. The colours are Okabe and
Ito's, told apart by colour-blind readers; the line styles differ too, for print. Each function returns its figure;
`show` puts it into a notebook together with its alt text.
"""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from covidlab.metrics import PAPER_SCORES, Counts, count
from covidlab.cohorts import case_name
from covidlab.volumes import Volume, window
from covidlab.whole_file import whole_file

if TYPE_CHECKING:  # a history is only read here, and TensorFlow takes seconds
    from covidlab.training import Epoch

REFERENCE = "#0072B2"  # blue
PREDICTION = "#E69F00"  # orange
MISSED = "#CC79A7"  # purple: lesion that the model left out
FALSE = "#F0E442"  # yellow: healthy pixels that the model marked
FOUND = "#009E73"  # green: lesion found
PART_COLOURS = {"train": "#56B4E9", "validation": "#E69F00", "test": "#D55E00"}
MODEL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
FORM_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")
SCORE_NAMES = {"precision": "precision", "recall": "recall", "accuracy": "accuracy", "f1": "F1"}

OVERLAID = 6  # slices of a scan in its overlay picture

OUTCOME_HANDLES = [
    Patch(color=colour, label=label) for colour, label in ((FOUND, "found"), (MISSED, "missed"), (FALSE, "false"))
]

LUNG_WINDOW = (-500, 1500)  # level and width, HU: the one in which lungs are read, and all that the slice cache keeps
WINDOW_SENTENCE = f"window: level {LUNG_WINDOW[0]} HU, width {LUNG_WINDOW[1]} HU"


def show(figure: Figure, alt: str, what: str = "Figure") -> None:
    """Put a figure into a notebook with its alt text, and print the same words as its caption.

    JupyterLab shows no alt text, so the words are printed as well; the notebook file keeps both.

    Parameters
    ----------
    figure : Figure
    alt : str
        What a reader who cannot see the figure must know.
    what : str
        Begins the caption.
    """
    from IPython.display import publish_display_data

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=90, bbox_inches="tight")
    publish_display_data(
        {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": f"{what}: {alt}"},
        metadata={"image/png": {"alt": alt}, "alt": alt},
    )
    # Broken here: a page breaks printed lines in the middle of a word.
    print(textwrap.fill(f"{what}: {alt}", 100))


def new_figure(columns: int = 1, rows: int = 1, width: float = 3.0, height: float = 3.0):
    """A figure and its axes, (rows, columns), without pyplot: nothing stays open or is shown twice."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_prop_cycle(color=MODEL_COLOURS)
    return figure, grid


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
    figure = _outlined(slices, references, titles, len(slices), REFERENCE)
    for axes, slice_ in zip(figure.axes if centre else (), slices):
        mark_centre(axes, slice_)
    return figure


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
    figure = _outlined(slices, masks, titles, 3, PREDICTION, "--")
    figure.legend(handles=[Patch(color=PREDICTION, label="prediction")], loc="outside lower center", fontsize=8,
                  frameon=False)  # fmt: skip
    return figure


def _outlined(slices, masks, titles, columns: int, colour: str, style: str = "-") -> Figure:
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


def history_figure(history: "Sequence[Epoch]", title: str, keep_last: bool = False) -> Figure:
    """Loss and validation F1 over the updates, with the epoch that was kept: the best one, or the last."""
    figure, ((loss, score),) = new_figure(2, 1, 4.0, 2.9)
    updates = [epoch.updates for epoch in history]
    loss.plot(updates, [epoch.loss for epoch in history], color=PART_COLOURS["train"])
    loss.set(xlabel="updates", ylabel="training loss", ylim=(0, None))
    values = [epoch.validation_f1 for epoch in history]
    kept = len(values) - 1 if keep_last else int(np.argmax(values))
    score.plot(updates, values, color=PART_COLOURS["validation"])
    score.plot(updates[kept], values[kept], "o", color="black", label=f"kept: {values[kept]:.2f}")
    score.set(xlabel="updates", ylabel="validation F1", ylim=(0, 1))
    score.legend(frameon=False, loc="lower right")
    figure.suptitle(title, fontsize=9)
    return figure


def scores_figure(counts: Mapping[str, Counts], title: str) -> Figure:
    """The paper's Figs. 5 and 6 for one model: four scores on the parts train, validation and test."""
    figure, ((axes,),) = new_figure(1, 1, 6.5, 3.0)
    places = np.arange(len(PAPER_SCORES))
    for offset, (part, pooled) in zip((-0.27, 0.0, 0.27), counts.items()):
        bars = axes.bar(places + offset, pooled.scores().values(), 0.25, color=PART_COLOURS[part], label=part)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_xticks(places, [SCORE_NAMES[name] for name in PAPER_SCORES])
    axes.set(ylim=(0, 1.12), ylabel="score, pooled pixels")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
    axes.set_title(title, fontsize=9)
    return figure


def compare_scores_figure(
    counts: Mapping[str, Mapping[str, Counts]], scores: Sequence[str], title: str
) -> Figure:
    """The paper's Fig. 5 (precision and recall) or Fig. 6 (accuracy and F1): models side by side, part by part.

    Parameters
    ----------
    counts : mapping of model name -> part -> Counts
    scores : sequence of names in `covidlab.metrics.PAPER_SCORES`
    title : str
        Data, protocol, grid and seed.

    Returns
    -------
    Figure
    """
    figure, (row,) = new_figure(len(scores), 1, 4.6, 3.1)
    places = np.arange(len(counts))
    for axes, score in zip(row, scores):
        for offset, part in zip((-0.27, 0.0, 0.27), PART_COLOURS):
            values = [getattr(parts[part], score) for parts in counts.values()]
            bars = axes.bar(places + offset, values, 0.25, color=PART_COLOURS[part], label=part)
            # All accuracies look alike with fewer digits; that is what class imbalance does to them.
            axes.bar_label(bars, fmt="%.3f" if score == "accuracy" else "%.2f", fontsize=7)
        axes.set_xticks(places, counts.keys())
        axes.set(ylim=(0, 1.12), ylabel=f"{SCORE_NAMES[score]}, pooled pixels")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=9)
    return figure


def precision_recall_figure(curves: Mapping[str, Sequence[Counts]], chosen: Mapping[str, Counts], title: str) -> Figure:
    """Precision against recall as the threshold moves, a line a model; the dot is the threshold chosen on validation.

    Parameters
    ----------
    curves : mapping of model name -> Counts at each threshold
    chosen : mapping of model name -> Counts at the chosen one
    title : str

    Returns
    -------
    Figure
        Grey lines join points of equal F1.
    """
    figure, ((axes,),) = new_figure(1, 1, 4.6, 4.2)
    recall = np.linspace(0.01, 1, 200)
    for f1 in (0.2, 0.4, 0.6, 0.8):
        with np.errstate(divide="ignore"):
            precision = f1 * recall / (2 * recall - f1)
        line = (precision > 0) & (precision <= 1)
        axes.plot(recall[line], precision[line], color="0.8", linewidth=0.8, zorder=0)
        axes.text(1.01, f1 / (2 - f1), f"F1 {f1}", color="0.5", fontsize=7, va="center")
    for (name, counts), colour, style in zip(curves.items(), MODEL_COLOURS, ("-", "--", "-.", ":")):
        points = [(one.recall, one.precision) for one in counts if one.tp + one.fp]
        axes.plot(*zip(*points), color=colour, linestyle=style, label=name)
        axes.plot(chosen[name].recall, chosen[name].precision, "o", color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall, pooled pixels", ylabel="precision, pooled pixels")
    axes.legend(frameon=False, loc="lower left", fontsize=8)
    axes.set_title(title, fontsize=9)
    return figure


def time_figure(
    seconds: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str, paper_range: tuple[float, float] = ()
) -> Figure:
    """The paper's Fig. 4: time per slice, a group of horizontal bars a model, a bar each form it was run in.

    Parameters
    ----------
    seconds : mapping of model -> form -> (lower quartile, median, upper quartile)
    title : str
        Slice size, threads and machine.
    paper_range : (float, float), optional
        The paper's own range, drawn as a band.

    Returns
    -------
    Figure
        The line at a bar's end spans its quartiles.
    """
    forms = list(dict.fromkeys(form for times in seconds.values() for form in times))
    rows = sum(len(times) for times in seconds.values()) + len(seconds)
    figure, ((axes,),) = new_figure(1, 1, 7.5, 1.1 + 0.19 * rows)
    if paper_range:
        axes.axvspan(*(1e3 * side for side in paper_range), color="0.6", alpha=0.5, zorder=3, label="the paper's range")
    place, ticks = 0.0, []
    for times in seconds.values():
        first = place
        for form, (low, median, high) in times.items():
            colour = FORM_COLOURS[forms.index(form) % len(FORM_COLOURS)]
            label = form if form not in axes.get_legend_handles_labels()[1] else None
            axes.barh(place, 1e3 * median, 0.9, color=colour, label=label)
            axes.plot([1e3 * low, 1e3 * high], [place, place], color="black", linewidth=1.2)
            axes.annotate(
                f"{1e3 * median:.3g}", (1e3 * max(median, high), place), (4, 0), textcoords="offset points",
                fontsize=7, va="center",
            )  # fmt: skip
            place += 1
        ticks.append((first + place - 1) / 2)
        place += 1
    axes.set_yticks(ticks, seconds.keys())
    axes.invert_yaxis()
    axes.set(xlabel="time per slice, ms", xlim=(0, 1.1 * axes.get_xlim()[1]))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    axes.set_title(title, fontsize=9)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all: see `covidlab.whole_file`."""
    with whole_file(path) as scratch:
        figure.savefig(scratch, format="png", dpi=120, bbox_inches="tight")


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
