"""From slices to a trained network: recipe, batches, losses, thresholds, and runs that are kept."""

from covidlab.training.batches import disturb_borders, undersample
from covidlab.training.comparison import read_test_slices, typical_slices, worst_slices
from covidlab.training.lessons import beside_ours, lesson_run
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Config, Recipe, recipe_for
from covidlab.training.runs import run_experiment
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices
