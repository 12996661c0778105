"""Where a DICOM segmentation says that a lesion lies, decoded by pydicom alone, from each frame's own place."""

from itertools import permutations, product

import numpy as np
import pytest

from covidlab.cli import main
from covidlab.data.dicom import read_series, write_series
from covidlab.data.dicom_seg import write_segmentation
from covidlab.errors import CovidlabError
from covidlab.models.segment import predict_file
from tests.chest import chest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom", reason="the extra `seg` is not installed")

ROWS, COLUMNS, SLICES = 9, 7, 5
SIZES = 2.0, 1.5, 4.0  # mm between columns, rows and slices
PIXELS = np.linspace(-1000, 400, SLICES * ROWS * COLUMNS).reshape(SLICES, ROWS, COLUMNS)
FIRST = np.array([-31.0, 17.0, 250.0])
UNKNOWN = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
LESION = [(2, 3, 1), (3, 3, 1), (3, 4, 1), (3, 4, 2)]  # column, row, slice


def write_slices(folder, across, down, step, pixels, **tags):
    """One file a slice, each `step` mm from the last, with what an archive's slices say."""
    folder.mkdir()
    for k in range(len(pixels)):
        one = pydicom.Dataset()
        one.Modality, one.SOPClassUID = "CT", pydicom.uid.CTImageStorage
        one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
        one.SOPInstanceUID = f"1.2.3.{k + 1}"
        for name in UNKNOWN:
            setattr(one, name, "")
        one.PixelSpacing, one.ImageOrientationPatient = [SIZES[1], SIZES[0]], [*across, *down]
        one.ImagePositionPatient = list(FIRST + k * step)
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        for name, value in tags.items():
            setattr(one, name, value)
        one.set_pixel_data((pixels[k] + 1024).astype(np.uint16), "MONOCHROME2", bits_stored=16)
        one.save_as(folder / f"{(3 * k) % 17:02d}.dcm", enforce_file_format=True)
    return folder


def places(path):
    """Patient coordinates in mm of what is marked in a segmentation, (pixels, 3), from its own functional groups."""
    one = pydicom.dcmread(path)
    shared, found = one.SharedFunctionalGroupsSequence[0], []
    frames = one.pixel_array.reshape(-1, one.Rows, one.Columns)
    for frame, own in zip(frames, one.PerFrameFunctionalGroupsSequence, strict=True):
        measures = getattr(shared, "PixelMeasuresSequence", None) or own.PixelMeasuresSequence
        directions = getattr(shared, "PlaneOrientationSequence", None) or own.PlaneOrientationSequence
        across, down = np.array(directions[0].ImageOrientationPatient, float).reshape(2, 3)
        between_rows, between_columns = map(float, measures[0].PixelSpacing)
        corner = np.array(own.PlanePositionSequence[0].ImagePositionPatient, float)
        for row, column in np.argwhere(frame):
            found.append(corner + across * between_columns * column + down * between_rows * row)
    return np.array(found)


DIRECTIONS = [
    (np.eye(3)[a] * s, np.eye(3)[b] * t, forward * np.cross(np.eye(3)[a] * s, np.eye(3)[b] * t))
    for (a, b), s, t, forward in product(permutations(range(3), 2), (1, -1), (1, -1), (1, -1))
]


def test_a_lesion_lies_where_its_slices_say_in_every_order_of_axes(tmp_path):
    assert len(DIRECTIONS) == 48
    for number, (across, down, up) in enumerate(DIRECTIONS):
        step = SIZES[2] * (up + 0.3 * (number % 3 == 0) * down)  # of three gantries one was tilted: a sheared stack
        series = write_slices(tmp_path / f"{number}", across, down, step, PIXELS)
        expected = [FIRST + SIZES[0] * c * across + SIZES[1] * r * down + k * step for c, r, k in LESION]
        volume = read_series(series)
        to_stored = np.linalg.inv(volume.affine)
        mask = np.zeros(volume.voxels.shape, bool)
        for x, y, z in expected:
            mask[tuple(np.rint(to_stored @ [-x, -y, z, 1])[:3].astype(int))] = True
        write_segmentation(tmp_path / f"{number}.dcm", mask, volume, "a test")
        found = places(tmp_path / f"{number}.dcm")
        assert len(found) == len(LESION)
        np.testing.assert_allclose(found.mean(axis=0), np.mean(expected, axis=0), atol=0.01)
        np.testing.assert_allclose(sorted(map(tuple, found)), sorted(map(tuple, expected)), atol=0.01)


def test_predict_writes_a_segmentation_of_the_same_patient_and_study(tmp_path, capsys):
    hu, _ = chest()
    series = write_slices(tmp_path / "series", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), hu, PatientID="seven")
    assert main(["predict", str(series), "-o", str(tmp_path / "mask.dcm"), "--weights", "phantom"]) == 0
    one = pydicom.dcmread(tmp_path / "mask.dcm")
    assert (one.Modality, one.PatientID, one.StudyInstanceUID) == ("SEG", "seven", "1.2.4")
    assert main(["predict", str(tmp_path / "mask.dcm"), "-o", str(tmp_path / "x.dcm")]) == 2
    assert "a folder with the slices of one series" in capsys.readouterr().err


