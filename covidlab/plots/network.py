"""The drawing of a network, made from the network itself (the paper's Fig. 3): it changes with the code."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from covidlab.plots.style import TITLE, legend_below

COLOURS = {
    "convolution": "#0072B2",
    "max-pooling": "#999999",
    "transposed convolution": "#E69F00",
    "concatenation": "#009E73",
    "sum": "#CC79A7",
}

ARROW = {"arrowstyle": "-|>", "mutation_scale": 7, "linewidth": 0.7, "color": "black", "shrinkA": 0, "shrinkB": 0}


def topology_figure(model, side: int, title: str) -> Figure:
    """Draw a Keras model that `stages_of` can read, from left to right: lower is coarser, wider has more feature maps.

    The number over a bar is that of its feature maps; pooling, which passes on as many as it gets, has none. `side` is
    the slice's, in pixels, padding included; it says how large the maps of each row are.
    """
    from covidlab.models.stages import stages_of  # TensorFlow takes seconds

    stages = stages_of(model)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots()
    place: dict[str, tuple[float, float, float, float]] = {}  # left, bottom, width, height
    x, recent = 0.0, []  # names of the last two stages
    for stage in stages:
        level = np.log2(stage.stride)
        height, width = 0.7 * 2 ** (-0.35 * level), 0.12
        # Pooling starts a row of its own; it is drawn thin, since it holds no weights. It passes on as many maps as it
        # gets, and an arrow would cross the number.
        if stage.kind != "max-pooling":
            width += 0.075 * np.log2(1 + stage.channels)
            top = -level + height / 2 + 0.04
            axes.text(x + width / 2, top, str(stage.channels), ha="center", va="bottom", fontsize=TITLE)
        place[stage.name] = x, -level - height / 2, width, height
        axes.add_patch(Rectangle((x, -level - height / 2), width, height, color=COLOURS[stage.kind], linewidth=0))
        for name in stage.inputs:
            if name == recent[-1]:
                left, bottom, wide, high = place[name]
                axes.annotate("", (x, -level), (left + wide, bottom + high / 2), arrowprops=ARROW)
            elif name in recent:
                _draw_hop(axes, place[name], place[stage.name])
            else:
                _draw_skip(axes, place[name], place[stage.name])
        recent = [*recent[-1:], stage.name]
        x += width + 0.22
    strides = sorted({stage.stride for stage in stages})
    axes.set_yticks([-np.log2(stride) for stride in strides], [f"{side // stride} px" for stride in strides])
    axes.set(xlim=(-0.3, x), ylim=(-np.log2(strides[-1]) - 0.6, 0.75), ylabel="side of the feature maps")
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    kinds = {stage.kind for stage in stages}
    legend_below(figure, {kind: colour for kind, colour in COLOURS.items() if kind in kinds})
    axes.set_title(title, fontsize=TITLE)
    return figure


def _draw_hop(axes, source: tuple[float, ...], target: tuple[float, ...]) -> None:
    """A solid way over one bar and the numbers, from an upsampling to the joint behind a skip's score layer."""
    start, end = source[0] + source[2] / 2, target[0] + target[2] / 2
    above = max(source[1] + source[3], target[1] + target[3]) + 0.28  # where the numbers end
    axes.plot([start, start, end], [above, above + 0.16, above + 0.16], color="black", linewidth=0.7)
    axes.annotate("", (end, above), (end, above + 0.16), arrowprops=ARROW)


def _draw_skip(axes, source: tuple[float, ...], target: tuple[float, ...]) -> None:
    """A dashed way below the bars of the row, so that it is seen where it starts and ends."""
    start, end = source[0] + source[2] / 2, target[0] + target[2] / 2
    row = min(source[1], target[1]) - 0.1
    axes.plot([start, start, end], [source[1], row, row], "--", color="black", linewidth=0.9)
    axes.annotate("", (end, target[1]), (end, row), arrowprops={**ARROW, "linestyle": "--"})
