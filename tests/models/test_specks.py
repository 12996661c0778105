import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from covidlab.models.specks import drop_specks


def test_a_spot_counts_within_its_slice_and_by_the_sides_of_pixels():
    marked = np.zeros((2, 4, 4), bool)
    marked[0, 0, :2] = marked[0, 1, 2] = True  # two side by side, and one at their corner
    marked[1, 0, 0] = True  # above one of them, in the next slice
    assert drop_specks(marked, 2)[0].sum() == 2 and not drop_specks(marked, 2)[1].any()
    assert not drop_specks(marked, 3).any() and drop_specks(marked, 1) is marked


@given(st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_what_is_left_is_what_another_library_leaves(seed, smallest):
    marked = np.random.default_rng(seed).random((3, 9, 7)) < 0.4
    expected = np.zeros_like(marked)
    for slice_, kept in zip(marked, expected):
        spots = label(slice_, connectivity=1)
        for number in range(1, spots.max() + 1):
            kept |= (spots == number) & ((spots == number).sum() >= smallest)
    np.testing.assert_array_equal(drop_specks(marked, smallest), expected)
