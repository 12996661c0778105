"""How good a mask is: counts of pixels, slices, borders, patients. NumPy and SciPy only."""

from covidlab.evaluation.borders import border_shares, single_lesions, surface_scores
from covidlab.evaluation.counts import PAPER_SCORES, Counts, count, count_at
from covidlab.evaluation.detection import detection, run_detection
from covidlab.evaluation.patients import patient_interval, reliability
from covidlab.evaluation.slices import SliceTable, negative_slices, quartiles, slice_table, volume_scores

__all__ = [
    "border_shares",
    "count",
    "count_at",
    "Counts",
    "detection",
    "negative_slices",
    "PAPER_SCORES",
    "patient_interval",
    "quartiles",
    "reliability",
    "run_detection",
    "single_lesions",
    "slice_table",
    "SliceTable",
    "surface_scores",
    "volume_scores",
]
