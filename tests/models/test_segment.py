from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.data.grid import GridFit
from covidlab.data.lungs import lung_mask
from covidlab.data.lungs_found import Lungs
from covidlab.data.volumes import as_volume, read_volume
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import count
from covidlab.models import light_unet, open_segmenter, segment
from covidlab.models.segmenter import Segmenter, along_z, predict_slices
from covidlab.models.weights_file import WeightsInfo
from covidlab.phantom.scans import cohort_plans, make_scan
from covidlab.plots import overlay
from tests.chest import LUNGS, chest, read_display, write_chest
from tests.conftest import SIDE, marks_bright_pixels

AFFINE = np.array([[2.0, 0, 0, -11], [0, 2.0, 0, 7], [0, 0, 5.0, 40], [0, 0, 0, 1]])


def marks_columns_on_the_right():
    """A model whose answer grows from 0 to 1 from left to right, whatever it sees."""
    slices = keras.Input((32, 32, 1))
    ramp = keras.layers.Lambda(lambda seen: 0 * seen + np.linspace(0, 1, 32, dtype=np.float32)[:, None])
    return keras.Model(slices, ramp(slices))


def write_blob(path, codes="RAS", side=32):
    """A scan with a bright block that no turn or mirror image leaves in its place; returns where, in stored order."""
    hu = np.full((side, 20, 9), -1000, np.int16)
    hu[3:-3, 3:-3] = -700
    hu[5:10, 12:15, 1:3] = 240  # 5 x 3 x 2 voxels: right, towards the front, at the feet
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    image = nib.Nifti1Image(hu, AFFINE).as_reoriented(turn)
    image.header.set_xyzt_units("mm")
    assert "".join(nib.aff2axcodes(image.affine)) == codes
    nib.save(image, path)
    return np.asarray(image.dataobj) == 240


def segmenter(network, grid=32, threshold=0.5, **more):
    return Segmenter(network, WeightsInfo("light_unet", grid, threshold, "nothing", **more))


@pytest.fixture
def all_is_lung(monkeypatch):
    """For scans too small for a chest: what is tested is the way to the grid and back."""

    def lung_mask(slices, aspect):
        return Lungs(np.ones(slices.shape, np.uint8), np.ones(slices.shape, bool), "")

    monkeypatch.setattr("covidlab.models.segmenter.lung_mask", lung_mask)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL", "PIR"])
def test_a_scan_is_marked_inside_its_lungs_and_each_lung_has_its_share(tmp_path, codes):
    (hu, lungs), lesion = chest(), np.zeros((24, 128, 128), bool)
    lesion[8:12, 60:68, 30:40] = True  # in the right lung
    hu[lesion] = 240
    hu[8:12, 60:68, 62:66] = hu[1:3, 60:68, 30:40] = 240  # between the lungs, and below
    write_chest(tmp_path / "scan.nii.gz", hu, codes)
    done = segment.predict_file(tmp_path / "scan.nii.gz", tmp_path / "m.nii.gz", segmenter(marks_bright_pixels(), 128))
    np.testing.assert_array_equal(read_display(tmp_path / "m.nii.gz"), lesion)
    assert done.millilitres == pytest.approx(4 * 8 * 10 * 2.5 * 2.5 * 5 / 1000)
    share = lesion.sum() / np.count_nonzero(lungs == 1)
    assert done.involvement == {"right": pytest.approx(share, rel=0.06), "left": 0} and done.findings == ()


def test_of_thin_slices_each_third_finds_the_lungs_for_its_neighbours(tmp_path, monkeypatch):
    (hu, _), masks, done = chest(), [], []
    hu[8:12, 60:68, 30:40] = hu[8:12, 60:68, 62:66] = 240  # in the right lung, and between the lungs
    monkeypatch.setattr("covidlab.models.segmenter.MOST", len(hu))
    for times in (1, 3):
        write_chest(tmp_path / "scan.nii.gz", hu.repeat(times, axis=0)[: 3 * len(hu) - 1])  # the last is alone with one
        thick = segmenter(marks_bright_pixels(), 128)
        done.append(segment.predict_file(tmp_path / "scan.nii.gz", tmp_path / "m.nii.gz", thick))
        masks.append(read_display(tmp_path / "m.nii.gz"))
    np.testing.assert_array_equal(masks[1], masks[0].repeat(3, axis=0)[:-1])
    assert masks[0].any() and done[1].involvement["right"] == pytest.approx(done[0].involvement["right"], rel=0.02)


