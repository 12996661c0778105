import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from covidlab import paper, phantom
from covidlab.errors import CovidlabError
from covidlab.volumes import read_mask, read_volume, spine_side


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return phantom.write_cohort(tmp_path_factory.mktemp("phantom") / "lesson")


@pytest.fixture(scope="module")
def slices(folder):
    """Display slices and masks of the whole lesson cohort, and which voxels are lung."""
    images, masks, lungs = [], [], []
    for plan in phantom.cohort_plans():
        volume = read_volume(folder / phantom.IMAGES / f"{plan.name}.nii.gz")
        images.append(volume.slices())
        masks.append(volume.to_display(read_mask(folder / phantom.MASKS / f"{plan.name}.nii.gz", like=volume)))
        lungs.append(volume.to_display(read_mask(folder / phantom.LUNGS / f"{plan.name}.nii.gz", like=volume)))
    return tuple(np.concatenate(parts) for parts in (images, masks, lungs))


def test_the_lesson_cohort_has_ten_scans_of_nine_patients_and_half_positive_slices():
    plans = phantom.cohort_plans()
    assert len(plans) == 10 and len({plan.patient for plan in plans}) == 9
    assert 0.50 <= sum(plan.positive for plan in plans) / sum(plan.slices for plan in plans) <= 0.54
    assert min(plan.positive for plan in plans) == 2


def test_the_paper_cohort_has_the_papers_counts():
    plans = phantom.cohort_plans("paper")
    assert sum(plan.slices for plan in plans) == paper.SLICES
    assert sum(plan.positive for plan in plans) == paper.POSITIVE_SLICES
    assert {plan.columns for plan in plans} == {paper.SLICE_SIZE}


def test_positive_slices_are_hit_exactly(folder):
    for plan in phantom.cohort_plans():
        mask = np.asarray(nib.load(folder / phantom.MASKS / f"{plan.name}.nii.gz").dataobj)
        assert mask.shape == (plan.columns, plan.rows, plan.slices)
        assert np.count_nonzero(mask.any(axis=(0, 1))) == plan.positive, plan.name


def test_files_are_readable_without_findings_and_small(folder):
    size = 0
    for path in folder.rglob("*.nii.gz"):
        size += path.stat().st_size
    assert size < 60e6
    for plan in phantom.cohort_plans()[:3]:
        volume = read_volume(folder / phantom.IMAGES / f"{plan.name}.nii.gz")
        assert volume.findings == () and volume.intensities.kind == "hu" and volume.orientation.source == "affine"
        assert spine_side(volume.slices()) == "down"


def test_lesions_are_as_large_and_as_grey_as_the_records(slices):
    images, masks, _ = slices
    positive = masks.any(axis=(1, 2))
    share = 100 * np.percentile(masks[positive].mean(axis=(1, 2)), (5, 25, 50, 75, 95))
    # Measured on the record: 0.18, 0.81, 1.53, 4.34, 8.78 % of the frame, 1.23 % of all pixels.
    assert np.all(share > np.array([0.18, 0.81, 1.53, 4.34, 8.78]) / 2)
    assert np.all(share < np.array([0.18, 0.81, 1.53, 4.34, 8.78]) * 2)
    assert 0.9 < 100 * masks.mean() < 1.6
    grey = np.percentile(images[masks > 0], (5, 25, 50, 75, 95))
    np.testing.assert_allclose(grey, (83, 117, 140, 172, 233), atol=26)
    lesions = [ndimage.label(mask)[1] for mask in masks[positive]]
    assert 1 <= np.median(lesions) <= 3 and np.percentile(lesions, 95) <= 9


def test_no_band_of_grey_solves_it(slices):
    images, masks, lungs = slices
    inside = lungs > 0
    lesion = np.bincount(images[inside & (masks > 0)], minlength=256).cumsum()
    marked = np.bincount(images[inside], minlength=256).cumsum()
    best = max(
        2 * (lesion[high] - lesion[low]) / (marked[high] - marked[low] + masks.sum())
        for low in range(255) for high in range(low + 1, 256)
    )  # fmt: skip
    assert best <= 0.60


def test_tissues_have_their_hounsfield_units_and_organs_their_side():
    scan = phantom.make_scan(phantom.cohort_plans()[1])
    # Stored RAS+: x runs to the patient's right, y to the front, z to the head.
    assert (np.diag(scan.affine)[:3] > 0).all()
    lung = scan.image[(scan.lungs > 0) & (scan.mask == 0)]
    assert -920 < np.median(lung) < -650
    assert np.median(scan.image[:, -3:]) < -950
    low = scan.image[:, :, 0]
    right, left = low[scan.image.shape[0] // 2 :], low[: scan.image.shape[0] // 2]
    # Liver on the right is denser than stomach and fat on the left.
    assert np.median(right[right > -200]) > np.median(left[left > -200]) - 5
    assert np.count_nonzero((left < -700) & (left > -1000)) >= 0
    lungs = scan.lungs.sum(axis=(1, 2))
    half = len(lungs) // 2
    assert lungs[half:].sum() > lungs[:half].sum()  # the heart takes its room from the left lung


def test_the_same_plan_gives_the_same_voxels_and_another_seed_others(folder):
    plan = phantom.cohort_plans()[6]
    one, again = phantom.make_scan(plan), phantom.make_scan(plan)
    np.testing.assert_array_equal(one.image, again.image)
    stored = np.asarray(nib.load(folder / phantom.IMAGES / f"{plan.name}.nii.gz").dataobj)
    np.testing.assert_array_equal(stored, one.image)  # made by another process
    other = phantom.make_scan(replace(plan, seed=1))
    assert not np.array_equal(other.image, one.image)


def test_a_patient_scanned_twice_has_the_same_bones_and_other_lesions():
    first, second = (plan for plan in phantom.cohort_plans() if plan.patient == 3)
    one, two = phantom.Anatomy(first), phantom.Anatomy(second)
    assert (one.width, one.height, one.heart) == (two.width, two.height, two.heart)
    assert one.width != phantom.Anatomy(phantom.cohort_plans()[0]).width


def test_a_complete_cohort_is_not_made_again(folder):
    before = (folder / phantom.MARKER).stat().st_mtime_ns
    phantom.write_cohort(folder, progress=lambda *_: pytest.fail("it worked"))
    assert (folder / phantom.MARKER).stat().st_mtime_ns == before


def test_a_killed_run_leaves_nothing_that_looks_like_a_cohort(tmp_path, monkeypatch):
    monkeypatch.setattr(phantom, "cohort_plans", lambda profile, seed: phantom_plans[:2])

    def killed(done, total, text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phantom.write_cohort(tmp_path / "cohort", workers=1, progress=killed)
    assert list(tmp_path.iterdir()) == []
    phantom.write_cohort(tmp_path / "cohort", workers=1)
    assert json.loads((tmp_path / "cohort" / phantom.MARKER).read_text())["profile"] == "lesson"


phantom_plans = phantom.cohort_plans()


def test_a_folder_that_cannot_be_written_or_holds_other_things_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CovidlabError, match="cannot be written"):
        phantom.write_cohort(tmp_path / "file" / "cohort")
    with pytest.raises(CovidlabError, match="other files"):
        phantom.write_cohort(tmp_path)
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="lesson or paper"):
        phantom.cohort_plans("huge")
