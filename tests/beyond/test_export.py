import sys
from dataclasses import replace

import numpy as np
import pytest

from covidlab._tensorflow import keras, tf
from covidlab.beyond import export
from covidlab.errors import CovidlabError, missing_packages
from covidlab.models import Segmenter, WeightsInfo, fcn8s, light_unet, nano_unet, open_segmenter
from covidlab.models.cnn import dense_patch_cnn
from covidlab.models.exported import FORMATS, check_target, open_exported, predict_exported

ONNX, LITERT = (
    pytest.mark.skipif(bool(missing_packages(*FORMATS[ending].needs)), reason="the extra `export` is not installed")
    for ending in (".onnx", ".tflite")
)


@pytest.fixture(scope="module")
def slices():
    return np.random.default_rng(0).random((3, 37, 37, 1), dtype=np.float32)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return nano_unet(widths=(2, 3, 4))


@pytest.mark.parametrize(
    "name", [pytest.param("m.onnx", marks=ONNX), pytest.param("folder/m.tflite", marks=LITERT)]
)
def test_a_float_file_gives_what_keras_gives_at_a_size_that_needs_padding(tmp_path, model, slices, name):
    done = export.export_model(model, tmp_path / name, slices)
    assert done.largest_difference < 1e-5 and done.changed == 0 and (done.size, done.slices) == (37, 3)
    found = predict_exported(open_exported(tmp_path / name), (slices[..., 0] * 255).astype(np.uint8))
    expected = model((slices * 255).astype(np.uint8).astype(np.float32) / 255, training=False).numpy()[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [done.path.name]


@ONNX
def test_every_model_of_the_course_can_be_exported(tmp_path, slices):
    for model in (light_unet(widths=(2, 3)), fcn8s(width=1 / 64), dense_patch_cnn(widths=(2, 3))):
        assert export.export_model(model, tmp_path / "m.onnx", slices[:1]).largest_difference < 1e-4


@ONNX
def test_an_onnx_file_alone_is_enough_to_predict(tmp_path, model):
    info = WeightsInfo("nano_unet", 64, 0.45, "a test", {"widths": [2, 3, 4]}, mirror=True, seen=("a",))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    export.export_model(model, tmp_path / "m.onnx", images[..., None].astype(np.float32) / 255, info=info)
    alone = open_segmenter(tmp_path / "m.onnx")
    assert alone.info == replace(info, grid=32)
    np.testing.assert_allclose(alone.probabilities(images), Segmenter(model, info).probabilities(images), atol=1e-6)


@LITERT
def test_int8_is_smaller_and_close(tmp_path, slices):
    wide = nano_unet(widths=(8, 16, 32))
    plain = export.export_model(wide, tmp_path / "m.tflite", slices)
    small = export.export_model(wide, tmp_path / "int8.tflite", slices, int8=True)
    assert small.bytes < 0.6 * plain.bytes
    assert 0 < small.largest_difference < 0.1
    assert open_exported(small.path)(slices[:1]).dtype == np.float32


@ONNX
def test_a_file_that_does_something_else_is_not_kept(tmp_path, model, slices, monkeypatch):
    true = open_exported
    monkeypatch.setattr(export, "open_exported", lambda path: lambda slice_: true(path)(slice_) + np.float32(2e-4))
    with pytest.raises(CovidlabError, match="differ from Keras by up to 2.0e-04; expected at most 1e-04"):
        export.export_model(model, tmp_path / "m.onnx", slices)
    assert not list(tmp_path.iterdir())


@LITERT
def test_a_full_folder_for_what_is_only_on_the_way_is_named(tmp_path, model, slices, monkeypatch):
    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "/tmp/variables; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(model, "export", full)
    with pytest.raises(CovidlabError, match="found no space left; .* set TMPDIR"):
        export.export_model(model, tmp_path / "m.tflite", slices)
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_is_refused_and_a_missing_package_named_with_what_installs_it(tmp_path, monkeypatch):
    for name, int8, words in (("m.pb", False, "ending .onnx or .tflite"), ("m.onnx", True, ".tflite")):
        with pytest.raises(CovidlabError, match=words):
            check_target(tmp_path / name, int8)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(CovidlabError, match="no package ai-edge-litert.*pip install ai-edge-litert"):
        check_target(tmp_path / "m.tflite", int8=False)


def test_calibration_takes_slices_with_and_without_lesion(cache):
    slices = export.calibration_slices(cache)  # of 24 with lesion and 12 without, 16 and all 12
    assert slices.shape == (28, cache.size, cache.size, 1) and slices.dtype == np.float32 and slices.max() <= 1
    known = {image.tobytes(): positive for image, positive in zip(cache.images, cache.positive)}
    found = [known[np.rint(slice_ * 255).astype(np.uint8).tobytes()] for slice_ in slices]
    assert found == [True] * 16 + [False] * 12


def test_balanced_skips_leave_the_function_and_narrow_the_gap_between_the_joined_maps():
    model = light_unet(widths=(4, 8, 16))
    # As in a trained network: what comes from below is a hundred times the skip.
    grow = model.get_layer("up0_grow")
    grow.set_weights([100 * weights for weights in grow.get_weights()])
    slices = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    balanced = export.balance_skips(model, slices)
    np.testing.assert_allclose(balanced(slices), model(slices), rtol=1e-3, atol=1e-6)

    def gap(model):
        below, skip = (keras.Model(model.input, model.get_layer(n).output)(slices) for n in ("up0_grow", "down0_b"))
        return float(np.abs(below).max() / np.abs(skip).max())

    assert gap(balanced) == pytest.approx(np.sqrt(gap(model)), rel=1e-3)
    plain = dense_patch_cnn()
    assert export.balance_skips(plain, slices) is plain
