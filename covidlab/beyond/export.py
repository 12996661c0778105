"""A model as a file that runs without Keras: ONNX and LiteRT, checked against the model it was made from.

What such files are and what runs them is `covidlab.models.exported`. An ONNX file carries what the weights file knows,
too, and `covidlab predict` takes it; LiteRT's knows nothing of windows, grids or thresholds.
"""

import json
import tempfile
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras, quiet, tf
from covidlab.data.slices import SliceCache
from covidlab.errors import CovidlabError
from covidlab.files import whole_file
from covidlab.models.exported import FORMATS, check_target, open_exported
from covidlab.models.weights_file import ATTRIBUTE, WeightsInfo

# What float32 arithmetic in another order may change; a wrong conversion changes far more.
LARGEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    form: str  # "ONNX", "LiteRT" or "LiteRT int8"
    size: int  # Pixels a side of the slice that it takes
    bytes: int
    largest_difference: float  # Between its probabilities and the Keras model's, over all pixels of the slices checked
    changed: float  # Share of those pixels that the threshold then calls otherwise
    slices: int  # How many were checked


def export_model(
    model: keras.Model, path: Path, slices: np.ndarray, int8: bool = False, info: WeightsInfo | None = None
) -> Exported:
    """Write a model as ONNX or LiteRT, run the file, and compare it with the model.

    - `model`, keras.Model: float32 (batch, height, width, 1) in 0..1 -> probabilities (batch, height, width, 1).
    - `path`, Path: ends in .onnx or .tflite. Written only if the check passes.
    - `slices`, float32 array (n, size, size, 1) in 0..1: what the model is used on: all of them calibrate int8, up to
      eight, evenly spaced, are checked. Their size becomes the file's.
    - `int8`, bool: weights and feature maps as 8-bit whole numbers, by LiteRT's post-training quantisation (Keras' own
      `quantize` leaves convolutions as they are), after `balance_skips`. What goes in and comes out stays float32.
    - `info`, WeightsInfo: what the model's weights file knows. An ONNX file carries it, and is then enough to predict.

    Raises CovidlabError: as `check_target`; if a float32 file differs from the model by more than 1e-4, or cannot be
    written.
    """
    check_target(path, int8)
    with whole_file(path) as scratch:
        _convert(balance_skips(model, slices) if int8 else model, scratch, slices, int8)
        if info and path.suffix == ".onnx":
            describe(scratch, replace(info, grid=slices.shape[1]))
        run, checked = open_exported(scratch), slices[:: -(-len(slices) // 8)]
        found = np.concatenate([run(slice_[None]) for slice_ in checked])
        expected = np.concatenate([model(slice_[None], training=False).numpy() for slice_ in checked])
        difference = float(np.abs(found - expected).max())
        if not int8 and difference > LARGEST_DIFFERENCE:
            raise CovidlabError(
                path, f"probabilities that differ from Keras by up to {difference:.1e}",
                f"at most {LARGEST_DIFFERENCE:.0e}",
                "nothing was written; keep the weights file and report this with the versions of `pip list`",
            )  # fmt: skip
    threshold = info.threshold if info else 0.5
    changed = float(((found >= threshold) != (expected >= threshold)).mean())
    form = FORMATS[path.suffix].name + (" int8" if int8 else "")
    return Exported(path, form, slices.shape[1], path.stat().st_size, difference, changed, len(checked))


def _convert(model: keras.Model, path: Path, slices: np.ndarray, int8: bool) -> None:
    options = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": lambda: ([slice_[None]] for slice_ in slices),
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
    } if int8 else {}  # fmt: skip
    # Of one fixed size, padding and cropping are constants in the file.
    slice_ = tf.TensorSpec((1, *slices.shape[1:]), tf.float32, name="slice")
    # Converters write pages of progress to descriptor 2. In a notebook TensorFlow logs each folder that it writes; and
    # Keras' exporter looks for a name of NumPy 1, which makes NumPy 2 warn. None of it concerns whoever exports.
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        with quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            form = FORMATS[path.suffix].keras
            model.export(str(path), format=form, input_signature=[slice_], verbose=False, **options)
    except tf.errors.ResourceExhaustedError as error:
        if "No space" not in str(error):
            raise
        place, remedy = tempfile.gettempdir(), "free space there, or set TMPDIR to another folder"
        raise CovidlabError(place, "no space left", "room for a copy that LiteRT is made from", remedy) from error
    finally:
        logger.setLevel(level)


def describe(path: Path, info: WeightsInfo) -> None:
    """Let an ONNX file say what its weights file knows, in place of what it said before."""
    import onnx  # comes with tf2onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {ATTRIBUTE: json.dumps(asdict(info))})
    onnx.save(model, path)


def balance_skips(model: keras.Model, slices: np.ndarray) -> keras.Model:
    """The same function with other numbers inside: at each skip of a U-Net both maps get ranges closer to each other.

    A concatenated map has one 8-bit scale. Where the map from below reaches 380 and the skip 8, as in a light U-Net
    trained on real slices, a step of that scale is larger than most of what the skip has to say: F1 fell from 0.863 to
    0.561. So what makes the map from below is divided by a factor, and the weights that read it are multiplied by it;
    by its square root only, since those weights share a scale with the skip's, too (cross-layer equalisation, Nagel
    et al. 2019, doi.org/10.1109/ICCV.2019.00141).

    The ranges are those on `slices`, float32 (n, size, size, 1) in 0..1. The model stays as it is; one without
    concatenated skips is returned itself. Otherwise probabilities differ by rounding only.
    """
    joins = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
    if not joins:
        return model
    balanced = keras.models.clone_model(model)
    balanced.set_weights(model.get_weights())
    look = keras.Model(model.input, [joined for join in joins for joined in join.input])
    found = (look(slice_[None], training=False) for slice_ in slices)
    highest = np.max([[np.abs(one).max() for one in maps] for maps in found], axis=0)
    for join, (below, skip) in zip(joins, highest.reshape(-1, 2)):
        factor, stage = np.sqrt(skip / below) if below > 0 and skip > 0 else 1.0, join.name.removesuffix("_skip")
        grow, reader = balanced.get_layer(f"{stage}_grow"), balanced.get_layer(f"{stage}_a")
        grow.set_weights([weights * factor for weights in grow.get_weights()])
        kernel, bias = reader.get_weights()
        kernel[:, :, : grow.filters] /= factor  # the map from below comes first
        reader.set_weights([kernel, bias])
    return balanced


def calibration_slices(cache: SliceCache) -> np.ndarray:
    """Slices of a cohort to calibrate and check with, from all over it: 16 with lesion, then 16 without, if so many.

    float32 (n, size, size, 1) in 0..1.
    """
    groups = np.flatnonzero(cache.positive), np.flatnonzero(~cache.positive)
    chosen = [group[np.linspace(0, len(group) - 1, min(16, len(group))).astype(int)] for group in groups]
    return cache.images[np.concatenate(chosen)][..., None].astype(np.float32) / 255
