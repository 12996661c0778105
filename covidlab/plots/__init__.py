"""Every figure of the course, each with alt text."""

from covidlab.plots.data import (
    detail_figure,
    findings_figure,
    hounsfield_figure,
    planes_figure,
    split_figure,
    windows_figure,
)
from covidlab.plots.network import topology_figure
from covidlab.plots.scores import (
    compare_scores_figure,
    history_figure,
    precision_recall_figure,
    scores_figure,
    time_figure,
)
from covidlab.plots.slices import (
    LUNG_WINDOW,
    WINDOW_SENTENCE,
    draw_slice,
    models_figure,
    outline,
    outline_figure,
    slice_comparison,
    uncertainty_figure,
)
from covidlab.plots.style import FALSE, FOUND, MISSED, MODEL_COLOURS, PREDICTION, REFERENCE, new_figure, show
from covidlab.plots.viewers import patch_picker, slice_viewer, threshold_viewer

__all__ = [
    "FALSE", "FOUND", "LUNG_WINDOW", "MISSED", "MODEL_COLOURS", "PREDICTION", "REFERENCE", "WINDOW_SENTENCE",
    "compare_scores_figure", "detail_figure", "draw_slice", "findings_figure", "history_figure", "hounsfield_figure",
    "models_figure", "new_figure", "outline", "outline_figure", "patch_picker", "planes_figure",
    "precision_recall_figure", "scores_figure", "show", "slice_comparison", "slice_viewer", "split_figure",
    "threshold_viewer", "time_figure", "topology_figure", "uncertainty_figure", "windows_figure",
]  # fmt: skip
