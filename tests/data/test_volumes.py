import gzip
import warnings
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidlab.data.grid import GridFit
from covidlab.data.intensities import unstretch, window
from covidlab.data.masks import read_mask, read_mask_with_findings, write_mask
from covidlab.data.orientation import spine_side
from covidlab.data.volumes import read_volume
from covidlab.errors import CovidlabError
from covidlab.phantom import scans


def chest(side=48, slices=9):
    """A drawn axial chest, HU, rows x columns x slices: spine at the bottom, a dense disc on the image's left."""
    rows, columns = np.mgrid[:side, :side] / side
    body = ((rows - 0.5) / 0.35) ** 2 + ((columns - 0.5) / 0.45) ** 2 < 1
    picture = np.where(body, 0.0, -1000.0)
    for centre in (0.3, 0.7):
        picture[((rows - 0.45) / 0.2) ** 2 + ((columns - centre) / 0.14) ** 2 < 1] = -850
    picture[((rows - 0.73) / 0.06) ** 2 + ((columns - 0.5) / 0.05) ** 2 < 1] = 600
    picture[((rows - 0.45) / 0.06) ** 2 + ((columns - 0.25) / 0.06) ** 2 < 1] = 60
    return np.repeat(picture[:, :, None], slices, axis=2)


def stored(picture):
    """Rows x columns x slices, as shown -> voxels of a RAS+ file: x to the patient's left is minus, y to the front."""
    return np.ascontiguousarray(picture[::-1, ::-1].transpose(1, 0, 2)).astype(np.int16)


SCANNER = np.diag([2.0, 2.0, 5.0, 1.0])
OBLIQUE = np.array([[1.9, 0.3, 0, -80], [-0.3, 1.9, 0.2, -90], [0, -0.2, 5, 30], [0, 0, 0, 1]])
ORDERS = ["".join(codes) for axes in permutations(("LR", "PA", "IS")) for codes in product(*axes)]  # all 48


def save(path, array, affine=SCANNER, codes=(1, 1), units="mm"):
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units(units)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    nib.save(image, path)
    return path


def as_record(picture):
    scaled = (np.clip(picture, -1250, 250) + 1250) / 1500 * 255
    return np.rint(scaled).astype(np.uint8)


def in_order(voxels, codes, affine=SCANNER):
    """A RAS+ file's voxels and affine, stored in another order; nibabel's own turning is the oracle."""
    target = nib.orientations.axcodes2ornt(codes)
    turned = nib.Nifti1Image(voxels, affine).as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(affine), target)
    )
    return np.asarray(turned.dataobj), turned.affine


def refused(path, *words, read=read_volume):
    with pytest.raises(CovidlabError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    for word in ("found", "expected", *words):
        assert word in message, message


# --- orientation


@settings(max_examples=25)
@given(st.sampled_from(ORDERS), st.sampled_from(ORDERS))
def test_in_whatever_order_a_scan_and_its_mask_are_stored_the_same_is_shown(tmp_path_factory, order, mask_order):
    folder, scanner = tmp_path_factory.mktemp("order"), np.diag([2.0, 3.0, 5.0, 1.0])
    lesion = np.random.default_rng(0).integers(0, 2, (9, 48, 48), dtype=np.uint8)
    volume = read_volume(save(folder / "scan.nii", *in_order(stored(chest()), order, scanner)))
    np.testing.assert_array_equal(volume.slices(), as_record(chest()).transpose(2, 0, 1))
    np.testing.assert_array_equal(volume.from_display(volume.to_display(volume.voxels)), volume.voxels)
    assert volume.orientation.meaning == f"affine: stored {order}" and not volume.findings
    assert volume.pixel_aspect == pytest.approx(1.5)
    array, affine = in_order(stored(lesion.transpose(1, 2, 0)).astype(np.uint8), mask_order, scanner)
    mask, findings = read_mask_with_findings(save(folder / "mask.nii", array, affine), like=volume)
    np.testing.assert_array_equal(volume.to_display(mask), lesion)
    assert not findings


def test_without_an_affine_the_records_rules_apply_and_are_said(tmp_path):
    picture = chest()
    picture[10:13, 20:30, -1] = 100  # the last slice differs, so that a reversed z shows
    for name, turn in (
        ("coronacases_001", lambda shown: shown),
        ("radiopaedia_4_85506_1", lambda shown: shown[::-1]),
        ("radiopaedia_7_85703_0", lambda shown: shown[::-1, :, ::-1]),
        ("radiopaedia_org_covid-19-pneumonia-7_85703_0-dcm", lambda shown: shown[::-1, :, ::-1]),
    ):
        array = np.rot90(turn(picture), -1)  # the rules say how np.rot90(array[:, :, z]) looks
        path = save(tmp_path / f"{name}.nii.gz", as_record(array), np.eye(4), codes=(0, 0), units="unknown")
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.slices(), as_record(picture).transpose(2, 0, 1))
        assert volume.orientation.meaning.startswith("record rule")
        assert volume.spacing is None and "sform and qform code 0" in volume.findings[0]


