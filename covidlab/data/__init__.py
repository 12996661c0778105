"""Scans in: from files on the disk to slices that a model can take, and to a split of them."""

from covidlab.data.cohorts import Case, Cohort, open_cohort, read_cohort
from covidlab.data.dicom import read_series, write_series
from covidlab.data.inspection import inspect_cohort
from covidlab.data.intensities import window
from covidlab.data.masks import read_mask, write_mask
from covidlab.data.patches import cut_patches, patch_count, sample_places, slice_patches
from covidlab.data.scans import read_scan
from covidlab.data.slices import SliceCache, grid_spacing, open_slice_cache
from covidlab.data.splits import PARTS, PROTOCOLS, Split, leak_sentence, make_split
from covidlab.data.volumes import Volume, read_volume

__all__ = [
    "Case",
    "Cohort",
    "cut_patches",
    "grid_spacing",
    "inspect_cohort",
    "leak_sentence",
    "make_split",
    "open_cohort",
    "open_slice_cache",
    "PARTS",
    "patch_count",
    "PROTOCOLS",
    "read_cohort",
    "read_mask",
    "read_scan",
    "read_series",
    "read_volume",
    "sample_places",
    "slice_patches",
    "SliceCache",
    "Split",
    "Volume",
    "window",
    "write_mask",
    "write_series",
]
