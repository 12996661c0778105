"""Weights that know what they are for: a `.weights.h5` file with the model's name, grid and intensity rule inside.

The file is written by Keras from a model without optimiser (a checkpoint of a compiled model is three times
as large) and carries one JSON attribute, so that a weights file alone is enough to predict. It is never a
`.keras` file, which an older Keras cannot load, and never a pickle.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path

import h5py

from covidlab._tensorflow import keras
from covidlab.data.folders import patient_of
from covidlab.errors import CovidlabError
from covidlab.files import whole_file
from covidlab.models.fcn8s import fcn8s
from covidlab.models.patch_cnn import dense_patch_cnn
from covidlab.models.unet import light_unet, nano_unet
from covidlab.weights import SHIPPED

# By name, for the command line and for weights files, which name the function that builds their model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}

ATTRIBUTE = "covidlab"


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
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(ATTRIBUTE)
    except OSError as error:
        raise CovidlabError(path, f"no readable HDF5 file ({str(error).splitlines()[0]})", expected, remedy) from error
    if text is None:
        raise CovidlabError(path, "an HDF5 file without covidlab's description", expected, remedy)
    try:
        info = _described(json.loads(text))
    except (ValueError, TypeError) as error:
        found = f"a description that cannot be used ({error}): it is damaged, or another version of covidlab wrote it"
        raise CovidlabError(path, found, expected, f"use that version, or {remedy}") from error
    if info.model not in MODELS:
        raise CovidlabError(path, f"weights of a model {info.model!r}", f"one of {', '.join(MODELS)}", remedy)
    return info


def _described(found: dict) -> WeightsInfo:
    """The description that a file carries; a ValueError or TypeError where this version cannot take it."""
    known = {one.name: one for one in fields(WeightsInfo)}
    needed = {name for name, one in known.items() if one.default is one.default_factory is MISSING}
    if not isinstance(found, dict):
        raise ValueError(f"no fields, but {str(found)[:40]!r}")
    if strange := sorted(found.keys() - known.keys()):
        raise ValueError(f"field {', '.join(strange)} is unknown here")
    if lacking := sorted(needed - found.keys()):
        raise ValueError(f"field {', '.join(lacking)} is missing")
    info = WeightsInfo(**found)
    right = {
        "model": isinstance(info.model, str), "mirror": isinstance(info.mirror, bool),
        "seen": isinstance(info.seen, list | tuple) and all(isinstance(case, str) for case in info.seen),
        "grid": isinstance(info.grid, int) and info.grid > 0, "options": isinstance(info.options, Mapping),
        "threshold": isinstance(info.threshold, (int, float)) and 0 <= info.threshold <= 1,
        "smallest": isinstance(info.smallest, int), "intensities": info.intensities == known["intensities"].default,
    }  # fmt: skip
    if wrong := [name for name, is_right in right.items() if not is_right]:
        raise ValueError(f"field {wrong[0]} is {getattr(info, wrong[0])!r}")
    return replace(info, seen=tuple(info.seen))