def test_an_identity_affine_without_units_is_not_believed(tmp_path):
    path = save(tmp_path / "coronacases_001.nii", as_record(np.rot90(chest(), -1)), np.eye(4), (1, 1), "unknown")
    volume = read_volume(path)
    assert volume.orientation.meaning.startswith("record rule") and "identity affine" in volume.findings[0]


def test_a_picture_that_contradicts_the_rule_or_the_affine_is_warned_about(tmp_path):
    array = as_record(np.rot90(chest(), -1))  # spine down, where the radiopaedia rule expects it up
    rule = save(tmp_path / "radiopaedia_4_85506_1.nii", array, np.eye(4), (0, 0), "unknown")
    affine = save(tmp_path / "scan.nii", stored(chest()), np.diag([2.0, -2.0, 5.0, 1.0]))
    for path in (rule, affine):
        findings = read_volume(path).findings
        assert any(finding.startswith("WARNING") and "shows it up" in finding for finding in findings)


def test_the_spine_is_found_on_every_side_and_an_unknown_name_turned_by_it(tmp_path):
    slices = as_record(chest()).transpose(2, 0, 1)
    for turns, side in ((0, "down"), (2, "up"), (1, "right"), (3, "left")):
        assert spine_side(np.rot90(slices, turns, (1, 2))) == side
        path = save(tmp_path / "mine.nii", as_record(np.rot90(chest(), turns)), np.eye(4), (0, 0), "unknown")
        volume = read_volume(path)
        assert spine_side(volume.slices()) == "down"
        assert volume.orientation.meaning.startswith("picture") and "unverified" in volume.findings[-1]
    for noise in (np.random.default_rng(0).integers(0, 255, (5, 40, 40), dtype=np.uint8), np.zeros((5, 40, 40))):
        assert spine_side(noise.astype(np.uint8)) == "unclear"


# --- intensities

HU, GREY = stored(chest()), stored(as_record(chest())).astype(np.uint8)
FAT = np.random.default_rng(0).integers(-130, -80, HU.shape)
OUTSIDE = np.pad(np.zeros((46, 46, 9), bool), ((2, 0), (2, 0), (0, 0)), constant_values=True)


def test_what_the_numbers_mean_is_decided_and_said_and_all_show_the_same(tmp_path):
    for array, kind in (
        (HU, "hu"),
        (HU.astype(np.float32), "hu"),
        (GREY, "record_window"),
        (GREY.astype(np.int16), "record_window"),
        (GREY.astype(np.float32), "record_window"),  # what get_fdata gives and saves
        ((GREY / 255).astype(np.float32), "unit"),
    ):
        volume = read_volume(save(tmp_path / "scan.nii", array))
        assert volume.intensities.kind == kind and str(array.dtype) in volume.intensities.meaning
        assert not volume.findings
        np.testing.assert_array_equal(volume.slices(), as_record(chest()).transpose(2, 0, 1))
        kept = HU if kind == "hu" else np.clip(HU, -1250, 250)
        assert np.abs(volume.hounsfield() - kept).max() <= 1500 / 255 / 2 + 1e-3  # half a step of the window


def test_numbers_that_are_no_scans_are_refused(tmp_path):
    for array, *words in (
        (HU + 1024, "rescale slope and intercept"),
        ((HU / 1000).astype(np.float32), "undo what scaled it"),
        ((GREY / 1.1).astype(np.float32), "rescale slope and intercept"),
        (np.where(OUTSIDE, -2000, HU + 1024), "no HU", "once, to all but the padding"),  # scanner units, but padded
        (HU - 1024, "no HU", "once, to all but the padding"),  # the intercept applied twice
        (np.resize([0, 1], (12, 12, 9)).astype(np.uint8), "a mask", "the CT volume"),
        (np.resize([0, 255], (12, 12, 9)).astype(np.float32), "a mask", "the CT volume"),
        (np.resize([0, 1, 2, 3], (12, 12, 9)), "a mask", "the CT volume"),
        (np.resize(range(20), (12, 12, 9)), "a mask: int16 from 0 to 19", "the CT volume"),  # segments of the lungs
        (np.zeros((12, 12, 9)), "the same value 0 in every voxel"),
    ):
        refused(save(tmp_path / "scan.nii", array.astype(np.int16) if array.dtype == np.int64 else array), *words)