def test_a_scan_without_lungs_has_an_empty_mask_and_says_so(tmp_path):
    hu, _ = chest(sides=())
    hu[8:12, LUNGS[1]] = 240
    write_chest(tmp_path / "scan.nii.gz", hu)
    done = segment.predict_file(tmp_path / "scan.nii.gz", tmp_path / "m.nii.gz", segmenter(marks_bright_pixels(), 128))
    assert (done.slices, done.positive_voxels, done.millilitres, done.involvement) == (24, 0, 0, {})
    assert not np.any(nib.load(tmp_path / "m.nii.gz").dataobj)
    assert done.findings[-1].startswith("WARNING: no lungs in the field")


@pytest.mark.usefixtures("all_is_lung")
@pytest.mark.parametrize("codes", ["RAS", "SPR"])
def test_a_mask_lies_where_the_model_saw_the_lesion(tmp_path, codes):
    blob, scan, path = write_blob(tmp_path / "scan.nii.gz", codes), tmp_path / "scan.nii.gz", tmp_path / "m.nii.gz"
    done = segment.predict_file(scan, path, segmenter(marks_bright_pixels()))
    mask = nib.load(path)
    np.testing.assert_array_equal(np.asarray(mask.dataobj), blob)
    np.testing.assert_array_equal(mask.affine, nib.load(scan).affine)
    assert (done.slices, done.positive_slices, done.positive_voxels) == (9, 2, 30)
    segment.predict_file(scan, path, segmenter(marks_bright_pixels(), grid=96))  # a finer grid
    mask = np.asarray(nib.load(path).dataobj) > 0
    assert mask.any() and not (mask & ~blob).any() and (blob & ~mask).sum() <= 8 * 2  # corners are lost, at most


@pytest.mark.usefixtures("all_is_lung")
def test_a_mask_is_of_both_answers_where_the_threshold_is(tmp_path):
    write_blob(tmp_path / "scan.nii.gz")
    volume, model = read_volume(tmp_path / "scan.nii.gz"), marks_columns_on_the_right()
    alone = segmenter(model).predict(volume)[0]
    np.testing.assert_array_equal(alone[..., :16], False)
    np.testing.assert_array_equal(alone[..., 16:], True)
    # Left to right and right to left is 0.5 everywhere.
    on_grid = GridFit.of(volume, SIDE).to_grid(volume.slices())
    both = segmenter(model, mirror=True)
    np.testing.assert_allclose(both.probabilities(on_grid), 0.5, atol=1e-6)
    # Where slices are many, one way in one slice and the other in the next: from any position on, one after another.
    np.testing.assert_array_equal(both._in_turn(on_grid, np.arange(3), 3), both.probabilities(on_grid))
    in_turn = both._in_turn(on_grid, np.arange(3, 3 + len(on_grid)), 500)
    np.testing.assert_array_equal(in_turn[0::2, :, 16:], in_turn[1::2][:, :, ::-1][:1, :, 16:].repeat(5, axis=0))
    assert (in_turn[0::2, :, :16] > 0.5).all() and (in_turn[1::2, :, 16:] > 0.5).all()


@pytest.mark.parametrize("many", [200, 10])
def test_with_mirror_images_too_a_scan_is_marked_by_predict_as_it_is_scored(tmp_path, monkeypatch, many):
    monkeypatch.setattr("covidlab.models.segmenter.MANY", many)
    hu, truth = chest()
    hu[(truth > 0) & (np.random.default_rng(0).random(hu.shape) < 0.4)] = 240
    write_chest(tmp_path / "scan.nii.gz", hu)
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, (1, 2), padding="same")])
    model.set_weights([np.full((1, 2, 1, 1), 0.4), np.array([0.0])])  # a pixel's grey and that of the one to its right
    volume, one = read_volume(tmp_path / "scan.nii.gz"), segmenter(model, 128, mirror=True)
    slices, lungs = volume.slices(), lung_mask(volume.slices())
    seen = one.probabilities_of_scan(slices, lungs)
    assert (one.probabilities(slices) != seen).any() == (many == 10)
    np.testing.assert_array_equal(one.predict(volume)[0], one.mark_within(seen, lungs))


def test_a_network_that_wants_lungs_of_one_size_sees_them_so_and_marks_at_their_place(tmp_path, monkeypatch):
    hu, _ = chest()
    hu[8:16, 50:60, 30:40] = 240
    seen, sizes = predict_slices, []

    def looked_at(network, images, mirror=False):
        near = lung_mask(images).near.any(axis=0)
        sizes.append([np.ptp(np.flatnonzero(near.any(axis=axis))) + 1 for axis in (0, 1)])
        return seen(network, images, mirror)

    monkeypatch.setattr("covidlab.models.segmenter.predict_slices", looked_at)
    monkeypatch.setattr("covidlab.models.segmenter.PORTION", 100)
    write_chest(tmp_path / "scan.nii.gz", hu)
    volume, masks = read_volume(tmp_path / "scan.nii.gz"), []
    for fill in (None, 0.9):
        one = segmenter(marks_bright_pixels(), 128, fill=fill)
        masks.append(one.predict(volume)[0])
    as_it_is, brought = (max(each) for each in sizes)
    assert as_it_is < 110 and brought == pytest.approx(0.9 * 128, abs=3)
    assert count(*masks).f1 > 0.9 and masks[0].sum() > 100
    lungs = lung_mask(volume.slices())
    scored = one.mark_within(one.probabilities_of_scan(volume.slices(), lungs), lungs)
    np.testing.assert_array_equal(masks[1], scored)


