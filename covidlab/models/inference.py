"""Slices, or a scan, in; probabilities out."""

from functools import lru_cache

import numpy as np

from covidlab._tensorflow import keras, tf


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