def test_plausible_hu_are_read_without_a_word_and_cut_off_ones_with_a_warning(tmp_path):
    for hu, words in (
        (HU[8:24, 14:38], ""),  # one lung and what is around it
        (np.where(HU < -800, FAT, HU), ""),  # an abdomen, cropped inside the body: fat, no air
        (np.where(HU == -1000, -2000, HU), ""),
        (np.where(HU == 600, 3071, HU), ""),  # metal
        (np.clip(HU, -1000, 240), ""),
        (np.clip(HU, -101, 400), "67% of the voxels have the value -101, as if HU were cut off below -101"),
        (np.clip(HU, -500, 400), "cut off below -500"),
        (np.clip(HU, -1000, 0), "cut off above 0"),
    ):
        volume = read_volume(save(tmp_path / "scan.nii", hu.astype(np.int16)))
        assert volume.intensities.kind == "hu" and len(volume.findings) == bool(words)
        assert not words or (words in volume.findings[0] and volume.findings[0].startswith("WARNING"))


def test_grey_values_on_another_window_than_the_records_are_warned_about(tmp_path, phantom_hu):
    windows = ((-160, 240), (-1000, 400), (-1000, 1000), (-1024, 3071), (-1200, 600))
    for (low, high), (scale, dtype) in product(windows, ((255, np.uint8), (1, np.float32))):
        grey = (np.clip((phantom_hu - float(low)) / (high - low), 0, 1) * scale).astype(dtype)
        findings = read_volume(save(tmp_path / "scan.nii", grey)).findings
        assert any("WARNING: soft tissue is" in finding or "scaled per slice" in finding for finding in findings)


def test_a_negative_is_warned_about_and_a_crop_inside_the_body_is_none(tmp_path, phantom_hu):
    grey = as_record(phantom_hu)
    lungs = grey[24:104, 30:98, 8:-8]
    for array, words in ((255 - grey, "as in a negative"), (1 - grey / np.float32(255), "negative"), (lungs, None)):
        findings = read_volume(save(tmp_path / "scan.nii", array)).findings
        assert any(words in finding for finding in findings) if words else not findings


def test_lungs_without_any_tissue_are_read_with_a_finding_that_names_the_cause(tmp_path):
    hu = stored(chest())
    lungs = np.where(hu == -850, hu + np.arange(9, dtype=np.int16), -1000)
    volume = read_volume(save(tmp_path / "scan.nii", lungs.astype(np.int16)))
    assert any("fat and soft tissue" in finding for finding in volume.findings)
    for outside, scan, words in (
        (0, HU, "of the voxels have the value 0, as if all but the lungs was painted over: take the whole scan"),
        (-1000, HU, "check that these are HU; if all but the lungs was painted over, take the whole scan"),
        (0, GREY, "write the scan in HU; if all but the lungs was painted over, take the whole scan"),
    ):
        lungs = scan + np.arange(9, dtype=scan.dtype)
        painted = np.where(hu == -850, lungs, outside).astype(scan.dtype)
        painted[0, 0] = 60  # a vessel
        (finding,) = read_volume(save(tmp_path / "scan.nii", painted)).findings
        assert words in finding


def test_hu_beyond_the_window_take_its_ends(tmp_path):
    hu = stored(chest())
    hu[:5, 0, 0] = [-32768, 32767, -1250, 250, -500]
    volume = read_volume(save(tmp_path / "scan.nii", hu))
    assert volume.from_display(volume.slices())[:5, 0, 0].tolist() == [0, 255, 0, 255, 128]


def test_the_headers_slope_and_intercept_are_applied(tmp_path):
    image = nib.Nifti1Image((stored(chest()) + 1024).astype(np.int16), np.diag([2.0, 2.0, 5.0, 1.0]))
    image.header.set_slope_inter(1, -1024)
    image.to_filename(tmp_path / "scan.nii")
    # to_filename would rescale on its own; write the raw numbers with the slope beside them.
    with open(tmp_path / "scan.nii", "r+b") as file:
        raw = (stored(chest()) + 1024).astype(np.int16)
        file.seek(352)
        file.write(raw.tobytes(order="F"))
    volume = read_volume(tmp_path / "scan.nii")
    assert volume.intensities.kind == "hu" and volume.voxels.min() == -1000


def stretched_by_slice(hu, headroom=1.0):
    """Each slice along the last axis from its own darkest to its own brightest voxel, or to `headroom` as far."""
    low, high = hu.min(axis=(0, 1)), hu.max(axis=(0, 1))
    return ((hu - low) / (headroom * (high - low)) * 255).astype(np.uint8)


def drifting_chest(slices=20):
    """Air outside the field of view, as scanners write it, and in every slice bone as dense as chance would have it."""
    picture = chest(slices=slices)
    picture[:3, :3] = -1024
    picture[34:36, 23:25] = np.random.default_rng(0).uniform(1000, 2500, slices)
    return picture


