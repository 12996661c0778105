"""Viewers for a notebook: leaf through slices, move a threshold, pick a patch.

Sliders, a picture and a line of words, from the core of ipywidgets only, so that versions 7.7 (Colab) and 8 both
show them; every control takes the keyboard. A lesson must not depend on a viewer: `Viewer.show` also stores a still
picture with its alt text, which is there without a kernel.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.special import expit

from covidlab import paper
from covidlab.data.patches import slice_patches
from covidlab.evaluation.counts import Counts, count, count_at
from covidlab.plots.slices import (
    LUNG_WINDOW,
    OUTCOMES,
    WINDOW_SENTENCE,
    Box,
    body_box,
    draw_slice,
    outline,
    tint_errors,
    view,
)
from covidlab.plots.style import PAGE, PREDICTION, REFERENCE, TITLE, legend_below, names_as_they_are, show

COLOURS = "green: found, pink: missed, yellow: marked falsely"

LABEL_STYLE = {"description_width": "150px"}
SLIDER_LAYOUT = {"width": "480px"}

# Where a viewer is alive, its still picture and the caption (the two outputs before it) would show the same twice. This
# rule comes with the widget, which no file keeps, and knows JupyterLab and Notebook 7; elsewhere both are seen.
ALIVE = "covidlab-viewer"
_BEFORE_IT = f".jp-OutputArea-child:has(+ * .{ALIVE}), .jp-OutputArea-child:has(+ * + * .{ALIVE})"
HIDE_THE_STILL = f"<style>{_BEFORE_IT} {{display: none}}</style>"

# Even steps of the logit: a trained network's probabilities crowd at both ends.
THRESHOLDS = expit(np.arange(-4, 8.01, 0.25))


class Viewer:
    """Controls, a picture and a sentence that follow each other. End a notebook's cell with `show`.

    `name` says what this is to a reader without a kernel. `draw` makes of the controls' values, as keywords, a figure
    and a sentence that says with numbers what it shows.
    """

    # Not ipywidgets.interactive_output: nbval takes what is drawn in it for outputs of the cell, which are not stored.
    def __init__(self, name: str, draw: Callable[..., tuple[Figure, str]], controls: Mapping[str, Any]):
        self.name, self.draw, self.controls = name, draw, controls
        self.readout = ipywidgets.HTML(layout={"min_height": "56px"})  # two lines: or the picture would jump
        self.picture = ipywidgets.HTML()  # not ipywidgets.Image, which knows no alt text
        self.box = ipywidgets.VBox([ipywidgets.VBox(list(controls.values())), self.readout, self.picture])
        self.box.add_class(ALIVE)
        for control in controls.values():
            control.observe(self._follow, names="value")

    def view(self) -> tuple[Figure, str]:
        """What the controls ask for now."""
        return self.draw(**{name: control.value for name, control in self.controls.items()})

    def _follow(self, change: object = None) -> None:
        """Draw again. A failure inside a callback reaches no one in Jupyter, so it is also written where one looks."""
        try:
            figure, words = self.view()
            png = io.BytesIO()
            names_as_they_are(figure)
            # The least compression: a redraw has to keep up with a slider, and its bytes are never stored.
            figure.savefig(png, format="png", dpi=90, pil_kwargs={"compress_level": 1})
        except Exception as error:
            self.readout.value = f"<b>This viewer failed:</b> {html.escape(f'{type(error).__name__}: {error}')}"
            raise
        words, data = html.escape(words), base64.b64encode(png.getvalue()).decode()
        # As wide as the page at most, and drawn at once: a slice that vanishes between two steps of a slider flickers.
        look = 'decoding="sync" style="max-width: 100%"'
        self.picture.value = f'{HIDE_THE_STILL}<img alt="{words}" {look} src="data:image/png;base64,{data}">'
        self.readout.value = words

    def show(self, alt: str) -> None:
        """Put the viewer into a notebook, and before it, for readers without a kernel, a still picture of its start.

        `alt` is the still picture's text and caption.

        Every control is moved to both its ends and back, so that a fault there fails the cell now.
        """
        from IPython.display import publish_display_data

        show(self.view()[0], alt, "Still picture (run the cell, and it moves)")
        self._follow()
        for control in self.controls.values():
            start = control.value
            for value in (*_ends(control), start):
                control.value = value
        # Not display(box): its text form differs between ipywidgets 7 and 8, and nbval compares text.
        view = {"model_id": self.box.model_id, "version_major": 2, "version_minor": 0}
        text = f"[{self.name}: run this notebook to move it]"
        publish_display_data({"text/plain": text, "application/vnd.jupyter.widget-view+json": view})


def slice_viewer(
    images: np.ndarray, titles: Sequence[str], references: np.ndarray,
    predictions: Mapping[str, np.ndarray] | None = None, start: int = 0,
) -> Viewer:
    """Leaf through slices: slice, window level and width, masks on or off, predictions side by side.

    The reference is outlined in the first panel; each further panel colours what one model found, missed and marked
    falsely. Three fit beside the reference.

    - `images`, uint8 array (slices, rows, columns): on the [-1250, 250] HU scale.
    - `titles`, sequence of str: case and number of each slice.
    - `references`, 0/1 array of the same shape
    - `predictions`, mapping of model name to 0/1 array of the same shape
    - `start`, int: which slice is shown first.

    Raises ValueError: if the shapes differ.
    """
    predictions = predictions or {}
    _check_shapes({"slices": images, "reference": references, **predictions})
    if len(titles) != len(images):
        raise ValueError(f"{len(images)} slices have {len(titles)} titles")

    box = body_box(images)

    def draw(number: int, level: float, width: float, overlay: bool) -> tuple[Figure, str]:
        figure, (first, *panels) = _panels(1 + len(predictions), box, 0.35 if predictions else 0)
        reference = references[number].astype(bool)
        words = [f"{titles[number]}; window: level {level:g} HU, width {width:g} HU"]
        draw_slice(first, images[number], titles[number], (level, width))
        if overlay:
            outline(first, reference, REFERENCE)
            words.append(f"reference: {np.count_nonzero(reference)} lesion pixels")
        for axes, (name, masks) in zip(panels, predictions.items()):
            draw_slice(axes, images[number], name, (level, width))
            if overlay:
                tint_errors(axes, reference, masks[number])
                words.append(f"{name}: {_scores(count(reference, masks[number].astype(bool)))}")
        for axes in (first, *panels):
            view(axes, box)
        if overlay and predictions:
            legend_below(figure, OUTCOMES, (0.5, 0))
            words.append(COLOURS)
        return figure, "; ".join(words) + "."

    level, width = LUNG_WINDOW
    return Viewer("slice viewer", draw, {
        "number": _slider("position", start, 0, len(images) - 1),
        "level": _slider("window level, HU", level, -1250, 250, 25),
        "width": _slider("window width, HU", width, 50, 3000, 50),
        "overlay": ipywidgets.Checkbox(value=True, description="show masks", style=LABEL_STYLE),
    })  # fmt: skip


def threshold_viewer(
    images: np.ndarray, references: np.ndarray, probabilities: np.ndarray, shown: int, title: str, chosen: float
) -> Viewer:
    """Move a threshold, from which probability on a pixel is marked: the mask that it makes, precision, recall and F1.

    - `images`, uint8 array (slices, rows, columns): on the [-1250, 250] HU scale.
    - `references`, 0/1 array of the same shape
    - `probabilities`, float array of the same shape, in 0..1
    - `shown`, int: which of the slices is drawn; the scores pool all of them.
    - `title`, str: case and number of the drawn slice.
    - `chosen`, float: the threshold that validation chose; a line of its own among the scores.

    Raises ValueError: if the shapes differ.
    """
    _check_shapes({"slices": images, "references": references, "probabilities": probabilities})
    thresholds = np.union1d(THRESHOLDS, chosen)
    counts = count_at(thresholds, references, probabilities)
    box = body_box(images[[shown]])
    scope = "this slice" if len(images) == 1 else f"{len(images)} slices, pooled"

    def draw(step: int) -> tuple[Figure, str]:
        threshold = thresholds[step]
        found = np.asarray(probabilities[shown], np.float32) >= np.float32(threshold)
        figure, (left, right) = _panels(2, box)
        draw_slice(left, images[shown], title)
        view(left, box)
        tint_errors(left, references[shown], found)
        for score, label, style in (("precision", "precision", "-"), ("recall", "recall", "--"), ("f1", "F1", ":")):
            right.plot(thresholds, [getattr(one, score) for one in counts], style, color="black", label=label)
        right.axvline(chosen, color="0.5", linewidth=1, linestyle="--", label="chosen on validation")
        right.axvline(threshold, color=PREDICTION, linewidth=2, label="threshold shown")
        right.set_xscale("logit", one_half="0.5")
        right.set(xlim=(thresholds[0], thresholds[-1]), ylim=(0, 1.02), yticks=(0, 0.5, 1))
        right.set_xlabel("threshold, stretched towards 0 and 1")
        ticks = (0.02, 0.1, 0.5, 0.9, 0.99, 0.999)
        right.set_xticks(ticks, map(str, ticks))
        right.set_xticks((), minor=True)
        right.set_title(f"scores, {scope}", fontsize=TITLE)
        right.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.45, -0.3), ncols=3)
        right.set_position([0.56, 0.42, 0.41, 0.48])  # curves fill it: the legends lie below
        legend_below(figure, OUTCOMES, (0.76, 0))
        marked = f"{title}, threshold {threshold:.4g}: {np.count_nonzero(found)} pixels marked here"
        return figure, f"{marked}; {scope}: {_scores(counts[step])}; {COLOURS}; {WINDOW_SENTENCE}."

    steps = [(f"{threshold:.4g}", step) for step, threshold in enumerate(thresholds)]
    half = int(np.abs(thresholds - 0.5).argmin())
    slider = ipywidgets.SelectionSlider(
        options=steps, value=half, description="threshold", style=LABEL_STYLE, layout=SLIDER_LAYOUT
    )
    return Viewer("threshold viewer", draw, {"step": slider})


def patch_picker(image: np.ndarray, reference: np.ndarray, row: int, column: int, title: str) -> Viewer:
    """Choose a pixel: the patch of 11 x 11 around it, and on demand its lesion pixels and the class of its centre.

    - `image`, uint8 array (rows, columns): on the [-1250, 250] HU scale. Beyond its border it is reflected.
    - `reference`, 0/1 array of the same shape
    - `row`, `column`, int: the pixel at first.
    - `title`, str: case and number of the slice.

    Raises ValueError: if the shapes differ.
    """
    _check_shapes({"slice": image, "reference": reference})
    size = paper.PATCH_SIZE
    half = size // 2
    patches, lesions = slice_patches(image), slice_patches(reference)
    square = slice(0, image.shape[0]), slice(0, image.shape[1])

    def draw(row: int, column: int, answer: bool) -> tuple[Figure, str]:
        figure, (left, right) = _panels(2, square)
        draw_slice(left, image, title)
        outline(left, reference, REFERENCE)
        # Pixel centres lie at whole numbers, so a pixel reaches half a unit to each side.
        left.add_patch(Rectangle((column - half - 0.5, row - half - 0.5), size, size, fill=False, color=PREDICTION))
        view(left, square)  # or a square that reaches beyond the slice would shrink it
        patch, lesion = patches[row, column], lesions[row, column]
        draw_slice(right, patch, f"the patch, {size} x {size} pixels")
        right.add_patch(Rectangle((half - 0.5, half - 0.5), 1, 1, fill=False, color=PREDICTION, linewidth=2))
        where = f"{title}, row {row}, column {column}"
        if not answer:  # or there is nothing to guess
            return figure, f"{where}."
        outline(right, lesion, REFERENCE)
        centre = "lesion" if lesion[half, half] else "healthy"
        lesion_pixels = f"{np.count_nonzero(lesion)} of the patch's {size**2} pixels are lesion"
        return figure, f"{where}: the centre is {centre}; {lesion_pixels}."

    rows, columns = image.shape
    return Viewer("patch picker", draw, {
        "row": _slider("row", row, 0, rows - 1),
        "column": _slider("column", column, 0, columns - 1),
        "answer": ipywidgets.Checkbox(value=False, description="show the answer", style=LABEL_STYLE),
    })  # fmt: skip


def _check_shapes(arrays: Mapping[str, np.ndarray]) -> None:
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"a slice and what belongs to it need one shape; found {found}")


def _panels(number: int, box: Box, foot: float = 0) -> tuple[Figure, Sequence[Axes]]:
    """Panels for a part of a slice, four as 2 x 2, above a foot in inches. Fixed places: layout engines are slow."""
    height, width = (at.stop - at.start for at in box)
    columns = number if number < 4 else 2
    rows = -(-number // columns)
    side = min(5.0, PAGE / columns)  # inches
    title = 0.3
    tall = side * height / width + title
    high = tall * rows + foot
    figure = Figure(figsize=(side * columns, high))
    edge = 0.02 / columns
    panel = 1 / columns - edge, (tall - title) / high
    corners = [(k % columns / columns + edge / 2, 1.005 - tall * (k // columns + 1) / high) for k in range(number)]
    return figure, [figure.add_axes((*corner, *panel)) for corner in corners]


def _ends(control) -> tuple:
    """The values at both ends of a slider; of a checkbox, the other one."""
    if isinstance(control, ipywidgets.Checkbox):
        return (not control.value,)
    if isinstance(control, ipywidgets.SelectionSlider):
        return control.options[0][1], control.options[-1][1]
    return control.min, control.max


def _scores(counts: Counts) -> str:
    """Precision, recall and F1 in words; what is not defined is said, not shown as nan."""
    scores = {"precision": counts.precision, "recall": counts.recall, "F1": counts.f1}
    told = [f"{name} {value:.2f}" for name, value in scores.items() if not np.isnan(value)]
    return ", ".join(told) or "nothing to find, and nothing marked"


def _slider(label: str, value: int, least: int, most: int, step: int = 1):
    return ipywidgets.IntSlider(
        value=value, min=least, max=most, step=step, description=label, style=LABEL_STYLE, layout=SLIDER_LAYOUT
    )
