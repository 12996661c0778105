import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidlab.data.grid import GridFit

sides = st.integers(1, 40)


def test_a_rectangular_slice_is_centred_between_air():
    fit = GridFit(4, 4, 2)
    grid = fit.to_grid(np.full((1, 4, 2), 9, np.uint8))
    np.testing.assert_array_equal(grid[0], [[0, 9, 9, 0]] * 4)


def test_slices_on_the_grid_are_untouched():
    slices = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    assert GridFit(8, 8, 8).to_grid(slices) is slices


def test_halving_averages_and_doubling_interpolates():
    # Shrinking by two weighs the triangle 1, 3, 3, 1 over the neighbours; the two edges lose their outer part.
    row = np.array([[[0, 0, 80, 80]]], np.uint8).repeat(4, axis=1)
    np.testing.assert_array_equal(GridFit(2, 4, 4).to_grid(row)[0, 0], [11, 69])
    small = np.array([[[0, 80], [0, 80]]], np.uint8)
    np.testing.assert_array_equal(GridFit(4, 2, 2).to_grid(small)[0, 0], [0, 20, 60, 80])


@settings(max_examples=40)
@given(sides, sides, st.integers(1, 40))
def test_flat_slices_stay_flat_there_and_back(height, width, size):
    fit = GridFit(size, height, width)
    grid = fit.to_grid(np.full((1, height, width), 100, np.uint8))
    assert grid.shape == (1, size, size)
    assert set(np.unique(grid)) <= {0, 100}
    back = fit.from_grid(grid.astype(np.float32))
    assert back.shape == (1, height, width)
    np.testing.assert_allclose(back, 100, rtol=1e-5)


def test_the_centre_of_a_spot_is_kept_there_and_back():
    for height, width, size in ((63, 40, 128), (200, 150, 64)):
        rows, columns = np.mgrid[:height, :width]
        apart = (rows - 0.4 * height) ** 2 + (columns - 0.55 * width) ** 2
        spot = 250 * np.exp(-apart / (2 * (0.08 * width) ** 2))
        fit = GridFit(size, height, width)
        back = fit.from_grid(fit.to_grid(np.rint(spot)[None].astype(np.uint8)).astype(np.float32))[0]
        assert (back * rows).sum() / back.sum() == pytest.approx(0.4 * height, abs=0.1)
        assert (back * columns).sum() / back.sum() == pytest.approx(0.55 * width, abs=0.1)
        assert np.abs(back - spot).max() < 12


def test_masks_keep_their_area_and_stay_binary():
    masks = np.zeros((1, 60, 60), np.uint8)
    masks[0, 10:40, 20:30] = 1
    small = GridFit(20, 60, 60).mask_to_grid(masks)
    assert set(np.unique(small)) == {0, 1}
    assert small.sum() * 9 == pytest.approx(masks.sum(), rel=0.15)


def test_pixels_twice_as_high_as_wide_keep_the_pictures_proportions_there_and_back():
    rows, columns = np.mgrid[:64, :64]
    disc = (250 * np.clip(21 - np.hypot(rows - 31.5, columns - 31.5), 0, 1)).astype(np.uint8)[None]
    every_other_row = disc[:, ::2]
    grid = GridFit(48, 32, 64, aspect=2.0).to_grid(every_other_row)
    height, width = (np.ptp(np.flatnonzero(grid[0].max(axis=axis) > 125)) for axis in (1, 0))
    assert abs(int(height) - int(width)) <= 1
    back = GridFit(48, 32, 64, aspect=2.0).from_grid(grid.astype(np.float32))
    assert back.shape == every_other_row.shape and np.abs(back - every_other_row).mean() < 8


def test_a_slice_as_large_as_the_grid_is_resampled_where_its_pixels_are_not_square():
    fit = GridFit(8, 8, 8, aspect=0.5)
    assert not fit.is_identity and fit.place == (slice(2, 6), slice(0, 8))


def test_a_side_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        GridFit(128, 0, 5)