def test_slices_stretched_one_by_one_are_found_out_along_whichever_axis_they_lie(tmp_path):
    drifting, there = stored(drifting_chest()).astype(float), drifting_chest().transpose(2, 0, 1)[:, 20:24, 10:12]
    for codes in ("RAS", "ASR", "RSA"):  # slices along the last axis, sagittal, coronal
        volume = read_volume(save(tmp_path / "scan.nii", *in_order(stretched_by_slice(drifting), codes)))
        assert any("scaled per slice" in finding for finding in volume.findings)
        assert volume.intensities.kind == "stretched" and "drifts from grey" in volume.intensities.meaning
        hu = volume.to_display(volume.hounsfield())
        assert np.abs(hu[:, 20:24, 10:12] - there).max() < 60  # soft tissue and what is denser: estimated
        np.testing.assert_array_equal(unstretch(volume.to_display(volume.voxels)), hu)


@pytest.fixture(scope="module")
def phantom_hu():
    return scans.make_scan(scans.cohort_plans("lesson", 0)[5]).image


def test_a_windowed_scan_stays_windowed_however_it_was_averaged(tmp_path, phantom_hu):
    """Averaging takes the brightest voxels away: by them such a scan was once taken for stretched."""
    for size in (128, 64):
        shown = GridFit(size, *phantom_hu.shape[:2]).to_grid(as_record(phantom_hu).transpose(2, 0, 1))
        volume = read_volume(save(tmp_path / "scan.nii", windowed := shown.transpose(1, 2, 0)))
        assert volume.intensities.kind == "record_window" and not volume.findings
        np.testing.assert_array_equal(volume.slices(), volume.to_display(windowed))


def test_windowed_lungs_alone_on_black_stay_windowed(tmp_path):
    picture = as_record(chest(slices=12))
    lung = chest(slices=12) == -850
    darker = np.linspace(0.7, 1, 12)  # with every breath
    volume = read_volume(save(tmp_path / "scan.nii", stored(np.where(lung, picture * darker, 0)).astype(np.uint8)))
    assert volume.intensities.kind == "record_window"


def test_slices_stretched_one_by_one_come_back_to_the_records_window(tmp_path, phantom_hu):
    """The phantom's own HU are the answer: stretch its slices as the reduced coronacases are, and read them."""
    hu = np.maximum(phantom_hu.astype(np.float32), -1024)
    # Bright specks of the full size, up to 1500 HU, set the scale of slices and are no longer there.
    volume = read_volume(save(tmp_path / "coronacases_009.nii", stretched_by_slice(hu, headroom=1.8)))
    assert volume.intensities.kind == "stretched"
    there, back = (np.clip(one, -1000, 100) for one in (hu, volume.hounsfield()))
    off = np.abs(there - back)
    # A patient with much fat: the median of his soft tissue is up to 100 HU below muscle.
    assert np.median(off) < 15 and np.percentile(off, 95) < 120
    part = slice(3, 5)
    np.testing.assert_array_equal(volume.slices(part), volume.slices()[part])


def test_a_black_slice_stays_air():
    slices = np.zeros((2, 4, 4), np.uint8)
    slices[1] = 100
    assert unstretch(slices)[0].max() == -1024 and unstretch(slices)[1].max() == pytest.approx(20)


