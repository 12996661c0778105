"""The phantom: as like the record as it says, the same from the same seed, and written whole or not at all."""

import json
import shutil
from dataclasses import replace
from itertools import count as count_from

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from covidlab import paper
from covidlab.cli import main
from covidlab.data.cohorts import read_cohort
from covidlab.data.folders import phantom_folder
from covidlab.data.orientation import spine_side
from covidlab.data.volumes import read_volume
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import count
from covidlab.phantom import anatomy, drawing, lesions, scans, shapes, writing
from covidlab.phantom.findings import PIXEL, draw_findings
from studies.phantom_report import RECORD, grey_band_f1, load_slices, measure

PLANS = scans.cohort_plans()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return writing.write_cohort(tmp_path_factory.mktemp("phantom") / "lesson")


@pytest.fixture(scope="module")
def stored(folder):
    """Name of a plan to its scan, from the files."""

    def read(plan):
        subs = writing.IMAGES, writing.MASKS, writing.LUNGS
        files = [nib.load(folder / sub / f"{plan.name}.nii.gz") for sub in subs]
        return scans.Scan(*(np.asarray(file.dataobj) for file in files), files[0].affine)

    return {plan.name: read(plan) for plan in PLANS}


@pytest.fixture(scope="module")
def slices(folder):
    """Display slices, lesion masks and lung masks of the whole lesson cohort."""
    return load_slices(replace(read_cohort(folder), name="phantom"))


def test_the_lesson_cohort_is_half_positive_the_papers_has_its_counts_and_there_is_no_third():
    assert len(PLANS) == 10 and len({plan.patient for plan in PLANS}) == 9
    assert 0.50 <= sum(plan.positive for plan in PLANS) / sum(plan.slices for plan in PLANS) <= 0.54
    assert min(plan.positive for plan in PLANS) == 2
    plans = scans.cohort_plans("paper")
    assert sum(plan.slices for plan in plans) == paper.SLICES
    assert sum(plan.positive for plan in plans) == paper.POSITIVE_SLICES
    assert {plan.columns for plan in plans} == {paper.SLICE_SIZE}
    assert [plan.name for plan in plans if plan.rows == 401] == ["phantom_04_1"]
    with pytest.raises(ValueError, match="lesson or paper"):
        scans.cohort_plans("huge")


def test_positive_slices_are_hit_exactly(stored):
    for plan in PLANS:
        mask = stored[plan.name].mask
        assert mask.shape == (plan.columns, plan.rows, plan.slices)
        assert np.count_nonzero(mask.any(axis=(0, 1))) == plan.positive, plan.name


def test_more_positive_slices_than_slices_with_lung_are_refused():
    heights = np.array([-60.0, 100.0, 300.0])  # below, in and above the lungs
    with pytest.raises(ValueError, match="2 positive slices, but lungs in 1 only"):
        lesions.Lesions(PLANS[6], anatomy.Anatomy(0, 6), heights, 5.0)


def test_files_are_readable_without_findings_and_small(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*.nii.gz")) < 60e6
    for plan in PLANS[:3]:
        volume = read_volume(folder / writing.IMAGES / f"{plan.name}.nii.gz")
        assert volume.findings == () and volume.intensities.kind == "hu"
        assert volume.orientation.meaning.startswith("affine")
        assert spine_side(volume.slices()) == "down"


def test_lesions_are_as_large_and_as_grey_as_the_records(slices):
    share, grey, lesions, all_pixels, _ = measure(*slices).values()
    for one, record in zip(share, RECORD["lesion share of a positive slice, %"], strict=True):
        assert record / 2 < one < record * 2
    np.testing.assert_allclose(grey, RECORD["grey value in lesions, 0..255"], atol=26)
    assert 1 <= lesions[1] <= 3 and 3 <= lesions[2] <= 9
    assert 0.9 < all_pixels[0] < 1.6


def test_no_band_of_grey_solves_it(slices):
    assert grey_band_f1(*slices)[0] <= 0.60


def test_the_best_band_is_found_by_trying_all():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, 200, dtype=np.uint8)
    masks, region = random.integers(0, 2, 200), random.integers(0, 2, 200)
    f1, low, high = grey_band_f1(images, masks, region)

    def score(low, high):
        return count(masks, (images >= low) & (images <= high) & (region > 0)).f1

    assert f1 == pytest.approx(score(low, high))
    assert f1 == pytest.approx(max(score(a, b) for a in range(0, 256, 15) for b in range(a, 256, 15)), abs=0.02)


