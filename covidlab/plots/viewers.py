"""Viewers for a notebook: leaf through slices, move a threshold, pick a patch.

Sliders, a picture and a line of words, from the core of ipywidgets only, so that versions 7.7 (Colab) and 8 both
show them; every control takes the keyboard. What they draw is `covidlab.plots.views`, which knows no widgets. A
lesson must not depend on a viewer: `Viewer.show` also stores a still picture with its alt text, which is there without
a kernel.
"""

import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from covidlab import paper
from covidlab.plots.slices import LUNG_WINDOW
from covidlab.plots.style import show
from covidlab.plots.views import SliceSeries, View, patch_view, slice_view, threshold_series, threshold_view

DOTS_PER_INCH = 90


@dataclass(frozen=True)
class Viewer:
    """Controls, a picture and a sentence that follow each other.

    Make one with `slice_viewer`, `threshold_viewer` or `patch_picker`, and end the cell with `show`.

    Parameters
    ----------
    name : str
        What a reader without a kernel is told that this is.
    draw : callable
        From the controls' values, as keywords, to a `View`.
    controls : mapping of str to ipywidgets control
    """

    name: str
    draw: Callable[..., View]
    controls: Mapping[str, Any]
    picture: Any = field(init=False)
    readout: Any = field(init=False)
    box: Any = field(init=False)

    def __post_init__(self):
        import ipywidgets

        # No value yet: the text form of a widget would otherwise hold bytes that differ from version to version.
        # At its own size: stretched over a wide page, it would push the words out of sight.
        natural = ipywidgets.Layout(align_self="flex-start", max_width="100%")
        object.__setattr__(self, "picture", ipywidgets.Image(format="png", layout=natural))
        object.__setattr__(self, "readout", ipywidgets.HTML())
        rows = ipywidgets.VBox(list(self.controls.values()))
        object.__setattr__(self, "box", ipywidgets.VBox([rows, self.readout, self.picture]))
        for control in self.controls.values():
            control.observe(self._follow, names="value")

    def view(self) -> View:
        """What the controls ask for now."""
        return self.draw(**{name: control.value for name, control in self.controls.items()})

    def _follow(self, change: object = None) -> None:
        """Draw again. A failure inside a callback reaches no one in Jupyter, so it is also written where one looks."""
        try:
            view = self.view()
            png = io.BytesIO()
            # The least compression: a redraw has to keep up with a slider, and its bytes are never stored.
            view.figure.savefig(png, format="png", dpi=DOTS_PER_INCH, pil_kwargs={"compress_level": 1})
        except Exception as error:
            self.readout.value = f"<b>This viewer failed:</b> {html.escape(f'{type(error).__name__}: {error}')}"
            raise
        self.picture.value = png.getvalue()
        self.readout.value = html.escape(view.words)

    def try_ends(self) -> None:
        """Move every control to both its ends and back, so that a fault shows now and not under a learner's hand.

        Raises
        ------
        Exception
            Whatever drawing raises there.
        """
        for control in self.controls.values():
            start = control.value
            ends = (not start,) if isinstance(start, bool) else (control.min, control.max)
            for value in (*ends, start):
                control.value = value

    def show(self, alt: str) -> None:
        """Put the viewer into a notebook, under a still picture of how it starts.

        Parameters
        ----------
        alt : str
            What a reader who cannot see the still picture must know; also its caption.

        Raises
        ------
        Exception
            If the viewer cannot draw at an end of one of its controls.
        """
        from IPython.display import publish_display_data

        show(self.view().figure, alt, "Still picture (the one below moves)")
        self._follow()
        self.try_ends()
        # Not display(box): its text form differs between ipywidgets 7 and 8, and nbval compares text.
        view = {"model_id": self.box.model_id, "version_major": 2, "version_minor": 0}
        text = f"[{self.name}: run this notebook to move it]"
        publish_display_data({"text/plain": text, "application/vnd.jupyter.widget-view+json": view})