def test_a_window_maps_its_range_to_0_1_for_hu_and_for_slices_alike():
    hu = np.array([-1300, -600, -500, -400, 300])
    np.testing.assert_allclose(window(hu, -500, 200), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(window(np.array([0, 255], np.uint8), -500, 1500), [0, 1])
    with pytest.raises(ValueError, match="positive width"):
        window(hu, 0, 0)


# --- spacing


def patched(path, offset, numbers):
    """A plain .nii with other floats in its header: what no library would write."""
    content = bytearray(path.read_bytes())
    content[offset : offset + 4 * len(numbers)] = np.array(numbers, "<f4").tobytes()
    path.write_bytes(content)
    return path


PIXDIM, OFFSET, SCL_SLOPE, QUATERN, SFORM = 80, 108, 112, 256, 280


def test_the_spacing_is_the_affines_and_another_pixdim_is_said(tmp_path):
    path = save(tmp_path / "scan.nii", stored(chest()), OBLIQUE, codes=(1, 0))
    volume = read_volume(path)
    np.testing.assert_allclose(volume.spacing, nib.affines.voxel_sizes(OBLIQUE), rtol=1e-6)
    assert not volume.findings
    volume = read_volume(patched(path, PIXDIM, [1, 1, 1]))
    np.testing.assert_allclose(volume.spacing, nib.affines.voxel_sizes(OBLIQUE), rtol=1e-6)
    assert "pixdim gives voxels of 1 x 1 x 1 mm" in volume.findings[0]


def test_an_affine_that_is_none_is_not_believed_and_called_what_it_is(tmp_path):
    for numbers, why in (
        ([np.nan], "NaN"),
        ([0] * 12, "no volume"),
        ([1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0], "no volume"),
    ):
        volume = read_volume(patched(save(tmp_path / "scan.nii", stored(chest()), codes=(1, 0)), SFORM, numbers))
        assert volume.spacing is None and why in volume.findings[0] and "identity" not in volume.findings[0]


def test_lengths_are_millimetres_whatever_unit_the_file_has(tmp_path):
    for unit, factor, words in (
        ("meter", 1e-3, "lengths are in metres: taken as mm, 2 x 2 x 5 mm"),
        ("micron", 1e3, "lengths are in micrometres"),
        ("meter", 1, "metres, which no CT's are"),
        ("mm", 1e-3, "WARNING: voxels of 0.002 x 0.002 x 0.005 mm, which no CT has"),
        ("meter", 1e-6, "WARNING: lengths are in metres: taken as mm, 0.002 x 0.002 x 0.005 mm"),
    ):
        affine, mm = np.diag([factor, factor, factor, 1]) @ SCANNER, {"meter": 1e3, "micron": 1e-3}.get(unit, 1)
        volume = read_volume(save(tmp_path / "scan.nii", stored(chest()), affine, units=unit))
        (finding,) = volume.findings
        assert finding.startswith(words) or words in finding and "WARNING" not in finding
        sizes = np.array([2, 2, 5]) * (1 if "which no CT's" in words else factor * mm)
        np.testing.assert_allclose(volume.spacing, sizes, rtol=1e-6)
        if words.startswith("lengths"):  # a mask in mm lies on it, and one that is written has the scan's own unit
            mask = np.zeros(volume.voxels.shape, np.uint8)
            read_mask(save(tmp_path / "mask.nii", mask, SCANNER), like=volume)
            write_mask(tmp_path / "mask.nii", mask, volume)
            assert nib.load(tmp_path / "mask.nii").header.get_xyzt_units()[0] == unit


def test_a_qform_that_contradicts_the_sform_is_said(tmp_path):
    for axis, codes in ((0, "LAS"), (2, "RAI")):
        other = SCANNER.copy()
        other[axis] *= -1
        other[axis, 3] = SCANNER[axis, axis] * (stored(chest()).shape[axis] - 1)
        image = nib.Nifti1Image(stored(chest()), None)
        image.set_qform(SCANNER, 1), image.set_sform(other, 2)
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / "scan.nii")
        volume = read_volume(tmp_path / "scan.nii")
        assert codes in volume.orientation.meaning  # the sform
        said = f"the qform says stored RAS, voxels of 2 x 2 x 5 mm, the sform stored {codes}"
        assert any(said in finding for finding in volume.findings)


def test_a_quaternion_that_rounding_made_too_long_is_read_and_its_mask_too(tmp_path):
    turned = np.diag([-2.0, -2.0, 5.0, 1.0])  # half a turn about z: d is 1
    path = patched(save(tmp_path / "scan.nii", stored(chest()), turned, (0, 1)), QUATERN, [0, 0, np.sqrt(1 + 1e-6)])
    volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, turned, atol=1e-6)
    write_mask(tmp_path / "mask.nii", np.zeros(volume.voxels.shape), volume)
    np.testing.assert_allclose(nib.load(tmp_path / "mask.nii").affine, turned, atol=1e-6)
    refused(patched(path, QUATERN, [0, 0, 1.3]), "quaternion is 1.3 long", "write the scan again with its sform")
    nowhere = save(tmp_path / "nowhere.nii", stored(chest()), turned, (0, 0))
    assert read_volume(patched(nowhere, QUATERN, [0, 0, 1.3])).spacing is None  # nobody asks where it lies


def test_a_header_that_contradicts_itself_is_not_called_damaged(tmp_path):
    path = patched(save(tmp_path / "scan.nii", stored(chest())), SCL_SLOPE, [1, np.nan])
    refused(path, "invalid intercept", "write the scan again")
    for offset in (0, -352, 344):
        path = patched(save(tmp_path / "scan.nii", stored(chest())), OFFSET, [offset])
        refused(path, f"contradicts itself (voxels from byte {offset}, where", "write the scan again")
    path = patched(save(tmp_path / "scan.nii", stored(chest()), codes=(0, 1)), PIXDIM + 8, [0])
    refused(path, "a pixdim of 2.0 x 2.0 x 0.0, and no sform", "a qform code of 0 if nobody knows")
    path = patched(save(tmp_path / "scan.nii", stored(chest()), codes=(0, 0)), PIXDIM, [0, 0, 0])
    assert read_volume(path).spacing is None  # nobody asks how large


