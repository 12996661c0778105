"""Scans in: from files on the disk to slices that a model can take, and to a split of them."""

from covidlab.data.cohorts import open_cohort, read_cohort
from covidlab.data.dicom import read_series, write_series
from covidlab.data.inspection import inspect_cohort
from covidlab.data.lungs import lung_mask
from covidlab.data.masks import read_mask
from covidlab.data.patches import cut_patches, patch_count, sample_places, slice_patches
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.data.splits import PROTOCOLS, leak_sentence, make_split
from covidlab.data.volumes import read_volume

__all__ = [
    "cut_patches", "grid_spacing", "inspect_cohort", "leak_sentence", "lung_mask", "make_split", "open_cohort",
    "open_slice_cache", "patch_count", "PROTOCOLS", "read_cohort", "read_mask", "read_series", "read_volume",
    "sample_places", "slice_patches", "write_series",
]  # fmt: skip
