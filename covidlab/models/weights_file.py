"""Weights that know what they are for: a `.weights.h5` file with the model's name, grid and intensity rule inside.

The file is written by Keras from a model without optimiser (a checkpoint of a compiled model is three times
as large) and carries one JSON attribute, so that a weights file alone is enough to predict. It is never a
`.keras` file, which an older Keras cannot load, and never a pickle.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py

from covidlab._tensorflow import keras
from covidlab.data.folders import patient_of
from covidlab.errors import CovidlabError, refused
from covidlab.files import from_json, whole_file
from covidlab.models.fcn8s import fcn8s
from covidlab.models.patch_cnn import dense_patch_cnn
from covidlab.models.unet import light_unet, nano_unet
from covidlab.weights import SHIPPED

# By name, for the command line and for weights files, which name the function that builds their model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}

ATTRIBUTE = "covidlab"

# What a description may ask memory for: pixels a side, maps of a layer and layers of the published U-Net.
LARGEST_GRID, MOST_MAPS, MOST_LAYERS = 2048, 1024, 8


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file was trained to take and give."""

    model: str  # A name in `MODELS`
    grid: int  # Pixels a side of the slices it was trained on; a scan is resampled to it
    threshold: float  # Probability from which a pixel is called lesion, chosen on validation
    trained_on: str  # Cohort, protocol and seed, in words
    options: Mapping = field(default_factory=dict)  # What the model's function was called with
    intensities: str = "[-1250, 250] HU as 0..1"
    mirror: bool = False  # Whether the threshold belongs to the mean of the answers to a slice and its mirror image
    smallest: int = 1  # Pixels of the grid that a marked spot must have, chosen on validation; see `Segmenter.mark`
    seen: Sequence[str] = ()  # Cases in training or validation: a score on these says nothing about new patients

    def has_seen(self, case: str, patient: str) -> bool:
        """Whether a case, or another scan of its patient, was in training or validation."""
        return case in self.seen or patient in {patient_of(name) for name in self.seen}


def save_weights(path: Path, model: keras.Model, info: WeightsInfo) -> None:
    """Write the weights, without optimiser state, whole or not at all: see `covidlab.files`."""
    plain = MODELS[info.model](**info.options)
    plain.set_weights(model.get_weights())
    with whole_file(path) as scratch:
        plain.save_weights(scratch)
        with h5py.File(scratch, "a") as file:
            file.attrs[ATTRIBUTE] = json.dumps(asdict(info))


def read_info(path: Path) -> WeightsInfo:
    """What a weights file says about itself.

    `CovidlabError` if it is missing, is no HDF5 file, or was not written by covidlab, or not by this version of it.
    """
    expected = "a .weights.h5 file that covidlab wrote"
    remedy = f"name the best.weights.h5 of a run, or one of {', '.join(SHIPPED)}"
    if not path.is_file():
        raise CovidlabError(path, "no such file", expected, remedy)
    with refused(CovidlabError, path, "no readable HDF5 file", expected, remedy), h5py.File(path) as file:
        text, held = file.attrs.get(ATTRIBUTE), []
        file.visititems(lambda _, one: held.append(one.nbytes) if isinstance(one, h5py.Dataset) else None)
        if sum(held) > path.stat().st_size:
            raise EOFError(f"its arrays claim {sum(held):,} bytes, more than the file has")
    if text is None:
        raise CovidlabError(path, "an HDF5 file without covidlab's description", expected, remedy)
    found = "a description that is damaged, or of another version of covidlab"
    with refused(CovidlabError, path, found, expected, f"use that version, or {remedy}"):
        info = _described(json.loads(text))
    if info.model not in MODELS:
        raise CovidlabError(path, f"weights of a model {info.model!r}", f"one of {', '.join(MODELS)}", remedy)
    return info


def _described(found: dict) -> WeightsInfo:
    """The description that a file carries; a ValueError where this version cannot take it."""
    info = from_json(WeightsInfo, found)
    lists = [asked if isinstance(asked, list) else [asked] for asked in info.options.values()]
    numbers = [number for asked in lists for number in asked if isinstance(number, (int, float))]
    right = {
        "grid": 0 < info.grid <= LARGEST_GRID, "threshold": info.threshold <= 1,
        "options": max(map(len, lists), default=0) <= MOST_LAYERS and all(number <= MOST_MAPS for number in numbers),
        "intensities": info.intensities == WeightsInfo.intensities,
    }  # fmt: skip
    if wrong := [name for name, is_right in right.items() if not is_right]:
        raise ValueError(f"field {wrong[0]} is {getattr(info, wrong[0])!r}")
    return info
