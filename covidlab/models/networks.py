"""The networks of the course as Keras models: by name, out of a weights file and into one, traced to be run."""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.errors import CovidlabError, refused
from covidlab.files import whole_file
from covidlab.models.cnn import dense_patch_cnn
from covidlab.models.fcn import fcn8s
from covidlab.models.unet import light_unet, nano_unet
from covidlab.models.weights_file import ATTRIBUTE, WeightsInfo

# By the name that weights files and the command line know (`weights.NETWORKS`): the function that builds the model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}


def save_weights(path: Path, model: keras.Model, info: WeightsInfo) -> None:
    """Write the weights, without optimiser state, whole or not at all: see `covidlab.files`."""
    plain = MODELS[info.model](**info.options)
    plain.set_weights(model.get_weights())
    with whole_file(path) as scratch:
        plain.save_weights(scratch)
        with h5py.File(scratch, "a") as file:
            file.attrs[ATTRIBUTE] = json.dumps(asdict(info))


def load_network(path: Path, info: WeightsInfo) -> keras.Model:
    """Build the network that a weights file belongs to, with its weights.

    Raises CovidlabError if the weights do not fit the network they name, or the file's name ends otherwise.
    """
    if not path.name.endswith(".weights.h5"):  # by which Keras knows what is in a file
        raise CovidlabError(path, "weights by another name", "an ending .weights.h5", "rename the file")
    found = f"weights that do not fit {info.model}"
    with refused(path, found, f"weights of {info.model}", "train again, or name another file"):
        network = MODELS[info.model](**info.options)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            network.load_weights(path)
        # Layers that the file lacks would keep their random weights: of those Keras only warns.
        if lacking := [str(one.message) for one in told if "Skipping" in str(one.message)]:
            raise ValueError(lacking[0])
    return network


@lru_cache(maxsize=4)
def traced(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A model as a function of slices, uint8 (slices, height, width) -> float32 in 0..1 of the same shape.

    One graph a model, for slices of any number and size: `model.predict` costs about twice as much on small batches,
    and tracing anew for each call costs seconds.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.uint8)])
    def call(batch):
        return model(tf.cast(batch, tf.float32) / 255, training=False)

    return lambda images: call(tf.constant(images[..., None])).numpy()[..., 0]
