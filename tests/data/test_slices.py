"""Who may read a cache, and what is said where a file of the cohort cannot be read; more is in test_cohorts.py."""

import pytest

from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.errors import CohortError, VolumeError
from tests.conftest import SIDE, write_scan


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
    with pytest.raises(VolumeError, match=f"{path}: found a file that cannot be read"):
        open_slice_cache(read_cohort(tmp_path / "data"), SIDE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_read_is_named(cohort, tmp_path):
    folder = open_slice_cache(cohort, SIDE, tmp_path / "cache").folder
    # For whoever runs tests as root no mode forbids reading; a folder in a file's place does for everybody.
    (folder / "slices.csv").unlink()
    (folder / "slices.csv").mkdir()
    with pytest.raises(CohortError, match=r"cache: found a folder that cannot be written, or read \(Is a directory\)"):
        open_slice_cache(cohort, SIDE, tmp_path / "cache")
