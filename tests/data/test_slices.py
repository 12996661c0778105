"""The slice cache: what is in it, when it is built, who may read it, and what is said where a file cannot be read; then
the grid that slices are brought to, and back."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidlab.data.cohorts import read_cohort
from covidlab.data.grid import GridFit
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.errors import CovidlabError
from tests.conftest import SIDE, SLICES, write_scan

sides = st.integers(1, 40)


def test_the_cache_holds_every_slice_with_its_case_and_patient(cache, cohort):
    assert cache.images.shape == cache.masks.shape == (3 * SLICES, SIDE, SIDE)
    assert isinstance(cache.images, np.memmap) and cache.images.dtype == np.uint8
    assert list(cache.z[:3]) == [0, 1, 2] and set(cache.patients) == {"10", "someone_else"}
    np.testing.assert_array_equal(cache.positive, [z % 3 != 0 for z in cache.z])
    np.testing.assert_array_equal(cache.positive_pixels, cache.masks.sum(axis=(1, 2)))
    assert len(cache.case("someone_else")) == SLICES
    with pytest.raises(CovidlabError, match="nobody"):
        cache.case("nobody")


def test_images_and_masks_are_turned_alike(cache):
    # The drawn lesions are brighter than all lung around them.
    for image, mask in zip(cache.images[1:3], cache.masks[1:3], strict=True):
        assert image[mask > 0].min() > 120 > np.median(image[mask == 0])


def test_a_second_opening_builds_nothing_and_changed_content_builds_anew(tmp_path, monkeypatch):
    write_scan(tmp_path / "data", "one", seed=0)
    cohort, root = read_cohort(tmp_path / "data"), tmp_path / "cache"
    first = open_slice_cache(cohort, SIDE, root)
    with monkeypatch.context() as patched:
        patched.setattr("covidlab.data.slices._build", lambda *_: pytest.fail("it was built again"))
        open_slice_cache(cohort, SIDE, root)
    write_scan(tmp_path / "data", "one", seed=1)
    assert open_slice_cache(cohort, SIDE, root).folder != first.folder


def test_a_broken_scan_leaves_no_cache(tmp_path):
    image, _ = write_scan(tmp_path / "data", "one")
    image.write_bytes(image.read_bytes()[:200])
    with pytest.raises(CovidlabError, match="one.nii.gz"):
        open_slice_cache(read_cohort(tmp_path / "data"), SIDE, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_a_killed_build_is_built_again(tmp_path, monkeypatch):
    write_scan(tmp_path / "data", "one")
    cohort, root = read_cohort(tmp_path / "data"), tmp_path / "cache"

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("covidlab.data.slices.read_mask", killed)
        open_slice_cache(cohort, SIDE, root)
    cache = open_slice_cache(cohort, SIDE, root)
    assert len(cache) == SLICES
    assert sorted(path.name for path in root.iterdir()) == [cache.folder.name, f"{cache.folder.name}.lock"]


def test_a_cache_folder_that_cannot_be_written_is_named(cohort, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CovidlabError, match="cannot be written"):
        open_slice_cache(cohort, SIDE, tmp_path / "file" / "cache")


def test_the_grid_knows_how_many_millimetres_a_pixel_has(tmp_path):
    image, _ = write_scan(tmp_path, "known")  # 32 pixels of 2.5 mm, slices of 5 mm
    case = read_cohort(tmp_path).cases[0]
    assert grid_spacing(case, 32) == (5.0, 2.5, 2.5)
    assert grid_spacing(case, 16) == (5.0, 5.0, 5.0)
    oblong = nib.Nifti1Image(nib.load(image).get_fdata()[:, :20].astype(np.int16), np.diag([2.0, 3.0, 4.0, 1.0]))
    oblong.header.set_xyzt_units("mm")
    nib.save(oblong, image)
    assert grid_spacing(case, 64) == (4.0, 1.0, 1.0)  # 32 columns of 2 mm, 20 rows of 3 mm: square pixels on the grid


def test_without_a_spacing_in_the_file_the_grid_has_none(tmp_path):
    image, _ = write_scan(tmp_path, "unknown")
    bare = nib.Nifti1Image(nib.load(image).get_fdata().astype(np.int16), np.eye(4))
    bare.set_sform(None, 0), bare.set_qform(None, 0)
    nib.save(bare, image)
    assert grid_spacing(read_cohort(tmp_path).cases[0], 32) is None


def test_a_cache_and_its_lock_are_for_everybody_who_shares_the_folder(cohort, tmp_path):
    folder = open_slice_cache(cohort, SIDE, tmp_path / "cache").folder
    assert folder.stat().st_mode & 0o777 == 0o755
    locks = list(folder.parent.glob("*.lock"))
    assert [lock.stat().st_mode & 0o777 for lock in locks] == [0o666] * len(locks)


@pytest.mark.parametrize("which, make", [(0, "broken link"), (1, "folder")])
def test_a_scan_or_mask_that_cannot_be_read_is_named(tmp_path, which, make):
    path = write_scan(tmp_path / "data", "one")[which]
    path.unlink()
    path.mkdir() if make == "folder" else path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CovidlabError, match=f"{path}: found a file that cannot be read"):
        open_slice_cache(read_cohort(tmp_path / "data"), SIDE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_read_is_named(cohort, tmp_path):
    folder = open_slice_cache(cohort, SIDE, tmp_path / "cache").folder
    # For whoever runs tests as root no mode forbids reading; a folder in a file's place does for everybody.
    (folder / "slices.csv").unlink()
    (folder / "slices.csv").mkdir()
    with pytest.raises(CovidlabError, match=r"found a cache that cannot be read \(Is a directory\).*remove it"):
        open_slice_cache(cohort, SIDE, tmp_path / "cache")


# The grid -----------------------------------------------------------------------------------------------------------


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
