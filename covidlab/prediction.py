"""A scan to a mask: resample to the weights' grid, infer, take the probabilities back, then threshold."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from covidlab.cohorts import EXTENSIONS, IMAGE_FOLDERS, case_name
from covidlab.dicom import holds_slices, read_scan
from covidlab.errors import CovidlabError
from covidlab.grid import GridFit
from covidlab.models import channels_of
from covidlab.progress import Progress, silent
from covidlab.tensorflow_quiet import keras
from covidlab.training import predict_slices
from covidlab.volumes import Volume, write_mask
from covidlab.weights_file import WeightsInfo

# Slices held as probabilities at once: 300 slices of 512 x 512 are 315 MB.
PORTION = 16
# Told what was marked: the mask's file, the scan, and bool (slices, rows, columns) in display orientation.
Look = Callable[[Path, Volume, np.ndarray], None]


@dataclass(frozen=True)
class Prediction:
    """What was written for one scan.

    Parameters
    ----------
    scan, mask : Path
        The file read and the file written.
    slices, positive_slices, positive_voxels : int
        Of the scan, and of the mask.
    millilitres : float or None
        Volume of what is marked; None where the file does not say how large a voxel is.
    findings : tuple of str
        What is odd about the scan; see `covidlab.volumes`.
    """

    scan: Path
    mask: Path
    slices: int
    positive_slices: int
    positive_voxels: int
    millilitres: float | None
    findings: tuple[str, ...]


def predict_volume(volume: Volume, model: keras.Model, info: WeightsInfo) -> np.ndarray:
    """Probabilities of infection for every voxel of a scan.

    Parameters
    ----------
    volume : Volume
    model : keras.Model
    info : WeightsInfo
        Names the grid that the model was trained on.

    Returns
    -------
    float32 array (slices, rows, columns) in 0..1
        In display orientation, on the scan's own pixel grid; `volume.from_display` takes it to voxel order.
    """
    fit = GridFit.of(volume, info.grid)
    return np.concatenate([fit.from_grid(portion) for portion in _on_grid(volume, fit, model, info)])


def predict_mask(volume: Volume, model: keras.Model, info: WeightsInfo) -> np.ndarray:
    """The mask of a scan, at the weights' own threshold; never holds all its probabilities at once.

    Returns
    -------
    bool array (slices, rows, columns)
        In display orientation, as `predict_volume`.
    """
    fit = GridFit.of(volume, info.grid)
    masks = []
    for probabilities in _on_grid(volume, fit, model, info):
        portion = info.without_specks(probabilities)
        found = np.zeros((len(portion), *volume.slice_shape), bool)
        # Interpolation stays between the values it starts from: a slice below the threshold has nothing to take back.
        reached = portion.max(axis=(1, 2)) >= info.threshold
        found[reached] = fit.from_grid(portion[reached]) >= info.threshold
        masks.append(found)
    return np.concatenate(masks)


def _on_grid(volume: Volume, fit: GridFit, model: keras.Model, info: WeightsInfo) -> Iterator[np.ndarray]:
    """Probabilities of a few slices at a time, on the weights' grid.

    The model works on the next slices while these are made ready for it, and taken back by whoever asked.
    """
    with ThreadPoolExecutor(1) as worker:
        ahead = None
        for portion in slices_for(model, volume, fit):
            behind, ahead = ahead, worker.submit(predict_slices, model, portion, mirror=info.mirror)
            if behind:
                yield behind.result()
        yield ahead.result()


def slices_for(model: keras.Model, volume: Volume, fit: GridFit) -> Iterator[np.ndarray]:
    """What a model is given of a scan, a portion of slices at a time.

    Yields
    ------
    uint8 array (slices, grid, grid, channels)
        Each slice between as many neighbours as the model looks at; beyond an end of the scan its last slice stands in.
    """
    number, channels = volume.voxels.shape[volume.slice_axis], channels_of(model)
    for start in range(0, number, PORTION):
        wanted = np.arange(start - channels // 2, min(start + PORTION, number) + channels // 2)
        portion = fit.to_grid(volume.slices(np.clip(wanted, 0, number - 1)))
        yield sliding_window_view(portion, channels, axis=0)


def predict_file(
    scan: Path, mask: Path, model: keras.Model, info: WeightsInfo, look: Look | None = None
) -> Prediction:
    """Segment one scan and write the mask beside its geometry: same shape, affine and header codes.

    Parameters
    ----------
    scan, mask : Path
    model, info
        See `covidlab.weights_file.load_model`.
    look : callable (mask, Volume, what is marked), optional
        Called once the mask is written; such as `draw_overlay`.

    Raises
    ------
    VolumeError
        If the scan cannot be read or the mask cannot be written; no partial file is left.
    """
    volume = read_scan(scan)
    found = predict_mask(volume, model, info)
    write_mask(mask, volume.from_display(found), like=volume)
    by_slice = np.count_nonzero(found, axis=(1, 2))
    if look:
        look(mask, volume, found)
    millilitres = by_slice.sum() * np.prod(volume.spacing) / 1000 if volume.spacing else None
    return Prediction(
        scan, mask, len(by_slice), int(np.count_nonzero(by_slice)), int(by_slice.sum()), millilitres, volume.findings
    )


def predict_all(
    source: Path, target: Path, model: keras.Model, info: WeightsInfo, progress: Progress = silent,
    look: Look | None = None,
) -> Iterator[Prediction]:
    """Segment one file into a file, or every scan of a folder into a folder.

    Parameters
    ----------
    source : Path
        A NIfTI file, a folder of them, or a folder with the DICOM slices of one series. A folder with both is the
        series where the target is a file.
    target : Path
        A file name ending in .nii or .nii.gz for one scan; a folder for several, made if missing.
    model, info
        See `covidlab.weights_file.load_model`.
    progress : callable (done, total, text)
    look : callable, optional
        See `predict_file`.

    Yields
    ------
    Prediction

    Raises
    ------
    CovidlabError
        If the folder holds no scan, or the target is the wrong kind of name. A scan of several that cannot be read
        does not stop the others: the error comes after the last one, and names each.
    """
    pairs = _pairs(source, target)
    failed = []
    for done, (scan, mask) in enumerate(pairs):
        progress(done, len(pairs), scan.name)
        try:
            prediction = predict_file(scan, mask, model, info, look)
        except CovidlabError as error:
            failed.append(error)
            if error.subject == str(mask):  # what cannot be written is segmented in vain, and so would be the next
                break
        else:
            yield prediction
    progress(len(pairs), len(pairs), "done")
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise CovidlabError(
            source, f"{len(failed)} of {len(pairs)} scans that have no mask now", "a mask for each",
            "\n  ".join(["see to these:", *map(str, failed)]).removesuffix("."),
        )  # fmt: skip


def _pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Which scan becomes which mask."""
    scans, to_a_file = _scans_in(source) if source.is_dir() else [], target.name.endswith(EXTENSIONS)
    if scans and holds_slices(source):
        if not to_a_file:
            raise CovidlabError(
                source, f"DICOM slices, and {scans[0].name} beside them", "one or the other",
                "end -o in .nii.gz if the slices are the scan, else move them elsewhere",
            )  # fmt: skip
        scans = []
    if scans and to_a_file:
        raise CovidlabError(target, f"a file name for {len(scans)} scans", "a folder", "leave the extension out of -o")
    if not scans and not to_a_file:
        raise CovidlabError(target, "a name without .nii or .nii.gz", "the name of a NIfTI file", "add .nii.gz to -o")
    pairs = {} if scans else {target: source}
    for scan in scans:
        if (twin := pairs.setdefault(target / f"{case_name(scan)}.nii.gz", scan)) != scan:
            raise CovidlabError(scan, f"{twin.name} too", "one file a scan", "remove one of the two")
    if same := [scan for mask, scan in pairs.items() if scan.resolve() == mask.resolve()]:
        raise CovidlabError(same[0], "the scan itself as the mask to write", "another name or folder", "change -o")
    return [(scan, mask) for mask, scan in pairs.items()]


def _scans_in(folder: Path) -> list[Path]:
    """The NIfTI files of a folder; none where something else in it may be a series."""
    # An ending in capitals is not left out: reading such a file says what to do about it.
    scans = sorted(path for path in folder.iterdir() if path.name.lower().endswith(EXTENSIONS) and path.name[0] != ".")
    inside = next((folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()), None)
    if not scans and inside:
        raise CovidlabError(folder, "a cohort with scans and masks", "a folder of scans", f"name {inside}")
    if not any(path.is_file() or path in scans for path in folder.iterdir()):
        raise CovidlabError(
            folder, "no scan", "NIfTI files, or the DICOM slices of one series", "name the folder that holds them"
        )
    return scans