def test_without_an_affine_slices_are_along_the_axis_that_differs_and_that_is_said(tmp_path):
    shown = as_record(chest()).transpose(2, 0, 1)  # (slice, row, column), as SimpleITK hands it out
    for axis, which in enumerate(("first", "middle", "last")):
        volume = read_volume(save(tmp_path / "mine.nii", np.moveaxis(shown, 0, axis), np.eye(4), units="unknown"))
        assert volume.slice_axis == axis and spine_side(volume.slices()) == "down"
        assert f"slices taken to lie along the {which} axis, 9 of 48 x 48" in volume.findings[-1]
        np.testing.assert_array_equal(volume.from_display(volume.to_display(volume.voxels)), volume.voxels)
        if axis == 0:
            np.testing.assert_array_equal(volume.slices(), shown)


def test_an_affine_that_takes_another_axis_for_the_slices_is_warned_about(tmp_path):
    volume = read_volume(save(tmp_path / "mine.nii", stored(chest()).transpose(2, 1, 0), np.eye(4)))
    assert any("along the last axis by the affine, by the shape 9 x 48 x 48 along the first" in finding
               for finding in volume.findings)  # fmt: skip


def test_an_unknown_unit_code_is_no_traceback(tmp_path):
    image = nib.Nifti1Image(stored(chest()), SCANNER)
    image.header["xyzt_units"] = 7
    nib.save(image, tmp_path / "scan.nii")
    assert read_volume(tmp_path / "scan.nii").spacing == (2.0, 2.0, 5.0)


def test_pixels_are_square_where_the_file_does_not_say_or_only_rounding_differs(tmp_path):
    bare = save(tmp_path / "bare.nii", stored(chest()), np.diag([2.0, 3.0, 5.0, 1.0]), codes=(0, 0))
    assert read_volume(bare).pixel_aspect == 1
    rounded = save(tmp_path / "rounded.nii", stored(chest()), np.diag([0.742, 0.7422, 5.0, 1.0]))
    assert read_volume(rounded).pixel_aspect == 1


# --- masks, there and back


def test_a_written_mask_has_its_scans_geometry_and_is_the_same_on_another_day(tmp_path, monkeypatch):
    for k, (ending, affine, codes, units) in enumerate([
        (".nii.gz", np.eye(4), (0, 0), "unknown"),
        (".nii", OBLIQUE, (2, 1), "mm"),
        (".nii.gz", OBLIQUE, (1, 0), "mm"),
        (".nii", OBLIQUE, (0, 3), "mm"),
    ]):  # fmt: skip
        scan = save(tmp_path / f"coronacases_001{ending}", stored(chest()), affine, codes, units)
        volume, path = read_volume(scan), tmp_path / f"out {k}" / f"mask{ending}"
        mask = np.random.default_rng(0).integers(0, 2, volume.voxels.shape, dtype=np.uint8)
        write_mask(path, mask, volume)
        before, after = nib.load(scan), nib.load(path)
        np.testing.assert_array_equal(after.dataobj, mask)
        np.testing.assert_array_equal(after.affine, before.affine)
        assert after.get_data_dtype() == np.uint8
        for field in ("sform_code", "qform_code", "pixdim", "xyzt_units", "srow_x", "srow_y", "srow_z", "quatern_b"):
            np.testing.assert_array_equal(after.header[field], before.header[field], err_msg=field)
        np.testing.assert_array_equal(read_mask(path, like=volume), mask)
        assert list(path.parent.iterdir()) == [path]
        written = path.read_bytes()
        with monkeypatch.context() as another_day:
            another_day.setattr("time.time", lambda: 2e9)
            write_mask(path, mask, volume)
        assert path.read_bytes() == written


def test_a_sheared_sform_beside_another_qform_survives(tmp_path):
    sheared = OBLIQUE.copy()
    sheared[0, 1] += 0.5
    image = nib.Nifti1Image(stored(chest()), None)
    image.set_sform(sheared, 1)
    image.set_qform(OBLIQUE, 2)
    nib.save(image, tmp_path / "scan.nii")
    volume = read_volume(tmp_path / "scan.nii")
    write_mask(tmp_path / "mask.nii", np.zeros(volume.voxels.shape), volume)
    for form in ("get_sform", "get_qform"):
        before, after = (getattr(nib.load(tmp_path / name), form)(coded=True) for name in ("scan.nii", "mask.nii"))
        np.testing.assert_array_equal(after[0], before[0])
        assert after[1] == before[1]


