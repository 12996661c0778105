"""The networks by name."""

from covidlab.models.fcn8s import fcn8s
from covidlab.models.patch_cnn import dense_patch_cnn
from covidlab.models.unet import light_unet, nano_unet

# By name, for the command line and for weights files, which name the function that builds their model.
MODELS = {"patch_cnn": dense_patch_cnn, "fcn8s": fcn8s, "light_unet": light_unet, "nano_unet": nano_unet}
