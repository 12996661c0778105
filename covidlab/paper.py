"""Every number that the paper states and the course uses, each with its section.

Voulodimos, Protopapadakis, Katsamenis, Doulamis and Doulamis, "Deep learning models for COVID-19 infected
area segmentation in CT images", 2020. The bars of its Figs. 5 and 6 carry no printed values, so none are here.
"""

SLICE_SIZE = 630  # pixels a side, section III.A
PATCH_SIZE = 11  # pixels a side, section II
PATCHES_PER_SLICE = 384_400  # (630 - 5 - 5) squared, section II

SLICES, POSITIVE_SLICES, NEGATIVE_SLICES = 939, 492, 447  # section III.A
POSITIVE_SHARE_RANGE = (0.001, 0.20)  # lesion pixels of a positive slice, section III.B
TEST_SHARE = 0.15  # "about 85% ... training and validation ... the rest 15% is used for testing", section III.A
VALIDATION_SHARE = 0.10  # of the training data, section III.A

UNET_MEGABYTES = 3  # "less than 3MB of storage space", section III
SECONDS_PER_SLICE = (0.010, 0.018)  # Fig. 4 and section III.C, on an AMD FX-8320 with 8 GB
PROCESSOR_CORES = 8  # "8 CPU cores (AMD FX-8320 @ 3.5 GHz)", section III