def test_slices_without_a_study_are_refused_and_leave_no_file(tmp_path):
    series = write_slices(tmp_path / "series", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS)
    for path in series.iterdir():
        one = pydicom.dcmread(path)
        del one.StudyInstanceUID
        one.save_as(path)
    with pytest.raises(CovidlabError, match="lack what a segmentation names .*StudyInstanceUID"):
        write_segmentation(
            tmp_path / "mask.dcm", np.zeros((COLUMNS, ROWS, SLICES), bool), read_series(series), "a test"
        )
    with pytest.raises(CovidlabError, match=r"\(no StudyInstanceUID\)"):
        predict_file(series, tmp_path / "mask.dcm", segmenter=None)  # no network is asked
    assert not (tmp_path / "mask.dcm").exists()


def test_directions_that_are_rounded_slice_by_slice_are_one(tmp_path):
    series = write_slices(tmp_path / "series", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS)
    for number, path in enumerate(series.iterdir()):
        one = pydicom.dcmread(path)
        one.ImageOrientationPatient = [1, 0.00004 + 0.00002 * (number % 2), 0, 0, 1, 0]
        one.save_as(path)
    mask = np.zeros((COLUMNS, ROWS, SLICES), bool)
    mask[2, 3, 1] = True
    write_segmentation(tmp_path / "mask.dcm", mask, read_series(series), "a test")
    np.testing.assert_allclose(places(tmp_path / "mask.dcm"), [FIRST + (4, 4.5, 4)], atol=0.01)


def test_slices_that_share_a_number_are_refused_before_a_network_runs(tmp_path):
    series = write_slices(tmp_path / "series", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS)
    for path in series.iterdir():
        one = pydicom.dcmread(path)
        one.SOPInstanceUID = "1.2.3.4"
        one.save_as(path)
    with pytest.raises(CovidlabError, match="1 SOPInstanceUID in 5 slices"):
        predict_file(series, tmp_path / "mask.dcm", segmenter=None)


def test_a_name_stays_the_same_in_whichever_alphabet(tmp_path):
    name, mask = "Yamada^Taro=\u5c71\u7530^\u592a\u90ce", np.zeros((COLUMNS, ROWS, SLICES), bool)
    for number, alphabet in enumerate((["", "ISO 2022 IR 87"], "ISO_IR 192", "ISO_IR 6")):
        told = name if number < 2 else "Yamada^Taro"
        tags = {"SpecificCharacterSet": alphabet, "PatientName": told}
        series = write_slices(tmp_path / f"{number}", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS, **tags)
        write_segmentation(tmp_path / "mask.dcm", mask, read_series(series), "a test")
        assert pydicom.dcmread(tmp_path / "mask.dcm").PatientName == told


def test_what_no_date_time_or_sex_is_stays_empty(tmp_path):
    mask, names = np.zeros((COLUMNS, ROWS, SLICES), bool), ("PatientBirthDate", "StudyDate", "StudyTime", "PatientSex")
    for number, said in enumerate((("00000000", "1999-02-03", "259999", "U"), ("19990203", "19990203", "1011", "F"))):
        series = write_slices(tmp_path / f"{number}", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS)
        for path in series.iterdir():
            one = pydicom.dcmread(path)
            for name, text in zip(names, said):
                vr = one[name].VR
                one._dict[one[name].tag] = pydicom.dataelem.RawDataElement(
                    one[name].tag, vr, len(text), text.ljust(len(text) + len(text) % 2).encode(), 0, False, True
                )
            one.save_as(path)
        write_segmentation(tmp_path / "mask.dcm", mask, read_series(series), "a test")
        one = pydicom.dcmread(tmp_path / "mask.dcm")
        assert tuple(str(one[name].value) for name in names) == ((4 * ("",)) if number == 0 else said)


def test_a_series_of_ours_takes_a_segmentation_and_an_empty_one_is_written_without_a_word(tmp_path, caplog):
    first = write_slices(tmp_path / "first", [1, 0, 0], [0, 1, 0], np.array([0, 0, 4.0]), PIXELS)
    series = tmp_path / "series"
    slices = [pydicom.dcmread(path) for path in write_series(series, read_series(first))]
    assert (
        len({one.SOPInstanceUID for one in slices})
        == len({one.file_meta.MediaStorageSOPInstanceUID for one in slices})
        == SLICES
    )
    assert len({one.StudyInstanceUID for one in slices}) == 1 and not any(one.PatientName for one in slices)
    write_segmentation(tmp_path / "mask.dcm", np.zeros((COLUMNS, ROWS, SLICES), bool), read_series(series), "a test")
    one = pydicom.dcmread(tmp_path / "mask.dcm")
    assert one.StudyInstanceUID == slices[0].StudyInstanceUID and not one.pixel_array.any() and not caplog.records
