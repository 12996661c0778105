"""The models of the course: functions that return a Keras model, one signature for all.

Each takes slices, float32 (batch, height, width, channels) in 0..1 (the [-1250, 250] HU window; one channel, or more
for neighbouring slices), and returns probabilities of infection, float32 (batch, height, width, 1), at the input's own
height and width.
"""

from covidlab.models.fcn8s import fcn8s
from covidlab.models.light_unet import light_unet, nano_unet
from covidlab.models.patch_cnn import dense_patch_cnn
from covidlab.tensorflow_quiet import keras

# By name, for the command line and for weights files, which name the function that builds their model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}


def channels_of(model: keras.Model) -> int:
    """How many slices a model looks at: 1, or more with neighbours on either side."""
    return model.input_shape[-1]