def test_tissues_have_their_hounsfield_units_and_organs_their_side(stored):
    scan = stored[PLANS[1].name]
    # Stored RAS+: x runs to the patient's right, y to the front, z to the head.
    assert (np.diag(scan.affine)[:3] > 0).all()
    lung = scan.image[(scan.lungs > 0) & (scan.mask == 0)]
    assert -920 < np.median(lung) < -650
    assert np.median(scan.image[:, -3:]) < -950
    low = scan.image[:, :, 0]
    right, left = low[scan.image.shape[0] // 2 :], low[: scan.image.shape[0] // 2]
    # Liver on the right is denser than stomach and fat on the left.
    assert np.median(right[right > -200]) > np.median(left[left > -200]) - 5
    lungs = scan.lungs.sum(axis=(1, 2))
    half = len(lungs) // 2
    assert lungs[half:].sum() > lungs[:half].sum()  # the heart takes its room from the left lung
    # The lungs are two bodies that meet nowhere.
    sizes = np.sort(np.bincount(ndimage.label(scan.lungs)[0].ravel())[1:])[::-1]
    assert sizes[:2].sum() > 0.98 * scan.lungs.sum() and sizes[1] > 0.5 * sizes[0]


def test_the_same_plan_gives_the_same_voxels_and_another_seed_others(stored):
    plan = PLANS[6]
    # The stored one was drawn among others, in a thread.
    for array, there in zip(scans.make_scan(plan)[:3], stored[plan.name][:3], strict=True):
        np.testing.assert_array_equal(array, there)
    assert anatomy.Anatomy(0, 6).height != anatomy.Anatomy(1, 6).height


def test_a_slice_does_not_depend_on_the_slab_it_is_drawn_in():
    patient, sides = anatomy.Anatomy(0, 3), np.arange(-180, 181, 6.0)
    heights = np.array([20.0, 60.0, 150.0, 230.0])
    together = drawing.draw_chest(patient, shapes.Grid(sides, sides, heights, 6.0, 5.0))
    for k in range(len(heights)):
        alone = drawing.draw_chest(patient, shapes.Grid(sides, sides, heights[k : k + 1], 6.0, 5.0))
        for one, slab in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], slab[k], atol=0.01)


def test_a_patient_scanned_twice_has_the_same_chest_and_other_lesions(stored):
    first, second, another = (stored[PLANS[k].name] for k in (2, 3, 1))
    lungs = [np.count_nonzero(scan.lungs) * np.diag(scan.affine)[:3].prod() for scan in (first, second, another)]
    # The same lungs on another grid; another patient's differ.
    assert lungs[1] == pytest.approx(lungs[0], rel=0.02) and abs(lungs[2] / lungs[0] - 1) > 0.05
    heights, chest = np.arange(40.0, 200, 20), anatomy.Anatomy(0, 3)
    plans = [replace(PLANS[2], scan=scan, slices=8, positive=4) for scan in (1, 2)]
    once, again = (lesions.Lesions(plan, chest, heights, 20.0).patches[0].centre for plan in plans)
    assert np.linalg.norm(once - again) > 5  # mm


@pytest.fixture
def quick_scans(folder, monkeypatch):
    """Scans that are copied from the made cohort, not drawn."""

    def copy(to, plan):
        source = PLANS[int(plan.name[-1]) - 1].name if plan.seed else plan.name
        for sub in (writing.IMAGES, writing.MASKS, writing.LUNGS):
            shutil.copy(folder / sub / f"{source}.nii.gz", to / sub / f"{plan.name}.nii.gz")

    monkeypatch.setattr(writing, "_write_scan", copy)


@pytest.mark.parametrize("step, left", [("_write_scan", []), ("_mark", ["cohort"])], ids=["drawing", "moving"])
def test_a_killed_run_leaves_nothing_that_is_taken_for_a_cohort(quick_scans, tmp_path, monkeypatch, step, left):
    whole, calls = getattr(writing, step), count_from(0)

    def killed_at_the_second(*given):
        if next(calls):
            raise KeyboardInterrupt
        whole(*given)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(writing, step, killed_at_the_second)
        writing.write_cohort(tmp_path / "cohort")
    assert [path.name for path in tmp_path.iterdir()] == left
    made = writing.write_cohort(tmp_path / "cohort")
    assert json.loads((made / writing.MARKER).read_text())["version"] == writing.VERSION
    assert len(read_cohort(made).cases) == 10


def test_a_folder_that_cannot_be_written_or_holds_other_things_is_named_and_stays(tmp_path):
    marked = tmp_path / "marked"
    for text in ("{", "{}", "[]"):
        marked.mkdir(exist_ok=True)
        (marked / writing.MARKER).write_text(text)
        with pytest.raises(CovidlabError, match="a phantom.json that is not ours"):
            writing.write_cohort(marked)
    assert [path.name for path in marked.iterdir()] == [writing.MARKER]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CovidlabError, match="cannot be written"):
        writing.write_cohort(tmp_path / "file" / "cohort")
    with pytest.raises(CovidlabError, match="found a file; expected an empty or a new folder"):
        writing.write_cohort(tmp_path / "file")
    with pytest.raises(CovidlabError, match="other files"):
        writing.write_cohort(tmp_path)
    assert (tmp_path / "file").read_text() == "in the way"


