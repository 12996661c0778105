"""Weights that know what they are for: a file with the model's name, grid and intensity rule inside, as JSON.

A `.weights.h5` file, which Keras writes from a model without optimiser (a checkpoint of a compiled model is three times
as large), or the `.onnx` file that was exported from it: either alone is enough to predict. It is never a `.keras`
file, which an older Keras cannot load, and never a pickle. Nothing here needs TensorFlow.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from covidlab.data.folders import patient_of
from covidlab.errors import CovidlabError, refused
from covidlab.files import from_json
from covidlab.models.calibration import Calibration
from covidlab.models.exported import OnnxNetwork
from covidlab.weights import NETWORKS, SHIPPED

ATTRIBUTE = "covidlab"  # under which a file carries its description

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
    lung: float | None = None  # Median of healthy lung in training, 0..1, to which `Segmenter.predict` brings a scan's
    fill: float | None = None  # Share of the grid's side, 0..1, that a scan's lungs are brought to; None leaves them
    smallest: int = 1  # Pixels of the grid that a marked spot must have, chosen on validation; see `Segmenter.mark`
    calibration: Calibration | None = None  # How far answers can be believed; None where nobody has measured it
    seen: Sequence[str] = ()  # Cases in training or validation: a score on these says nothing about new patients

    def has_seen(self, case: str, patient: str) -> bool:
        """Whether a case, or another scan of its patient, was in training or validation."""
        return case in self.seen or patient in {patient_of(name) for name in self.seen}


def read_info(path: Path) -> WeightsInfo:
    """What a weights file says about itself.

    `CovidlabError` if it is missing, cannot be read, or was not written by covidlab, or not by this version of it.
    """
    expected = "a .weights.h5 or .onnx file that covidlab wrote"
    remedy = f"name the best.weights.h5 of a run, or one of {', '.join(SHIPPED)}"
    if not path.is_file():
        raise CovidlabError(path, "no such file", expected, remedy)
    kind, text_in = ("ONNX", _text_in_onnx) if path.suffix == ".onnx" else ("HDF5", _text_in_hdf5)
    with refused(path, f"no readable {kind} file", expected, remedy), path.open("rb") as file:
        if kind == "HDF5" and file.read(4) != b"\x89HDF":  # of which HDF5's own words tell a user nothing
            raise CovidlabError(path, "no readable HDF5 file", expected, remedy)
        text = text_in(path)
    if text is None:
        raise CovidlabError(path, f"an {kind} file without covidlab's description", expected, remedy)
    found = "a description that is damaged, or of another version of covidlab"
    with refused(path, found, expected, f"use that version, or {remedy}"):
        info = _described(json.loads(text))
    if info.model not in NETWORKS:
        raise CovidlabError(path, f"weights of a model {info.model!r}", f"one of {', '.join(NETWORKS)}", remedy)
    return info


def _text_in_hdf5(path: Path) -> str | None:
    import h5py  # comes with Keras

    with h5py.File(path) as file:
        held = []
        file.visititems(lambda _, one: held.append(one.nbytes) if isinstance(one, h5py.Dataset) else None)
        if sum(held) > path.stat().st_size:
            raise EOFError(f"its arrays claim {sum(held):,} bytes, more than the file has")
        return file.attrs.get(ATTRIBUTE)


def _text_in_onnx(path: Path) -> str | None:
    return OnnxNetwork.open(path).session.get_modelmeta().custom_metadata_map.get(ATTRIBUTE)


def _described(found: dict) -> WeightsInfo:
    """The description that a file carries; a ValueError where this version cannot take it."""
    if known := found.get("calibration"):
        found = found | {"calibration": from_json(Calibration, known)}
    info = from_json(WeightsInfo, found)
    lists = [asked if isinstance(asked, list) else [asked] for asked in info.options.values()]
    numbers = [number for asked in lists for number in asked if isinstance(number, (int, float))]
    right = {
        "grid": 0 < info.grid <= LARGEST_GRID, "threshold": info.threshold <= 1, "lung": (info.lung or 0) <= 1,
        "fill": info.fill is None or 0 < info.fill <= 1,
        "options": max(map(len, lists), default=0) <= MOST_LAYERS and all(number <= MOST_MAPS for number in numbers),
        "intensities": info.intensities == WeightsInfo.intensities,
    }  # fmt: skip
    if wrong := [name for name, is_right in right.items() if not is_right]:
        raise ValueError(f"field {wrong[0]} is {getattr(info, wrong[0])!r}")
    return info
