import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from covidlab._tensorflow import keras, tf
from covidlab.data.splits import split_by_slice
from covidlab.evaluation.counts import Counts
from covidlab.models import light_unet, predict_slices
from covidlab.models.cnn import dense_patch_cnn
from covidlab.training import fit
from covidlab.training.batches import (
    augmented,
    patch_batches,
    training_batches,
    training_slices,
    undersample,
)
from covidlab.training.fit import learner_and_batches, read_history, train
from covidlab.training.recipe import Recipe
from covidlab.training.thresholds import best_threshold

RECIPE = Recipe(updates=6, batch_size=4, updates_per_epoch=2)


def small_unet():
    return light_unet(widths=(2, 3))


def small_patch_cnn():
    return dense_patch_cnn(widths=(2, 3))


def fresh_model(build=small_unet):
    keras.utils.set_random_seed(0)
    return build()


def do_nothing(epoch):
    pass


class Snapshot(keras.callbacks.Callback):
    """Copies a training's folder, as a kill in the second epoch would leave it."""

    def __init__(self, folder, copy):
        super().__init__()
        self.folder, self.copy, self.epochs = folder, copy, 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def on_train_batch_end(self, batch, logs=None):
        if self.epochs == 1 and not self.copy.exists():
            shutil.copytree(self.folder, self.copy)


