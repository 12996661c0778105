"""One visual grammar for every plot of the course, and `show`, which puts a figure into a notebook with its alt text.

The reference is always one colour and the prediction another; missed and false pixels have two more, the parts of a
split are greys, and networks have colours of their own. They are Okabe and Ito's and Tol's, told apart by colour-blind
readers; the line styles differ too, for print.
"""

import base64
import io
import struct
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

from covidlab.files import whole_file

REFERENCE = "#0072B2"  # blue
PREDICTION = "#E69F00"  # orange
MISSED = "#CC79A7"  # pink: lesion that the model left out
FALSE = "#F0E442"  # yellow: healthy pixels that the model marked
FOUND = "#009E73"  # green: lesion found
PART_COLOURS = {"train": "#C4C4C4", "validation": "#8C8C8C", "test": "#333333"}  # the darker, the more it counts
MODEL_COLOURS = ("#332288", "#AA4499", "#999933", "#56B4E9")  # of networks and recipes: none of the colours above
DPI = 90  # on the page
SMALL, TITLE = 10, 11  # points: notes, titles; still read where a page shrinks a figure to 700 pixels
PAGE = 11.0  # inches: what a page of JupyterLab takes at that resolution
PANEL = PAGE / 3  # of a CT slice: 330 pixels on the page


def show(figure: Figure, alt: str, what: str = "Figure") -> None:
    """Put a figure into a notebook with what a reader who cannot see it must know, as alt text and as its caption.

    JupyterLab shows no alt text, so the words stand below the picture as well, after `what`; the file keeps both.
    """
    from IPython.display import publish_display_data

    png = io.BytesIO()
    names_as_they_are(figure)
    figure.savefig(png, format="png", dpi=2 * DPI, bbox_inches="tight")
    width, height = struct.unpack(">II", png.getvalue()[16:24])  # from the PNG's header
    # Twice the pixels of its size on the page: sharp on every screen, and when it is enlarged.
    shape = {"width": width // 2, "height": height // 2}
    words = f"{what}: {alt}"
    publish_display_data(
        {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": words},
        metadata={"image/png": {"alt": alt, **shape}, "alt": alt},
    )
    publish_display_data({"text/markdown": f"*{words}*", "text/plain": words})


def new_figure(columns: int, rows: int, width: float, height: float):
    """A figure of panels of width x height inches, and its axes as an array (rows, columns).

    Made without pyplot: nothing stays open or is shown twice.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_prop_cycle(color=MODEL_COLOURS)
    return figure, grid


def legend_below(figure: Figure, colours: dict[str, str], at: tuple[float, float] | None = None) -> None:
    """A row of names with their colours: under all panels, or with its foot `at` a place in fractions of the figure."""
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    look = {"ncols": len(handles), "fontsize": SMALL, "frameon": False}
    figure.legend(handles=handles, loc="outside lower center", bbox_to_anchor=at, **look)


def names_as_they_are(figure: Figure) -> None:
    """A name of a file with two dollars in it is no formula, which matplotlib would take it for, and fail to set."""
    for text in figure.findobj(Text):
        if "$" in text.get_text() and "\\" not in text.get_text():
            text.set_parse_math(False)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all: see `covidlab.files`."""
    names_as_they_are(figure)
    with whole_file(path) as scratch:
        figure.savefig(scratch, format="png", dpi=120, bbox_inches="tight")
