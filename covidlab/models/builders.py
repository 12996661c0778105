"""The networks by name, for the command line and for weights files, which name the function that builds their model."""

from covidlab._tensorflow import keras
from covidlab.models.fcn8s import fcn8s
from covidlab.models.patch_cnn import dense_patch_cnn
from covidlab.models.unet import light_unet, nano_unet

# By name, for the command line and for weights files, which name the function that builds their model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}


def channels_of(model: keras.Model) -> int:
    """How many slices a model looks at: 1, or more with neighbours on either side."""
    return model.input_shape[-1]