@pytest.mark.parametrize("build", [small_unet, small_patch_cnn])
def test_a_killed_training_ends_where_it_would_have_ended_and_a_finished_one_is_not_repeated(
    cache, tmp_path, recwarn, monkeypatch, build
):
    recipe = replace(RECIPE, updates=5)  # the last epoch is shorter
    split = split_by_slice(len(cache), seed=0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    straight, kept = fresh_model(build), []
    every_tenth = fit.every_tenth
    snapshot = Snapshot(whole, parts)
    monkeypatch.setattr(fit, "every_tenth", lambda *_: snapshot)
    history = train(straight, cache, split, recipe, whole, kept.append)
    monkeypatch.setattr(fit, "every_tenth", every_tenth)
    assert [epoch.updates for epoch in history] == [2, 4, 5] and recipe.epochs == 3
    assert kept[-1].validation_f1 == max(epoch.validation_f1 for epoch in history)
    assert not [one for one in recwarn if "ran out of data" in str(one.message)]

    assert len(read_history(parts / "history.csv")) == 1 and (parts / "state.weights.h5").exists()
    keras.utils.set_random_seed(99)  # whatever the second process starts with must not matter
    resumed = build()
    again = train(resumed, cache, split, recipe, parts, do_nothing)
    learner, _ = learner_and_batches(resumed)
    assert int(learner.optimizer.iterations.numpy()) == 5
    assert [epoch.loss for epoch in again] == pytest.approx([epoch.loss for epoch in history], rel=1e-4)
    for one, other in zip(straight.get_weights(), resumed.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert not (parts / "state.weights.h5").exists()

    before = resumed.get_weights()
    assert train(resumed, cache, split, recipe, parts, do_nothing) == again
    for one, other in zip(before, resumed.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("batches", [training_batches, patch_batches])
def test_batches_depend_neither_on_where_one_starts_nor_on_where_one_ends(cache, batches):
    slices = np.flatnonzero(cache.positive)
    every, late = (list(batches(cache, slices, RECIPE, 3, updates)) for updates in (None, range(4, 6)))
    shorter = list(batches(cache, slices, replace(RECIPE, updates=5), 3))
    assert (len(every), len(late), len(shorter)) == (6, 2, 5)
    for one, other in (*zip(every[4:], late), *zip(every, shorter)):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_fewer_annotated_slices_are_a_part_of_more(cache):
    split = split_by_slice(len(cache), seed=0)
    all_, five, three = (training_slices(cache, split, replace(RECIPE, annotated=n)) for n in (None, 5, 3))
    assert len(five) == 5 and len(three) == 3 and set(three) < set(five) < set(all_)
    np.testing.assert_array_equal(all_, undersample(split.train, cache.positive))


def test_half_of_the_patches_are_lesion_and_their_centres_say_so(cache):
    # The tests' scans have lesions 600 HU brighter than lung: 0.4 of the window's 1500 HU.
    recipe = Recipe(updates=2, batch_size=64, updates_per_epoch=1)
    for patches, positive in patch_batches(cache, np.flatnonzero(cache.positive), recipe, seed=0):
        assert patches.shape == (64, 11, 11, 1) and positive.shape == (64, 1, 1, 1)
        assert patches.numpy().max() <= 1 and positive.numpy().mean() == 0.5
        centres = patches.numpy()[:, 5, 5, 0]
        assert centres[positive.numpy().ravel() == 1].mean() > centres[positive.numpy().ravel() == 0].mean() + 0.3


def test_batches_hold_only_the_slices_they_were_given(cache):
    slices = np.flatnonzero(cache.positive)[:3]
    plain = Recipe(updates=3, batch_size=4, updates_per_epoch=3, augment=False)
    known = {cache.images[k].tobytes() for k in slices}
    for images, _ in training_batches(cache, slices, plain, seed=0):
        assert images.shape == (4, 32, 32, 1)
        for image in np.round(images.numpy() * 255).astype(np.uint8):
            assert image.tobytes() in known


def test_augmentation_moves_slice_and_mask_together_and_keeps_masks_binary():
    masks = np.zeros((16, 64, 64, 1), np.float32)
    masks[:, 20:44, 24:40] = 1
    images, moved = augmented(tf.constant(masks * 0.5), tf.constant(masks), tf.constant([0, 7], tf.int64))
    assert set(np.unique(moved)) == {0.0, 1.0}
    assert images.numpy().min() >= 0 and images.numpy().max() <= 1
    lesion = images.numpy() > 0.3
    overlap = (lesion & (moved.numpy() > 0)).sum() / (lesion | (moved.numpy() > 0)).sum()
    assert overlap > 0.9
    again, _ = augmented(tf.constant(masks * 0.5), tf.constant(masks), tf.constant([0, 7], tf.int64))
    np.testing.assert_array_equal(images, again)


def test_augmentation_mirrors_about_half_of_the_slices_left_to_right_and_none_upside_down():
    corner = np.zeros((64, 64, 64, 1), np.float32)
    corner[:, 10:22, 10:22] = 1  # upper left
    _, moved = augmented(tf.constant(corner), tf.constant(corner), tf.constant([0, 1], tf.int64))
    right = moved.numpy()[:, :, 32:].sum(axis=(1, 2, 3)) > moved.numpy()[:, :, :32].sum(axis=(1, 2, 3))
    assert 16 < right.sum() < 48
    assert moved.numpy()[:, 40:].sum() < 0.02 * moved.numpy().sum()


def test_predicting_in_portions_equals_predicting_at_once(monkeypatch):
    model, slices = fresh_model(), np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
    at_once = predict_slices(model, slices)
    monkeypatch.setattr("covidlab.models.segmenter.PORTION", 2)
    np.testing.assert_allclose(predict_slices(model, slices), at_once, atol=1e-6)


def test_the_threshold_with_the_best_f1_wins():
    counts = [Counts(tp=1, fp=9), Counts(tp=8, fp=1, fn=1), Counts(tp=2, fn=8)]
    threshold, f1 = best_threshold(counts, np.array([0.2, 0.4, 0.6]))
    assert (threshold, f1) == (0.4, pytest.approx(16 / 18))
    # Without lesions in validation.
    assert best_threshold([Counts(tn=5)], np.array([0.3])) == (0.5, 0.0)


def test_many_models_in_one_session_bring_no_warning(caplog):
    slices = np.zeros((1, 16, 16), np.uint8)
    for _ in range(7):
        predict_slices(small_patch_cnn(), slices)
    assert not caplog.records


def test_a_fresh_process_says_nothing_imports_no_extra_and_heeds_no_keras_settings_of_the_users(tmp_path):
    settings = {"backend": "theano", "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    code = """
import sys, numpy, covidlab.cli, covidlab.beyond.timing
from covidlab.models import light_unet, predict_slices
predict_slices(light_unet(widths=(2, 3)), numpy.zeros((2, 16, 16), numpy.uint8))
assert not {'onnx', 'onnxruntime', 'tf2onnx', 'openvino', 'ai_edge_litert'} & set(sys.modules)
import keras
k = keras.config
print(k.backend(), k.image_data_format(), k.floatx(), k.epsilon(), keras.layers.Dense(1).compute_dtype)
"""
    its = os.environ | {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], env=its, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["tensorflow", "channels_last", "float32", "1e-07", "float32"]
