"""Beyond the paper: a network fitted to a new patient, how sure a mask is, other forms of a network, and its time."""

from covidlab.beyond.adaptation import adapt, spread_slices
from covidlab.beyond.doubt import error_ranking, predict_passes
from covidlab.beyond.export import calibration_slices, export_model
from covidlab.beyond.times import peak_gflops
from covidlab.beyond.timing import resolve_threads, time_models
from covidlab.models.exported import open_exported, predict_exported
