"""Checks of the course's exercises: each says whether an answer is right, or what kind of mistake it looks like."""

from covidlab.exercises.nb01 import check_window, check_window_ends
from covidlab.exercises.nb02 import check_grey_to_hu, check_patient_split
from covidlab.exercises.nb03 import check_patch_count, check_true_share
from covidlab.exercises.nb04 import check_bottleneck_field, check_receptive_field
from covidlab.exercises.nb05 import check_bottleneck_weights, check_f1
from covidlab.exercises.nb06 import check_empty_mask_accuracy, check_soft_dice, check_threshold_for_recall
from covidlab.exercises.nb07 import check_caught, check_patient_interval, check_without_specks
from covidlab.exercises.nb08 import check_convolution_gflop
from covidlab.exercises.nb09 import check_int8_megabytes, check_scored_slices

__all__ = [
    "check_bottleneck_field", "check_bottleneck_weights", "check_caught", "check_convolution_gflop",
    "check_empty_mask_accuracy", "check_f1", "check_grey_to_hu", "check_int8_megabytes", "check_patch_count",
    "check_patient_interval", "check_patient_split", "check_receptive_field", "check_scored_slices", "check_soft_dice",
    "check_threshold_for_recall", "check_true_share", "check_window", "check_window_ends", "check_without_specks",
]  # fmt: skip
