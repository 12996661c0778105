import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidlab import paper
from covidlab.data.patches import cut_patches, patch_count, sample_places, slice_patches
from covidlab.models.cnn import classifier_in, dense_patch_cnn, patch_cnn


def a_cohort(slices=6, side=20):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (slices, side, side), dtype=np.uint8)
    masks = np.zeros_like(images)
    masks[0, 2:4, 2:4] = 1
    masks[2, 0:10, 0:10] = 1
    masks[5] = 1  # nothing healthy in it
    return images, masks


def test_the_paper_counts_384400_windows_in_a_slice():
    assert patch_count(paper.SLICE_SIZE, paper.SLICE_SIZE) == paper.PATCHES_PER_SLICE == 384_400
    assert patch_count(11, 11) == 1 and patch_count(10, 40) == 0


def test_every_pixel_has_a_window_with_itself_in_the_middle():
    image = np.arange(13 * 17).reshape(13, 17)
    patches = slice_patches(image)
    assert patches.shape == (13, 17, 11, 11)
    np.testing.assert_array_equal(patches[..., 5, 5], image)
    np.testing.assert_array_equal(patches[6, 8], image[1:12, 3:14])


def test_a_window_larger_than_its_slice_is_refused():
    with pytest.raises(ValueError, match="too small"):
        slice_patches(np.zeros((5, 30)))


@settings(max_examples=30)
@given(st.integers(2, 80), st.integers(0, 10_000))
def test_a_sample_is_balanced_and_tells_the_truth(patches, seed):
    images, masks = a_cohort()
    places = sample_places(masks, np.arange(6), patches, np.random.default_rng(seed))
    assert len(places.positive) == patches and places.positive.sum() == patches // 2
    np.testing.assert_array_equal(masks[places.slices, places.rows, places.columns] == 1, places.positive)


def test_only_the_named_slices_are_drawn_from():
    _, masks = a_cohort()
    places = sample_places(masks, np.array([0, 1]), 200, np.random.default_rng(0))
    assert set(places.slices) == {0, 1} and set(places.slices[places.positive]) == {0}


def test_small_lesions_have_as_much_say_as_wide_ones():
    _, masks = a_cohort()
    places = sample_places(masks, np.array([0, 2]), 4000, np.random.default_rng(0))
    share = np.mean(places.slices[places.positive] == 0)  # 4 pixels against 100
    assert 0.45 < share < 0.55


def test_slices_without_lesion_or_without_anything_else_cannot_be_balanced():
    _, masks = a_cohort()
    for slices, words in (([1, 3], "shows a lesion"), ([5], "shows a healthy pixel")):
        with pytest.raises(ValueError, match=words):
            sample_places(masks, np.array(slices), 10, np.random.default_rng(0))


def test_cut_patches_are_the_windows_of_their_pixels():
    images, masks = a_cohort()
    places = sample_places(masks, np.arange(6), 60, np.random.default_rng(1))
    cut = cut_patches(images, places)
    expected = [slice_patches(images[k])[r, c] for k, r, c in zip(places.slices, places.rows, places.columns)]
    np.testing.assert_array_equal(cut, expected)


def test_the_dense_form_equals_patch_by_patch():
    dense = dense_patch_cnn()
    image = np.random.default_rng(3).random((24, 31)).astype(np.float32)
    patches = slice_patches(image).reshape(-1, 11, 11, 1)
    one_by_one = classifier_in(dense).predict(patches, verbose=0).reshape(image.shape)
    found = dense(image[None, ..., None]).numpy()[0, ..., 0]
    np.testing.assert_allclose(found, one_by_one, atol=1e-5)


def test_a_window_gives_one_probability():
    probabilities = patch_cnn()(np.zeros((3, 11, 11, 1), np.float32)).numpy()
    assert probabilities.shape == (3, 1, 1, 1)


def test_a_window_that_does_not_fit_its_network_is_refused():
    with pytest.raises(ValueError, match="6 convolutions of 3 x 3 need an odd patch of 13 or more"):
        patch_cnn(widths=(8,) * 6)