@pytest.mark.usefixtures("all_is_lung")
def test_spots_smaller_than_the_weights_believe_are_not_marked(tmp_path):
    blob = write_blob(tmp_path / "scan.nii.gz")
    image = nib.load(tmp_path / "scan.nii.gz")
    hu = np.asarray(image.dataobj).copy()
    hu[20, 10:12, 5] = 240  # two pixels of one slice
    nib.save(nib.Nifti1Image(hu, None, image.header), tmp_path / "scan.nii.gz")
    volume, model = read_volume(tmp_path / "scan.nii.gz"), marks_bright_pixels()
    for smallest, believed in ((1, hu == 240), (2, hu == 240), (3, blob)):
        mask = volume.from_display(segmenter(model, smallest=smallest).predict(volume)[0])
        np.testing.assert_array_equal(mask, believed)


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5])
def test_thin_slices_hear_their_neighbours_and_thick_ones_stay_as_they_are(threshold):
    thin = np.full((120, 4, 4), 0.01, np.float32)  # a standard deviation is two slices
    thin[30:60, :2] = 0.9
    thin[45, :2] = 0.01  # a lesion that one slice does not see, and one that only one slice sees
    thin[90, 2:] = 0.99
    marked = along_z(thin, threshold) >= threshold
    assert marked[30:60, :2].all() and marked[:, :2].sum() <= 34 * 8 and not marked[:, 2:].any()
    for thick in (thin[::4], thin[2::10]):  # 30 and 12 slices of the same lungs
        np.testing.assert_array_equal(along_z(thick, threshold) >= threshold, thick >= threshold)
    assert (along_z(thin, 0.0) >= 0).all() and not (along_z(thin, 1.0) >= 1).any()


def test_a_scan_that_lies_on_the_grid_is_marked_by_predict_as_it_is_scored(tmp_path, monkeypatch):
    monkeypatch.setattr("covidlab.models.segmenter.REACH", 1 / 8)
    hu, truth = chest()
    hu[(truth > 0) & (np.random.default_rng(0).random(hu.shape) < 0.4)] = 240
    write_chest(tmp_path / "scan.nii.gz", hu)
    volume, one = read_volume(tmp_path / "scan.nii.gz"), segmenter(marks_bright_pixels(), 128, smallest=5)
    slices = volume.slices()
    expected = one.mark_within(one.probabilities(slices), lung_mask(slices))
    assert 0 < np.count_nonzero(expected != (one.mask(slices) & lung_mask(slices).near)), "neighbours have a say"
    np.testing.assert_array_equal(one.predict(volume)[0], expected)


