"""The models of the course: functions that return a Keras model, one signature for all.

Each takes slices, float32 (batch, height, width, 1) in 0..1 (the [-1250, 250] HU window), and returns probabilities of
infection, float32 (batch, height, width, 1), at the input's own height and width.
"""

from importlib import import_module

# Each comes from its module when it is first asked for: what needs no Keras does not wait for TensorFlow.
_HOME = {
    "Bilinear": "fcn", "carry_weights": "fcn", "fcn8s": "fcn", "layer_weights": "fcn",
    "classifier_in": "cnn", "patch_cnn": "cnn", "light_unet": "unet", "nano_unet": "unet",
    "MODELS": "networks", "save_weights": "networks", "WeightsInfo": "weights_file",
    "Segmenter": "segmenter", "open_segmenter": "segmenter", "predict_slices": "segmenter", "predict_file": "segment",
    "gflop_per_slice": "stages", "reaches": "stages", "stages_of": "stages",
}  # fmt: skip
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
