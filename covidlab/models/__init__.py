"""The models of the course: functions that return a Keras model, one signature for all.

Each takes slices, float32 (batch, height, width, 1) in 0..1 (the [-1250, 250] HU window), and returns probabilities of
infection, float32 (batch, height, width, 1), at the input's own height and width.
"""

from covidlab.models.fcn8s import Bilinear, carry_weights, fcn8s, layer_weights
from covidlab.models.patch_cnn import classifier_in, patch_cnn
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter, open_segmenter, predict_slices
from covidlab.models.stages import gflop_per_slice, reaches, stages_of
from covidlab.models.unet import light_unet, nano_unet
from covidlab.models.weights_file import MODELS, WeightsInfo, save_weights
