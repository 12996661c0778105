"""Every figure of the course, each with alt text."""

from covidlab.plots.data import detail_figure, planes_figure, split_figure
from covidlab.plots.network import topology_figure
from covidlab.plots.scores import history_figure, precision_recall_figure, scores_figure
from covidlab.plots.slices import (
    draw_slice,
    models_figure,
    outline,
    outline_figure,
    slice_comparison,
    uncertainty_figure,
)
from covidlab.plots.style import (
    FALSE,
    FOUND,
    MISSED,
    MODEL_COLOURS,
    PART_COLOURS,
    PREDICTION,
    REFERENCE,
    legend_below,
    new_figure,
    show,
)
from covidlab.plots.viewers import Viewer, patch_picker, slice_viewer, threshold_viewer