def test_another_seed_has_a_folder_of_its_own_by_command(quick_scans, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COVIDLAB_HOME", str(tmp_path))
    assert main(["phantom"]) == main(["phantom", "--seed", "1"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"phantom-lesson", "phantom-lesson-seed1"}
    seeds = [json.loads((path / writing.MARKER).read_text())["seed"] for path in sorted(tmp_path.iterdir())]
    assert seeds == [0, 1] and phantom_folder("paper", 2).name == "phantom-paper-seed2"
    # Nor is it put in the place of another one that is named.
    before = sorted(tmp_path.rglob("*"))
    assert main(["phantom", "--seed", "2", "--out", str(tmp_path / "phantom-lesson")]) == 2
    assert "found the lesson phantom of seed 0; expected an empty or a new folder" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_older_version_is_drawn_again_and_what_the_user_put_there_stays(quick_scans, tmp_path):
    made = writing.write_cohort(tmp_path / "cohort")
    new = sorted(path.relative_to(made) for path in made.rglob("*.nii.gz"))
    marker = json.loads((made / writing.MARKER).read_text())
    marker["version"] -= 1
    marker["plans"][0]["name"] = "phantom_99_1"  # a scan that this version has no more
    (made / writing.MARKER).write_text(json.dumps(marker))
    former = made / writing.IMAGES / "phantom_01_1.nii.gz"
    former.rename(former.with_name("phantom_99_1.nii.gz"))
    (made / writing.MASKS / "phantom_02_1.nii.gz").write_text("older voxels")
    (made / "notes.txt").write_text("mine")
    writing.write_cohort(made)
    assert (made / "notes.txt").read_text() == "mine"
    assert sorted(path.relative_to(made) for path in made.rglob("*.nii.gz")) == new
    assert np.asarray(nib.load(made / writing.MASKS / "phantom_02_1.nii.gz").dataobj).any()
    assert json.loads((made / writing.MARKER).read_text())["version"] == writing.VERSION
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_two_first_uses_at_once_make_one_whole_cohort(quick_scans, tmp_path, monkeypatch):
    """The second begins, and ends, while the first one draws."""
    write_scans, second = writing._write_scans, []

    def meanwhile(plans, folder):
        write_scans(plans, folder)
        if not second:
            second.append(tmp_path / "cohort" / writing.MARKER)
            writing.write_cohort(tmp_path / "cohort")
            second.append(second[0].stat().st_ino)

    monkeypatch.setattr(writing, "_write_scans", meanwhile)
    made = writing.write_cohort(tmp_path / "cohort")
    assert second[1] == (made / writing.MARKER).stat().st_ino, "what stands is not replaced under a reader"
    assert len(read_cohort(made).cases) == 10 and [path.name for path in tmp_path.iterdir()] == ["cohort"]
    monkeypatch.setattr(writing, "_write_scans", lambda *_: pytest.fail("what stands is drawn again"))
    writing.write_cohort(made)
    assert second[1] == (made / writing.MARKER).stat().st_ino


# --- drawn findings: each differs from the healthy picture by what its name means


@pytest.fixture(scope="module")
def findings():
    return {finding.name: finding for finding in draw_findings()}


def test_the_same_seed_draws_the_same(findings):
    for finding in draw_findings():
        np.testing.assert_array_equal(finding.hu, findings[finding.name].hu)


def test_outside_of_its_mask_a_finding_is_the_healthy_slice(findings):
    healthy = findings["healthy lung"]
    assert not healthy.mask.any()
    for finding in findings.values():
        np.testing.assert_array_equal(finding.hu[~finding.mask], healthy.hu[~finding.mask])
        assert finding.name == "healthy lung" or 500 < finding.mask.sum() * PIXEL**2 < 2500  # mm2


def test_ground_glass_lies_between_lung_and_water_and_leaves_vessels_to_be_seen(findings):
    healthy, glass = findings["healthy lung"].hu, findings["ground-glass opacity"]
    assert -600 < np.median(glass.hu[glass.mask]) < -400
    # A vessel is what was denser than the veil: it stays within the noise.
    vessel = (healthy > -100) & findings["consolidation"].mask
    assert vessel.sum() > 50 and np.abs(glass.hu - healthy)[vessel].max() < 100


def test_crazy_paving_is_ground_glass_with_lines(findings):
    glass, paving = findings["ground-glass opacity"], findings["crazy paving"]
    both = glass.mask & paving.mask
    added = (paving.hu - glass.hu)[both]
    assert 0.2 < np.mean(added > 100) < 0.6  # the lines
    assert np.mean(np.abs(added) < 60) > 0.3  # the cells between them


def test_a_consolidation_hides_vessels_but_not_airways(findings):
    solid = findings["consolidation"]
    inside = solid.hu[solid.mask]
    assert -50 < np.median(inside) < 80
    assert 0.01 < np.mean(inside < -600) < 0.15


def test_pleural_changes_lie_along_the_chest_wall(findings):
    pleura, healthy = findings["pleural changes"], findings["healthy lung"]
    assert -50 < np.median(pleura.hu[pleura.mask]) < 80
    # The wall is the dense part that touches the picture's lower left corner.
    near_wall = ndimage.binary_dilation(healthy.hu > -200, iterations=round(25 / PIXEL))
    assert near_wall[pleura.mask].all()