def test_nothing_of_a_scans_header_but_its_geometry_goes_into_the_mask(tmp_path):
    image = nib.Nifti1Image(stored(chest()), SCANNER)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"PatientName: DOE^JANE"))
    for field in ("db_name", "aux_file", "intent_name", "descrip"):
        image.header[field] = b"DOE JANE"
    nib.save(image, tmp_path / "scan.nii")
    write_mask(tmp_path / "mask.nii", np.zeros((48, 48, 9)), read_volume(tmp_path / "scan.nii"))
    assert b"DOE" in (tmp_path / "scan.nii").read_bytes() and b"DOE" not in (tmp_path / "mask.nii").read_bytes()


def test_a_mask_that_lies_elsewhere_is_refused_and_both_are_named(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii", stored(chest())))
    mask = np.zeros(volume.voxels.shape, np.uint8)
    moved, larger, rounded = SCANNER.copy(), np.diag([2.5, 2.5, 5.0, 1.0]), SCANNER.copy()
    moved[0, 3], rounded[0, 3] = 4.0, 0.4
    for affine, off in ((moved, "2.0 voxels"), (larger, "voxels of 2.5 x 2.5 x 5 mm")):
        path = save(tmp_path / "mask.nii", mask, affine)
        refused(path, off, "scan.nii", "stored RAS", read=lambda path: read_mask(path, like=volume))
    np.testing.assert_array_equal(read_mask(save(tmp_path / "mask.nii", mask, rounded), like=volume), mask)


def test_a_mask_without_an_affine_is_taken_as_stored_and_that_is_said(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii", stored(chest())))
    mask = np.random.default_rng(0).integers(0, 2, volume.voxels.shape, dtype=np.uint8)
    path = save(tmp_path / "mask.nii", mask, np.eye(4), (0, 0), "unknown")
    found, findings = read_mask_with_findings(path, like=volume)
    np.testing.assert_array_equal(found, mask)
    assert "only one has an affine" in findings[0]


def test_masks_of_any_type_are_read_and_what_arithmetic_left_beside_0_and_1_is_rounded(tmp_path):
    mask = np.zeros((4, 4, 2))
    mask[1, 2, 1] = 1
    for dtype, almost in ((np.int16, 1), (np.float64, 1), (np.float32, 1.000001), (np.float32, 0.9999999)):
        found = read_mask(save(tmp_path / "mask.nii", (mask * almost).astype(dtype)))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, mask)


def test_a_scan_of_four_dimensions_with_one_volume_is_read_with_a_finding_and_its_mask_is_alike(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii", stored(chest())[..., None]))
    assert "four dimensions" in volume.findings[0]
    write_mask(tmp_path / "mask.nii", np.zeros(volume.voxels.shape), volume)
    assert nib.load(tmp_path / "mask.nii").shape == (48, 48, 9, 1)


# --- reading


def test_a_file_reads_as_nibabel_reads_it(tmp_path):
    for kind, name in ((nib.Nifti1Image, "one.nii.gz"), (nib.Nifti2Image, "two.nii")):
        image = kind(stored(chest()), SCANNER)
        image.header.set_slope_inter(1.125, -16.0)  # scaled, as scanners' software likes to write
        nib.save(image, tmp_path / name)
        volume, theirs = read_volume(tmp_path / name), nib.load(tmp_path / name)
        np.testing.assert_array_equal(volume.voxels, theirs.get_fdata())
        assert volume.voxels.dtype == np.float32
        np.testing.assert_array_equal(volume.affine, theirs.affine)


NOISE = np.random.default_rng(0).integers(-1000, 1000, (16, 16, 8)).astype(np.int16)


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_as_it_was(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    whole = save(folder / "whole.nii.gz", NOISE).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    for name, content in (("cut", whole[:place]), ("flipped", flipped)):
        (folder / f"{name}.nii.gz").write_bytes(content)
        try:
            np.testing.assert_array_equal(read_volume(folder / f"{name}.nii.gz").voxels, NOISE)
        except CovidlabError as error:
            # Of a flipped bit in the header more may be said.
            assert name == "flipped" or "damaged or cut-off" in str(error) or "an empty file" in str(error)
        else:
            assert name == "flipped"  # in what a zip says of itself: its date, bits that fill a byte up


def test_a_truncated_file_or_another_checksum_is_refused(tmp_path):
    whole = save(tmp_path / "scan.nii", NOISE).read_bytes()
    (tmp_path / "scan.nii").write_bytes(whole[:-1])
    refused(tmp_path / "scan.nii", "damaged or cut-off", "again")
    whole = save(tmp_path / "scan.nii.gz", NOISE).read_bytes()
    (tmp_path / "scan.nii.gz").write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    refused(tmp_path / "scan.nii.gz", "damaged or cut-off file (CRC check failed", "again")


def test_text_an_empty_file_a_folder_and_nothing_are_refused(tmp_path):
    (tmp_path / "text.nii.gz").write_text("not an image")
    refused(tmp_path / "text.nii.gz")
    with gzip.open(tmp_path / "zipped text.nii.gz", "wt") as file:
        file.write("still not an image" * 100)
    refused(tmp_path / "zipped text.nii.gz", "NIfTI")
    (tmp_path / "empty.nii.gz").touch()
    refused(tmp_path / "empty.nii.gz", "an empty file")
    refused(tmp_path, "a folder")
    refused(tmp_path / "absent.nii.gz", "no such file")
    (tmp_path / "scan.png").touch()
    refused(tmp_path / "scan.png", "convert")


def test_other_than_three_dimensions_are_refused_with_what_to_do(tmp_path):
    for shape, remedy in (
        ((8, 8), "stack"),
        ((8, 8, 4, 2), "save one volume a file"),
        ((8, 8, 4, 1, 1), "remove the axes of length 1"),
        ((1, 8, 8, 4), "remove the first axis of length 1"),
    ):
        array = np.zeros(shape, np.int16)
        refused(save(tmp_path / "scan.nii", array), f"{len(shape)} dimensions", "x, y, z", remedy)
    refused(save(tmp_path / "scan.nii", np.zeros((4, 0, 3), np.int16)), "a volume without voxels (4 x 0 x 3)")


def test_a_name_that_does_not_fit_the_content_is_said_with_the_right_one(tmp_path):
    whole = save(tmp_path / "a.nii.gz", stored(chest())).rename(tmp_path / "zipped.nii")
    refused(whole, "compressed", "rename it to zipped.nii.gz")
    whole = save(tmp_path / "a.nii", stored(chest())).rename(tmp_path / "plain.nii.gz")
    refused(whole, "plain file", "rename it to plain.nii.")


def test_a_scan_that_may_not_be_opened_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "scan.nii", stored(chest()))

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("open", "exists"):  # as root nothing is forbidden; a folder may forbid it, too
        with monkeypatch.context() as patch:
            patch.setattr(f"pathlib.Path.{name}", forbidden)
            for read in (read_volume, read_mask):
                refused(path, "may not be opened", "its owner", read=read)


def test_nan_and_infinite_voxels_are_refused_and_counted(tmp_path):
    array = stored(chest()).astype(np.float32)
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    refused(save(tmp_path / "scan.nii", array), "2 voxels", "-1000 HU, not NaN")


def test_colour_is_refused(tmp_path):
    array = np.zeros((4, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "scan.nii")
    refused(tmp_path / "scan.nii", "one grey value a voxel")


def test_a_mask_of_another_shape_is_refused(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii", stored(chest())))
    mask = save(tmp_path / "mask.nii", np.zeros((48, 48, 8), np.uint8))
    refused(mask, "48 x 48 x 8", "48 x 48 x 9", read=lambda path: read_mask(path, like=volume))


def test_a_mask_with_other_values_is_refused_and_the_records_other_mask_is_recognised(tmp_path):
    refused(save(tmp_path / "a.nii", np.full((4, 4, 2), 255, np.uint8)), "255", "lesion as 1", read=read_mask)
    labels = np.arange(32, dtype=np.uint8).reshape(4, 4, 2) % 4
    refused(save(tmp_path / "b.nii", labels), "0, 1, 2, 3", "Infection_Mask", read=read_mask)
    with pytest.raises(CovidlabError) as caught:  # another set's, where 1 and 2 may both be lesions
        read_mask(save(tmp_path / "b.nii", np.minimum(labels, 2)))
    assert "lungs" not in str(caught.value) and "lesion as 1" in str(caught.value)
    refused(save(tmp_path / "c.nii", np.full((4, 4, 2), np.nan, np.float32)), "nan", read=read_mask)


def test_a_mask_goes_nowhere_that_cannot_be_written(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii", stored(chest())))
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(CovidlabError, match="cannot be written"):
        write_mask(tmp_path / "blocked" / "mask.nii.gz", np.zeros(volume.voxels.shape), volume)
    with pytest.raises(CovidlabError, match="another kind"):
        write_mask(tmp_path / "mask.png", np.zeros(volume.voxels.shape), volume)
    with pytest.raises(CovidlabError, match="of shape"):
        write_mask(tmp_path / "mask.nii", np.zeros((1, 2, 3)), volume)
    assert not (tmp_path / "mask.nii").exists()


def test_a_size_that_is_no_number_is_told_without_a_stray_warning(tmp_path):
    path = tmp_path / "scan.nii"
    image = nib.Nifti1Image(stored(chest()), SCANNER)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    content[80:84] = (0x7FA00000).to_bytes(4, "little")  # pixdim[1]: a NaN that cannot be cast in silence
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings = read_volume(path).findings
    assert any("pixdim gives voxels of nan" in finding for finding in findings)
