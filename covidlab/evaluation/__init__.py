"""How good a mask is: counts of pixels, slices, borders, patients. NumPy and SciPy only."""

from covidlab.evaluation.borders import answers_by_lesion, border_shares, single_lesions, surface_scores
from covidlab.evaluation.counts import PAPER_SCORES, Counts, count
from covidlab.evaluation.patients import patient_interval, reliability
from covidlab.evaluation.slices import detection, negative_slices, quartiles, slice_table, volume_scores
