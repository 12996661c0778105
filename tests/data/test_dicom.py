import re
import warnings
import zipfile
from contextlib import nullcontext

import nibabel as nib
import numpy as np
import pytest

from covidlab.cli import main
from covidlab.data.dicom import holds_slices, read_series
from covidlab.data.dicom import write_series as write_volume
from covidlab.data.masks import write_mask
from covidlab.data.scans import is_single_scan, read_scan
from covidlab.data.volumes import read_volume
from covidlab.errors import CovidlabError
from covidlab.models.segment import scan_pairs

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")

SPACING = (1.5, 2.0, 4.0)  # columns, rows, slices, mm


def write_series(folder, voxels, uid="1.2.3", slope=1.0, modality="CT"):
    """A CT series as a scanner stores it: feet to head, rows to the back, columns to the patient's left."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(voxels.shape[2]):
        one = pydicom.Dataset()
        one.Modality, one.SeriesInstanceUID = modality, uid
        one.SOPClassUID, one.SOPInstanceUID = pydicom.uid.CTImageStorage, f"{uid}.{k + 1}"
        one.Rows, one.Columns = voxels.shape[1], voxels.shape[0]
        one.PixelSpacing = [SPACING[1], SPACING[0]]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [-20.0, -30.0, 100 + SPACING[2] * k]
        one.RescaleSlope, one.RescaleIntercept = slope, -1024
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.PixelData = np.round((voxels[:, :, k].T + 1024) / slope).astype(np.uint16).tobytes()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        # Names in another order than the slices.
        one.save_as(folder / f"{uid}-{(7 * k) % 31:02d}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture
def voxels():
    hu = np.full((12, 10, 6), -1000, np.int16)
    hu[2:-2, 2:-2] = 40
    hu[3, 4, 2] = 700
    return hu


def test_a_series_lies_where_its_nifti_lies(tmp_path, voxels):
    volume = read_series(write_series(tmp_path / "series", voxels))
    np.testing.assert_array_equal(volume.voxels, voxels)
    # By hand: x and y turn their sign; the first voxel is at (20, 30, 100).
    np.testing.assert_allclose(volume.affine, [[-1.5, 0, 0, 20], [0, -2, 0, 30], [0, 0, 4, 100], [0, 0, 0, 1]])
    image = nib.Nifti1Image(voxels, volume.affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "same.nii.gz")
    same = read_volume(tmp_path / "same.nii.gz")
    np.testing.assert_array_equal(volume.slices(), same.slices())
    assert volume.spacing == same.spacing and volume.intensities.kind == "hu"


def test_of_two_series_the_longer_is_read_and_said(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    write_series(folder, voxels[:, :, :2], uid="9.9")
    (folder / "notes.txt").write_text("no DICOM")
    volume = read_series(folder)
    assert volume.voxels.shape == voxels.shape and any("2 series" in finding for finding in volume.findings)


def test_a_folder_without_ct_slices_is_refused(tmp_path, voxels):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", write_series(tmp_path / "series", voxels, modality="MR")):
        with pytest.raises(CovidlabError, match="no CT slice in DICOM"):
            read_series(folder)


def files(folder):
    """From feet to head."""
    return sorted(folder.glob("*.dcm"), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])


def change(paths, **tags):
    """Give slices other values; None takes the tag away."""
    for path in paths:
        one = pydicom.dcmread(path)
        for name, value in tags.items():
            one.pop(name, None)
            if value is not None:
                setattr(one, name, value)
        one.save_as(path)


def test_slices_that_do_not_say_where_they_lie_are_named_with_what_they_lack(tmp_path, voxels):
    for tag, value in (("PixelSpacing", None), ("ImagePositionPatient", ""), ("ImageOrientationPatient", None)):
        folder = write_series(tmp_path / "series", voxels)
        change(files(folder), **{tag: value})
        with pytest.raises(CovidlabError, match=f"no CT slice in DICOM; 6 of 6 files left out.* has no {tag}"):
            read_series(folder)


def test_slope_and_intercept_give_hounsfield_units_and_empty_ones_are_none(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels, slope=2.0)
    np.testing.assert_array_equal(read_series(folder).voxels, voxels)
    write_series(folder, voxels)
    change(files(folder), RescaleSlope="")
    np.testing.assert_array_equal(read_series(folder).voxels, voxels)
    change(files(folder), RescaleIntercept="")
    with pytest.raises(CovidlabError, match="from 24 to 1724"):
        read_series(folder)


def test_slices_without_the_series_they_belong_to_are_one_series_and_that_is_said(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    change(files(folder), SeriesInstanceUID=None)
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert any("no SeriesInstanceUID" in finding for finding in volume.findings)


def test_a_file_cut_off_anywhere_is_counted_and_named_or_refused(tmp_path, voxels):
    folder, voxels = write_series(tmp_path / "series", voxels[:, :, 2:5]), voxels[:, :, 2:5]
    path = files(folder)[-1]
    # Cut off within a name, a file may say something invalid, and pydicom warns.
    warnings.simplefilter("ignore")
    whole, pixels = path.read_bytes(), 2 * 12 * 10
    for length in range(132, len(whole) - pixels + 1, 7):
        path.write_bytes(whole[:length])
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels[:, :, :-1])
        assert volume.findings[0].startswith(f"1 of 3 files left out, cut off or incomplete: {path.name} has no ")
    path.write_bytes(whole[:-1])
    with pytest.raises(CovidlabError, match=f"{path.name}: found pixels that cannot be unpacked"):
        read_series(folder)


def test_a_geometry_that_is_none_is_refused(tmp_path, voxels):
    for tags in ({"PixelSpacing": [0, 2]}, {"ImageOrientationPatient": [0, 0, 0, 0, 1, 0]}):
        folder = write_series(tmp_path / "series", voxels)
        change(files(folder), **tags)
        with pytest.raises(CovidlabError, match="found PixelSpacing.*expected millimetres, and two directions"):
            read_series(folder)


def test_a_gap_says_which_file_was_left_out(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    path = files(folder)[2]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CovidlabError, match=f"distances of 4.00 to 8.00 mm.*1 of 6 files left out.*{path.name}"):
        read_series(folder)


def test_a_series_without_preambles_is_read(tmp_path, voxels):
    for form in ("with its file header", "explicit", "implicit"):
        folder = write_series(tmp_path / form, voxels)
        for path in folder.iterdir():
            if form == "with its file header":
                path.write_bytes(path.read_bytes()[132:])
            else:
                one = pydicom.dcmread(path)
                del one.file_meta, one.preamble
                one.save_as(path, implicit_vr=form == "implicit", little_endian=True)
                assert path.read_bytes()[:2] == b"\x08\x00"
        (folder / "notes.txt").write_text("no DICOM")
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels)
        assert volume.findings == () and holds_slices(folder)


def test_a_scan_is_a_file_or_a_folder_of_slices(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    np.testing.assert_array_equal(read_scan(folder).voxels, voxels)
    scan = tmp_path / "one.nii.gz"
    nib.save(nib.Nifti1Image(voxels, read_series(folder).affine), scan)
    np.testing.assert_array_equal(read_scan(scan).voxels, voxels)
    scan.rename(tmp_path / "ONE.NII.GZ")
    with pytest.raises(CovidlabError, match="ONE.NII.GZ: found an ending in capitals"):
        read_scan(tmp_path / "ONE.NII.GZ")
    scan.mkdir()
    with pytest.raises(CovidlabError, match="found a folder"):
        read_scan(scan)
    assert not holds_slices(tmp_path)


def test_a_zipped_series_is_read_whatever_its_folders_and_refused_under_its_own_name(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    with zipfile.ZipFile(tmp_path / "scan.ZIP", "w", zipfile.ZIP_DEFLATED) as archive:
        for k, file in enumerate(sorted(folder.iterdir())):
            archive.write(file, f"../disc{k % 2}/{k // 2}.dcm")  # names come twice, and none may leave the folder
        archive.writestr("README.txt", "how to open this")
    volume, plain = read_scan(tmp_path / "scan.ZIP"), read_series(folder)
    np.testing.assert_array_equal(volume.voxels, plain.voxels)
    np.testing.assert_array_equal(volume.affine, plain.affine)
    assert volume.path == tmp_path / "scan.ZIP" and not (tmp_path / "disc0").exists()
    (tmp_path / "cut.zip").write_bytes((tmp_path / "scan.ZIP").read_bytes()[:-60])
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
        archive.writestr("README.txt", "no scan")
    with zipfile.ZipFile(tmp_path / "nifti.zip", "w") as archive:
        archive.writestr("images/scan.nii.gz", b"no DICOM")
    for name, words in (
        ("cut.zip", "an archive that cannot be unpacked"),
        ("text.zip", "no CT slice in DICOM"),
        ("nifti.zip", "no CT slice in DICOM, but images/scan.nii.gz; .*unpack it, and name the scan in it"),
    ):
        with pytest.raises(CovidlabError, match=words) as refused:
            read_scan(tmp_path / name)
        assert str(refused.value).startswith(f"{tmp_path / name}: found ")


def test_of_folders_with_a_series_each_one_that_is_named_as_a_file_hides_no_other(tmp_path, voxels):
    for name in ("a", "b.nrrd"):
        write_series(tmp_path / "all" / name, voxels)
    pairs = scan_pairs(tmp_path / "all", tmp_path / "masks")
    assert [(scan.name, mask.name) for scan, mask in pairs] == [("a", "a.nii.gz"), ("b.nrrd", "b.nii.gz")]


def test_of_a_film_beside_the_slices_only_the_beginning_is_read(tmp_path, voxels, monkeypatch):
    folder = write_series(tmp_path / "series", voxels)
    monkeypatch.setattr("covidlab.data.dicom_slice.LONGEST", 2**20)
    (folder / "film").write_bytes(files(folder)[0].read_bytes())
    change([folder / "film"], SeriesInstanceUID="7.7", NumberOfFrames=9)
    with (folder / "film").open("r+b") as film:
        film.truncate(2**40)  # no disk holds it, nor memory
    assert "film holds 9 frames in one file" in read_series(folder).findings[0]


def test_the_index_of_a_cd_and_other_pictures_are_no_slices(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    (folder / "DICOMDIR").write_bytes(128 * b"\0" + b"DICM")
    write_series(folder, voxels[:, :, :1], uid="7.7", modality="SR")
    assert read_series(folder).findings == ()


def test_predict_takes_a_series_and_writes_a_mask_in_its_place(tmp_path, voxels, capsys):
    folder = write_series(tmp_path / "series", voxels)
    # An old mask beside the slices does not hide them.
    nib.save(nib.Nifti1Image((voxels > 0).astype(np.uint8), np.eye(4)), folder / "old.nii.gz")
    assert main(["predict", str(folder), "-o", str(tmp_path / "mask.nii.gz")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("light_unet: light_unet, 128 px, threshold 0.35\ntrained on covid19-ct-seg-128px+phantom")
    assert "from weights of phantom-lesson" in out, "and the ancestry"
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert mask.shape == voxels.shape
    np.testing.assert_allclose(mask.affine, read_series(folder).affine, atol=1e-4)
    # A folder to write to would mean a scan a file: then nobody can say which of the two was meant.
    assert main(["predict", str(folder), "-o", str(tmp_path / "masks")]) == 2
    assert "DICOM slices, and old.nii.gz beside them" in capsys.readouterr().err and not (tmp_path / "masks").exists()
    (folder / "empty").mkdir()
    assert main(["predict", str(folder / "empty"), "-o", str(tmp_path / "m.nii.gz")]) == 2
    assert "found no scan" in capsys.readouterr().err


def test_a_volume_written_as_a_series_is_read_in_its_place(tmp_path, voxels):
    for signs, axes in (((1, -1, -1), (0, 1, 2)), ((-1, -1, 1), (2, 0, 1)), ((1, 1, 1), (1, 2, 0))):
        affine = np.eye(4)
        affine[:3, :3] = (np.diag(np.multiply(SPACING, signs)))[:, axes]
        affine[:3, 3] = (11, -7, 250)
        image = nib.Nifti1Image(np.ascontiguousarray(voxels.transpose(axes)), affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / "scan.nii.gz")
        volume, folder = read_volume(tmp_path / "scan.nii.gz"), tmp_path / f"series {axes}"
        paths = write_volume(folder, volume)
        series = read_series(folder)
        assert len(paths) == len(volume.slices())
        np.testing.assert_array_equal(series.slices(), volume.slices())
        # The one bright voxel lies at the same millimetres, whatever the order of storage.
        places = [one.affine @ np.append(np.argwhere(one.voxels == 700)[0], 1) for one in (volume, series)]
        np.testing.assert_allclose(*places, atol=1e-3)


def test_the_records_window_is_written_as_hounsfield_units_and_comes_back_grey_for_grey(tmp_path, voxels):
    grey = np.clip((voxels + 1250) / 1500 * 255, 0, 255).round().astype(np.uint8)
    grey[4:8, 4:8, 3] = np.arange(16).reshape(4, 4) * 17
    nib.save(nib.Nifti1Image(grey, np.diag([1.0, 1.0, 3.0, 1.0])), tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    assert volume.intensities.kind == "record_window"
    write_volume(tmp_path / "series", volume)
    np.testing.assert_array_equal(read_series(tmp_path / "series").slices(), volume.slices())


# --- what differs between slices that should be alike


def place(paths, heights, shift=0.0):
    for path, height in zip(paths, heights, strict=True):
        change([path], ImagePositionPatient=[-20.0 + shift * height, -30.0, 100.0 + height])


def copied(folder, paths, **tags):
    """More files of the same slices."""
    copies = [folder / f"again-{path.name}" for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    change(copies, **tags)
    return copies


def test_slices_that_do_not_follow_each_other_evenly_are_refused(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    paths = files(folder)
    for heights, words in (
        ([0, 4, 8, 12, 24, 36], "distances of 4.00 to 12.00 mm"),
        ([0, 4, 6, 8, 12, 16], "distances of 2.00 to 4.00 mm"),  # a slice more, half way
        ([0, 4, 4, 8, 12, 16], "1 of 6 slices at the place of another"),
        ([0, 1.0, 2.1, 3.3, 4.6, 6.0], "distances of 1.00 to 1.40 mm"),  # each a little further than the last
    ):
        place(paths, heights)
        with pytest.raises(CovidlabError, match=words):
            read_series(folder)


def test_slices_beside_their_line_are_refused_and_rounded_places_are_not(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    place(files(folder), [0, 0.6, 1.3, 1.9, 2.5, 3.1])  # 0.625 mm apart, rounded
    assert read_series(folder).voxels.shape == voxels.shape
    place(files(folder)[:3], [0, 0.6, 1.3], shift=1.0)
    with pytest.raises(CovidlabError, match="slices that lie up to .* pixels beside the line"):
        read_series(folder)


def test_another_pixel_size_within_a_series_is_refused_and_directions_may_be_rounded(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    change(files(folder)[::2], ImageOrientationPatient=[1, 0.00004, 0, 0, 1, 0])
    change(files(folder)[1::2], ImageOrientationPatient=[1, 0.00006, 0, 0, 1, 0])
    assert read_series(folder).voxels.shape == voxels.shape and not read_series(folder).findings
    change(files(folder)[3:], PixelSpacing=[1, 1])
    with pytest.raises(CovidlabError, match=r"PixelSpacing .2.0, 1.5. in 3 slices and PixelSpacing .1.0, 1.0. in 3"):
        read_series(folder)


def test_slices_without_the_others_rescaling_are_left_out_and_named(tmp_path, voxels):
    for tag in ("RescaleIntercept", "RescaleSlope"):
        folder = write_series(tmp_path / "series", voxels)
        last = files(folder)[-1]
        change([last], **{tag: None})
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels[:, :, :-1])
        assert f"1 of 6 files left out, cut off or incomplete: {last.name} has no {tag}" in volume.findings
        change(files(folder)[2:3], **{tag: None})
        with pytest.raises(CovidlabError, match=f"distances.*2 of 6 files left out.*has no {tag}"):
            read_series(folder)


def test_of_acquisitions_that_lie_among_each_other_one_is_read_and_of_others_all(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    change(files(folder)[:3], AcquisitionNumber=1), change(files(folder)[3:], AcquisitionNumber=2)
    volume = read_series(folder)
    assert volume.voxels.shape == voxels.shape and not volume.findings
    change(files(folder), AcquisitionNumber=1)
    again = copied(folder, files(folder), AcquisitionNumber=2)
    place(again, np.arange(6) * SPACING[2] + SPACING[2] / 2)  # every second slice
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.findings == (
        "2 acquisitions in one series, which differ in AcquisitionNumber: read the one with most slices (6), that of "
        "1.2.3-00.dcm",
    )


def test_slices_that_say_something_else_part_no_stack_that_is_even_only_as_a_whole(tmp_path, voxels):
    for tag, usual, other in (("ImageType", "ORIGINAL", "DERIVED"), ("AcquisitionNumber", 1, 2), ("KVP", 120, None)):
        folder = write_series(tmp_path / "series", voxels)
        change(files(folder), **{tag: usual}), change(files(folder)[2:4], **{tag: other})
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels)
        assert not volume.findings


def test_what_is_no_grey_picture_in_hounsfield_units_is_no_slice_however_long_its_series(tmp_path, voxels):
    for tags, words in (
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "is a picture in colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "is a picture in colour"),
        ({"RescaleType": "Z_EFF"}, "holds Z_EFF, not HU"),
        ({"BitsStored": 12, "HighBit": 15}, "has its 12 bits up to bit 15"),  # pydicom would take the lower ones
    ):
        folder = write_series(tmp_path / "series", voxels)
        write_series(folder, np.dstack([voxels, voxels]), uid="2.2")
        change(folder.glob("2.2*"), **tags)
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels)
        assert f"12 of 18 files left out, cut off or incomplete: 2.2-00.dcm {words}" in volume.findings[0]


def test_the_index_of_a_cd_is_known_in_small_letters_and_in_a_zip(tmp_path, voxels):
    (tmp_path / "cd").mkdir()
    folder, one = write_series(tmp_path / "cd" / "series", voxels), pydicom.Dataset()
    one.DirectoryRecordSequence = [pydicom.Dataset()]
    one.save_as(tmp_path / "cd" / "dicomdir", implicit_vr=False, little_endian=True)
    index = 128 * b"\0" + b"DICM" + (tmp_path / "cd" / "dicomdir").read_bytes()
    (tmp_path / "cd" / "dicomdir").write_bytes(index)
    with pytest.raises(CovidlabError, match=f"such as {folder}"):
        read_series(tmp_path / "cd")
    with zipfile.ZipFile(tmp_path / "cd.zip", "w") as archive:
        for path in (tmp_path / "cd" / "dicomdir", *folder.iterdir()):
            archive.write(path, path.name)
    assert read_scan(tmp_path / "cd.zip").findings == ()


def test_deflated_files_are_said_to_be_that(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    for path in files(folder):
        one = pydicom.dcmread(path)
        one.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        one.save_as(path)
    with pytest.raises(CovidlabError, match="6 of 6 files left out.* is deflated, the whole file zipped"):
        read_series(folder)


def test_a_copy_of_a_file_is_no_second_slice(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    for path in files(folder)[1:]:
        (folder / f"copy of {path.name}").write_bytes(path.read_bytes())
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert not volume.findings


def test_pixels_of_a_size_that_no_ct_has_are_warned_of(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    change(files(folder), PixelSpacing=[0.0007, 0.0007])  # metres
    assert "WARNING: voxels of 0.0007 x 0.0007 x 4 mm, which no CT has" in read_series(folder).findings[0]


def test_two_patients_whose_series_have_one_number_or_none_are_not_mixed(tmp_path, voxels):
    for number in ("1.2.3", None):
        folder = write_series(tmp_path / f"series {number}", voxels)
        change(files(folder), PatientID="A")
        again = copied(folder, files(folder), PatientID="B")
        place(again, 24 + np.arange(6) * SPACING[2])  # above the first, as if both were one
        change(files(folder), SeriesInstanceUID=number)
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels)
        assert "2 series, which differ in PatientID" in volume.findings[0]
    folder = write_series(tmp_path / "badly anonymised", voxels)
    change(files(folder)[2:4], PatientID="A")  # no stack of its own: whole, or nobody could read it
    np.testing.assert_array_equal(read_series(folder).voxels, voxels)


def test_padding_that_would_be_metal_or_beyond_16_bits_is_darker_than_air(tmp_path, voxels):
    voxels[:2] = -1000  # two of twelve columns, which no scan has seen
    for value, signed in ((-32768, 1), (65535, 0), (4095, 0)):
        folder = write_series(tmp_path / f"{value}", voxels)
        for path in files(folder):
            one = pydicom.dcmread(path)
            stored = one.pixel_array.astype("<i4")
            stored[:, :2] = value
            one.PixelData, one.PixelRepresentation = stored.astype("<i2" if signed else "<u2").tobytes(), signed
            one.add_new("PixelPaddingValue", "SS" if signed else "US", value)
            one.save_as(path)
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels[2:], voxels[2:])
        assert (volume.voxels[:2] < -1000).all() and not volume.slices()[:, :, :2].any()


def test_what_is_said_of_a_file_in_a_zip_names_that_file(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    for cut, words in ((200, "left out.*0BAD_.1\\) has no"), (-9, "0BAD_.1\\) with pixels that cannot be unpacked")):
        bad = folder / ("0" * 200 + "BAD:.1")
        bad.write_bytes(files(folder)[-1].read_bytes()[:cut])
        with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
            for path in (bad, *files(folder)[:-1]):
                archive.write(path, "scan.nii.gz" if path == files(folder)[0] else path.name)  # DICOM by its content
        with nullcontext() if cut > 0 else pytest.raises(CovidlabError, match=words):
            assert re.search(words, read_scan(tmp_path / "scan.zip").findings[0])
        bad.unlink()


def test_an_archive_of_something_else_says_what_is_in_it(tmp_path, voxels):
    for names, words in (
        (["a/scan.nii.gz"], "a/scan.nii.gz"),
        (["one.zip", "notes"], "one.zip, notes"),
        ([], "nothing"),
    ):
        with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
            [archive.writestr(name, "content") for name in names]
        with pytest.raises(
            CovidlabError, match=f"no CT slice in DICOM, but {words}.*unpack it, and name the scan in it"
        ):
            read_scan(tmp_path / "scan.zip")


def test_of_a_cd_with_a_viewer_the_folder_of_its_slices_is_named(tmp_path, voxels):
    for name in ("IMAGES", "VIEWER"):
        (tmp_path / name).mkdir()
    for file in ("DICOMDIR", "AUTORUN.INF", "VIEWER/run.exe", "IMAGES/index.html"):
        (tmp_path / file).write_text("no slice")
    folder = write_series(tmp_path / "IMAGES" / "SE1", voxels)
    with pytest.raises(CovidlabError, match=f"such as {folder}"):
        read_series(tmp_path)


def test_the_folder_that_one_stands_in_has_its_name(tmp_path, voxels, capsys, monkeypatch):
    monkeypatch.chdir(write_series(tmp_path / "phantom_03_1", voxels))
    assert main(["inspect", "."]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["phantom_03_1", "phantom_03"]


def test_a_number_spelled_in_two_ways_parts_no_series(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    for tag, spellings in (("SliceThickness", ("4", "4.000")), ("KVP", ("120", "1.2E2"))):
        change(files(folder)[::2], **{tag: spellings[0]}), change(files(folder)[1::2], **{tag: spellings[1]})
        volume = read_series(folder)
        np.testing.assert_array_equal(volume.voxels, voxels)
        assert not volume.findings


def test_a_tilted_gantry_shears_the_stack_and_its_mask_has_no_qform(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    tilt = np.radians(20)
    change(files(folder), ImageOrientationPatient=[1, 0, 0, 0, np.cos(tilt).round(6), -np.sin(tilt).round(6)])
    volume = read_series(folder)
    assert any("gantry was tilted" in finding for finding in volume.findings)
    write_mask(tmp_path / "mask.nii.gz", np.zeros(voxels.shape), volume)
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert int(mask.header["qform_code"]) == 0 and int(mask.header["sform_code"]) == 1
    # By hand: the first slice's last row is 9 x 2 mm further along the tilted side.
    corner = [20, 30 - 18 * np.cos(tilt), 100 - 18 * np.sin(tilt), 1]
    np.testing.assert_allclose(mask.affine @ [0, 9, 0, 1], corner, atol=1e-4)


def test_what_is_denser_than_16_bits_stays_dense(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    for path in files(folder):
        one = pydicom.dcmread(path)
        one.PixelData = np.where(one.pixel_array == 1724, 40000, one.pixel_array).astype(np.uint16).tobytes()
        one.save_as(path)
    volume = read_series(folder)
    assert volume.voxels[3, 4, 2] == 32767 and volume.slices().max() == 255


def test_numbers_that_are_none_are_named_with_their_file(tmp_path, voxels):
    for tag, text in (
        ("PixelSpacing", "2,0\\1,5"),
        ("ImagePositionPatient", "-20,0\\-30,0\\100,0"),
        ("ImageOrientationPatient", "1,0\\0,0\\0,0\\0,0\\1,0\\0,0"),
        ("RescaleSlope", "1\\1"),
        ("RescaleSlope", "0"),
        ("RescaleIntercept", "nan"),
        ("RescaleIntercept", "-1024,0"),
    ):
        folder = write_series(tmp_path / "series", voxels)
        for path in files(folder):
            one = pydicom.dcmread(path)
            key, value = pydicom.tag.Tag(tag), text.encode() + b" " * (len(text) % 2)
            one._dict[key] = pydicom.dataelem.RawDataElement(key, "DS", len(value), value, 0, False, True)
            one.save_as(path)
        words = f"6 of 6 files left out.*0.dcm has (no|a) {tag}"
        with warnings.catch_warnings(), pytest.raises(CovidlabError, match=words):
            warnings.simplefilter("error")  # one line, and none of pydicom's beside it
            read_series(folder)


def test_what_is_no_folder_of_single_slices_is_told_what_to_name(tmp_path, voxels, capsys):
    (tmp_path / "study" / "ST0").mkdir(parents=True)
    folder = write_series(tmp_path / "study" / "ST0" / "SE1", voxels)
    with pytest.raises(CovidlabError, match=f"one DICOM file.*name its folder, {folder}, or convert"):
        read_scan(files(folder)[0])
    assert main(["inspect", str(tmp_path / "study")]) == 2
    assert f"such as {folder}" in capsys.readouterr().err
    for k, path in enumerate(files(folder)):
        change([path], SeriesInstanceUID=f"1.2.{k}")
    with pytest.raises(CovidlabError, match="found one slice; 6 series, which differ in SeriesInstanceUID"):
        read_series(folder)
    for path in files(folder)[1:]:
        path.unlink()
    change(files(folder), NumberOfFrames=6)
    with pytest.raises(CovidlabError, match="holds 6 frames in one file.*dcm2niix"):
        read_series(folder)


def test_a_folder_of_slices_beside_something_named_as_in_a_cohort_is_still_one_scan(tmp_path, voxels):
    folder, name = write_series(tmp_path / "series", voxels), "images"
    (folder / name).write_bytes(files(folder)[0].read_bytes()[:200])
    assert is_single_scan(folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert is_single_scan(folder)
