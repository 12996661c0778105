"""Scans in: from files on the disk to slices that a model can take, and to a split of them."""

from covidlab.data.cohorts import open_cohort, read_cohort
from covidlab.data.dicom import read_series, write_series
from covidlab.data.inspection import inspect_cohort
from covidlab.data.lungs import lung_mask
from covidlab.data.masks import read_mask
from covidlab.data.patches import patch_count, sample_places, slice_patches
from covidlab.data.slices import open_slice_cache
from covidlab.data.splits import PROTOCOLS, leak_sentence, make_split
from covidlab.data.volumes import read_volume
