"""The slice cache: what is in it, when it is built, who may read it, and what is said where a file cannot be read."""

import nibabel as nib
import numpy as np
import pytest

from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.errors import CovidlabError
from tests.conftest import SIDE, SLICES, write_scan


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
