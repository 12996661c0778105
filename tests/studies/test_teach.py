"""A network taught by another: from what, and what it says of itself."""

from dataclasses import replace

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.models.segmenter import Segmenter, open_segmenter, predict_slices
from covidlab.models.weights_file import WeightsInfo
from studies.teach import TRUTH, lessons, teach
from tests.conftest import marks_bright_pixels

ABOUT = WeightsInfo("light_unet", 16, 0.35, "two scans", fill=0.875, smallest=4, seen=("b", "c"))
TEACHER = Segmenter(marks_bright_pixels(), ABOUT)


def cache_of_three(tmp_path) -> SliceCache:
    images = np.full((6, 16, 16), 100, np.uint8)
    for place, image in enumerate(images):
        image[place : place + 8, 4:12] = 255
    masks = (images > 230).astype(np.uint8)
    masks[:, 8:] = 0
    names = np.repeat(["a", "b", "c"], 2)
    return SliceCache(images, masks, names, names, np.arange(6), masks.sum(axis=(1, 2)), 16, "three", tmp_path)


def test_the_reference_lies_between_the_teachers_answer_and_the_mask_of_what_the_teacher_has_seen(tmp_path):
    cache = cache_of_three(tmp_path)
    learnt_from, cases = lessons(TEACHER, [cache, cache])
    assert cases == ["b", "c"] and np.array_equal(learnt_from.images, np.concatenate([cache.images[2:]] * 2))
    expected = (1 - TRUTH) * predict_slices(TEACHER.network, cache.images[2:]) + TRUTH * cache.masks[2:]
    np.testing.assert_allclose(learnt_from.masks, np.concatenate([expected] * 2), atol=1e-6)


def test_a_taught_network_answers_as_its_teacher_does_and_has_seen_no_more(tmp_path):
    cache = cache_of_three(tmp_path)
    teach(TEACHER, [cache], (4, 6), 400, 0, tmp_path / "taught.weights.h5")
    taught = open_segmenter(tmp_path / "taught.weights.h5")
    assert np.abs(taught.probabilities(cache.images) - TEACHER.probabilities(cache.images)).mean() < 0.12
    expected = replace(ABOUT, model="nano_unet", options={"widths": [4, 6]}, mirror=True, fill=None)
    assert replace(taught.info, trained_on=expected.trained_on) == expected
