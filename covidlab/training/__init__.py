"""From slices to a trained network: recipe, batches, losses, thresholds, and runs that are kept."""

from covidlab.training.batches import disturb_borders, training_batches, undersample
from covidlab.training.comparison import read_test_slices, typical_slices, worst_slices
from covidlab.training.fit import train
from covidlab.training.lessons import beside_ours, lesson_run
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Config, Recipe, recipe_for
from covidlab.training.report import report_rows, report_run
from covidlab.training.runs import Run, read_run, run_experiment
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices

__all__ = [
    "beside_ours", "best_threshold", "Config", "count_slices", "disturb_borders", "lesson_run", "LOSSES",
    "read_run", "read_test_slices", "Recipe", "recipe_for", "report_rows", "report_run", "Run", "run_experiment",
    "THRESHOLDS", "train", "training_batches", "typical_slices", "undersample", "worst_slices",
]  # fmt: skip
