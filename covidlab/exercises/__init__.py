"""Checks of the course's exercises: each says whether an answer is right, or what kind of mistake it looks like."""

from covidlab.exercises.nb00 import check_positive_fraction
from covidlab.exercises.nb01 import check_best_band, check_haze_window
from covidlab.exercises.nb02 import check_hidden_leak, check_patient_split, check_smallest_thumbnail
from covidlab.exercises.nb03 import check_fourth_layer, check_prior_shift
from covidlab.exercises.nb04 import check_bottleneck_field, check_stamp
from covidlab.exercises.nb05 import check_area_of_scores, check_f1, check_way_up
from covidlab.exercises.nb06 import check_soft_dice, check_told_apart_by_luck
from covidlab.exercises.nb07 import check_patient_interval, check_without_specks
from covidlab.exercises.nb08 import check_convolution_gflop, check_int8_megabytes
from covidlab.exercises.nb09 import check_expected_f1
from covidlab.exercises.nb10 import check_paired_interval, check_scored_slices
from covidlab.exercises.nb11 import check_people_alone, check_shifted_days