def test_a_scan_with_more_air_around_it_has_the_same_mask():
    drawn = make_scan(cohort_plans()[5])
    wide = tuple(side * 3 // 10 for side in drawn.image.shape[:2])
    more = np.pad(drawn.image, [(side, side) for side in wide] + [(0, 0)], constant_values=-1000)
    phantom, masks = open_segmenter("phantom", quick=True), []
    for voxels in (drawn.image, more):
        volume = as_volume(Path("scan.nii"), nib.Nifti1Image(voxels, drawn.affine).header, drawn.affine, voxels, [])
        masks.append(volume.from_display(phantom.predict(volume)[0]))
    inside = masks[1][wide[0] : -wide[0], wide[1] : -wide[1]]
    assert count(masks[0], inside).f1 > 0.9 and count(drawn.mask, inside).f1 > 0.85
    assert np.count_nonzero(inside) == np.count_nonzero(masks[1])


@pytest.fixture
def folder(tmp_path):
    """Three scans, the second cut off."""
    (tmp_path / "scans").mkdir()
    for name in "abc":
        write_blob(tmp_path / "scans" / f"{name}.nii.gz")
    (tmp_path / "scans" / "b.nii.gz").write_bytes((tmp_path / "scans" / "b.nii.gz").read_bytes()[:300])
    return tmp_path / "scans"


def predict(source, target):
    """What was written, and the error at the end, if there was one."""
    done, error = [], None
    try:
        for one in segment.predict_all(segment.scan_pairs(source, target), segmenter(marks_bright_pixels())):
            done.append(one.mask.name)
    except CovidlabError as found:
        error = str(found)
    return done, error


def test_a_scan_that_cannot_be_read_does_not_stop_the_others(folder):
    done, error = predict(folder, folder.parent / "masks")
    assert done == ["a.nii.gz", "c.nii.gz"] == sorted(path.name for path in (folder.parent / "masks").iterdir())
    assert error.startswith(f"{folder / 'b.nii.gz'}: found a damaged or cut-off file") and "\n" not in error
    (folder / "c.nii.gz").rename(folder / "C.NII.GZ")
    done, error = predict(folder, folder.parent / "more")
    assert done == ["a.nii.gz"] and "found 2 of 3 scans that have no mask now" in error.splitlines()[0]
    assert "C.NII.GZ: found an ending in capitals" in error.splitlines()[1] and "b.nii.gz" in error.splitlines()[2]


def test_a_place_that_cannot_be_written_stops_at_the_first_scan(folder):
    (folder.parent / "file").touch()
    done, error = predict(folder, folder.parent / "file" / "masks")
    assert done == [] and "a.nii.gz: found a place that cannot be written" in error and "b.nii.gz" not in error


def test_two_scans_never_become_one_mask(folder):
    write_blob(folder / "a.nii")
    done, error = predict(folder, folder.parent / "masks")
    assert done == [] and error.startswith(f"{folder / 'a.nii.gz'}: found a.nii too")
    assert not (folder.parent / "masks").exists()


def test_a_file_whose_ending_is_in_capitals_is_taken_for_no_series(tmp_path):
    (tmp_path / "scans").mkdir()
    write_blob(tmp_path / "scans" / "a.nii.gz")
    (tmp_path / "scans" / "a.nii.gz").rename(tmp_path / "scans" / "A.NII.GZ")
    for target in (tmp_path / "masks", tmp_path / "m.nii.gz"):
        done, error = predict(tmp_path / "scans", target)
        assert done == [] and ("rename the file" in error or "a file name for 1 scans" in error)


@pytest.mark.usefixtures("all_is_lung")
def test_a_mask_made_in_portions_is_the_volumes_probabilities_at_the_threshold(cohort_folder, monkeypatch):
    volume = read_volume(cohort_folder / "images" / "someone_else.nii.gz")
    model, fit = light_unet(widths=(2, 3)), GridFit.of(volume, 16)
    whole = fit.from_grid(segmenter(model).probabilities(fit.to_grid(volume.slices())))
    monkeypatch.setattr("covidlab.models.segmenter.PORTION", 5)
    assert whole.shape == (12, 32, 32) and whole.dtype == np.float32
    # At the second threshold half of the slices reach it nowhere, and are not taken back to the scan's grid at all.
    for threshold in np.median(whole), np.median(whole.max(axis=(1, 2))):
        chosen = segmenter(model, grid=16, threshold=float(threshold))
        # What lies on the threshold itself may fall on either side.
        assert np.count_nonzero(chosen.predict(volume)[0] != (whole >= chosen.threshold)) <= 2


@pytest.mark.usefixtures("all_is_lung")
def test_marked_volume_is_in_millilitres_where_the_voxel_is_known(cohort_folder, tmp_path):
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    all_marked = segmenter(light_unet(widths=(2, 3)), grid=16, threshold=0.0)
    done = segment.predict_file(scan, tmp_path / "m.nii.gz", all_marked)
    assert done.positive_voxels == 32 * 32 * 12
    assert done.millilitres == pytest.approx(32 * 32 * 12 * 2.5 * 2.5 * 5 / 1000)


def test_an_overlay_shows_where_most_is_marked_from_foot_to_head():
    for marked, shown in (([0] * 12, [0, 2, 4, 6, 8, 10]), ([0, 3, 0], [1]), ([1, 2] * 6, [1, 3, 5, 7, 9, 11])):
        assert overlay.overlaid_slices(np.array(marked)).tolist() == shown


def test_weights_that_know_the_grey_of_their_lungs_see_darker_ones_as_theirs(tmp_path):
    scan = make_scan(cohort_plans()[4])
    volumes = []
    darker = np.where(scan.image < -500, scan.image - 90, scan.image)
    for name, hu in {"as-drawn": scan.image, "darker": darker}.items():
        nib.save(nib.Nifti1Image(hu, scan.affine), tmp_path / f"{name}.nii.gz")
        volumes.append(read_volume(tmp_path / f"{name}.nii.gz"))
    network = open_segmenter("phantom", quick=True)
    assert network.info.lung == pytest.approx((-750 + 1250) / 1500, abs=1e-4)
    found = {}
    for name, level in {"as they are": None, "brought": network.info.lung}.items():
        one = Segmenter(network.network, replace(network.info, lung=level))
        found[name] = [one.predict(volume)[0].sum() for volume in volumes]
    (before, missing), (brought, all_there) = found["as they are"], found["brought"]
    assert missing < 0.92 * before, "faint lesions of dark lungs are missed"
    assert all_there > 0.96 * brought