def slice_viewer(
    images: np.ndarray,
    titles: Sequence[str],
    references: np.ndarray | None = None,
    predictions: Mapping[str, np.ndarray] | None = None,
    start: int | None = None,
) -> Viewer:
    """Leaf through slices: slice, window level and width, masks on or off, predictions side by side.

    Parameters
    ----------
    images : uint8 array (slices, rows, columns)
    titles : sequence of str
        Case and number of each slice.
    references : 0/1 array of the same shape, optional
    predictions : mapping of str to 0/1 array of the same shape, optional
        One mask a model; each gets a panel of its own. Three fit beside the reference.
    start : int, optional
        Which slice is shown first; by default the one with the most lesion, or the middle one.

    Returns
    -------
    Viewer

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    In a notebook, where `case = cache.case("phantom_03_1")`::

        titles = [f"phantom_03_1, slice {z}" for z in cache.z[case]]
        viewer = slice_viewer(cache.images[case], titles, cache.masks[case], {"light U-Net": found})
        viewer.show("A slice through the lungs; lesions outlined in blue.")
    """
    series = SliceSeries(images, titles, references, predictions)
    if start is None:
        start = len(images) // 2 if references is None else int(np.sum(references, axis=(1, 2)).argmax())
    level, width = LUNG_WINDOW
    controls = {
        "number": _slider("slice", start, 0, len(images) - 1),
        "level": _slider("window level, HU", level, -1250, 250, 25),
        "width": _slider("window width, HU", width, 50, 3000, 50),
        "overlay": _tick("show masks"),
    }
    return Viewer("slice viewer", partial(slice_view, series), controls)


def threshold_viewer(
    images: np.ndarray,
    references: np.ndarray,
    probabilities: np.ndarray,
    shown: int = 0,
    title: str = "",
    start: float = 0.5,
    chosen: float | None = None,
) -> Viewer:
    """Move a threshold: the mask that it makes, and precision, recall and F1.

    Parameters
    ----------
    images : uint8 array (slices, rows, columns)
    references : 0/1 array of the same shape
    probabilities : float array of the same shape, in 0..1
    shown : int
        Which of the slices is drawn; the scores pool all of them.
    title : str
        Case and number of the drawn slice.
    start : float
        The threshold at first, 0.005 to 0.995.
    chosen : float, optional
        The threshold that validation chose; a line of its own among the scores.

    Returns
    -------
    Viewer

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    series = threshold_series(images, references, probabilities, shown, title, chosen)
    return Viewer(
        "threshold viewer",
        lambda thousandths: threshold_view(series, thousandths / 1000),
        # Whole thousandths: a float slider's steps do not meet 0.3 exactly.
        {"thousandths": _slider("threshold, thousandths", 5 * round(200 * start), 5, 995, 5)},
    )


def patch_picker(
    image: np.ndarray,
    reference: np.ndarray,
    row: int | None = None,
    column: int | None = None,
    title: str = "",
    size: int = paper.PATCH_SIZE,
) -> Viewer:
    """Choose a pixel: the patch around it, and the class of its centre.

    Parameters
    ----------
    image : uint8 array (rows, columns)
    reference : 0/1 array of the same shape
    row, column : int, optional
        The pixel at first; by default the middle of the slice.
    title : str
        Case and number of the slice.
    size : int, odd
        Pixels a side of the patch.

    Returns
    -------
    Viewer

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if np.shape(image) != np.shape(reference):
        raise ValueError(f"the slice has shape {np.shape(image)}, its reference {np.shape(reference)}")
    rows, columns = image.shape
    controls = {
        "row": _slider("row", rows // 2 if row is None else row, 0, rows - 1),
        "column": _slider("column", columns // 2 if column is None else column, 0, columns - 1),
    }
    return Viewer("patch picker", lambda row, column: patch_view(image, reference, row, column, title, size), controls)


def _slider(label: str, value: int, least: int, most: int, step: int = 1):
    import ipywidgets

    return ipywidgets.IntSlider(
        value=value,
        min=least,
        max=most,
        step=step,
        description=label,
        style={"description_width": "150px"},
        layout=ipywidgets.Layout(width="480px"),
    )


def _tick(label: str):
    import ipywidgets

    return ipywidgets.Checkbox(value=True, description=label, style={"description_width": "150px"})
