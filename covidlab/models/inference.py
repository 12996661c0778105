"""Slices, or a scan, in; probabilities out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.data.grid import GridFit
from covidlab.data.slices import SliceCache
from covidlab.data.volumes import Volume
from covidlab.models.weights_file import WeightsInfo

# Slices held as probabilities at once: 300 slices of 512 x 512 are 315 MB.
PORTION = 16


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
        for portion in slices_for(volume, fit):
            behind, ahead = ahead, worker.submit(predict_slices, model, portion, mirror=info.mirror)
            if behind:
                yield behind.result()
        yield ahead.result()


def slices_for(volume: Volume, fit: GridFit) -> Iterator[np.ndarray]:
    """What a model is given of a scan, a portion of slices at a time.

    Yields
    ------
    uint8 array (slices, grid, grid)
    """
    for start in range(0, volume.voxels.shape[volume.slice_axis], PORTION):
        yield fit.to_grid(volume.slices(slice(start, start + PORTION)))


def predict_slices(
    model: keras.Model, images: np.ndarray, batch_size: int = 16, mirror: bool = False
) -> np.ndarray:
    """Probabilities for slices that are already on the model's grid.

    Parameters
    ----------
    model : keras.Model
    images : uint8 array (slices, height, width)
    batch_size : int
    mirror : bool
        Let the model see each slice's mirror image too, and take the mean of both answers: twice the time.

    Returns
    -------
    float32 array (slices, height, width) in 0..1
    """
    if mirror:
        seen_from_behind = predict_slices(model, images[:, :, ::-1], batch_size)[:, :, ::-1]
        return (predict_slices(model, images, batch_size) + seen_from_behind) / 2
    call = _compiled(model)
    probabilities = np.empty(images.shape, dtype=np.float32)
    for start in range(0, len(images), batch_size):
        stop = start + batch_size
        probabilities[start:stop] = call(tf.constant(images[start:stop, ..., None])).numpy()[..., 0]
    return probabilities


@lru_cache(maxsize=4)
def _compiled(model: keras.Model):
    """One traced graph a model, for slices of any number and size: `model.predict` costs about twice as much on
    small batches, and tracing anew for each call costs seconds."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.uint8)])
    def call(batch):
        return model(tf.cast(batch, tf.float32) / 255, training=False)

    return call


def predict_cached(model: keras.Model, cache: SliceCache, rows: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Probabilities for slices of a cache: see `predict_slices`."""
    return predict_slices(model, cache.images[rows], mirror=mirror)
