import nibabel as nib
import numpy as np
import pytest

from covidlab.cli import main
from covidlab.dicom import read_series
from covidlab.dicom import write_series as write_volume
from covidlab.volumes import VolumeError, read_volume

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")

SPACING = (1.5, 2.0, 4.0)  # columns, rows, slices, mm


def write_series(folder, voxels, uid="1.2.3", slope=1.0, leave_out=(), modality="CT"):
    """A CT series as a scanner stores it: feet to head, rows to the back, columns to the patient's left."""
    folder.mkdir(exist_ok=True)
    for k in range(voxels.shape[2]):
        if k in leave_out:
            continue
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


def test_slope_and_intercept_give_hounsfield_units(tmp_path, voxels):
    volume = read_series(write_series(tmp_path / "series", voxels, slope=2.0))
    np.testing.assert_array_equal(volume.voxels, voxels)


def test_of_two_series_the_longer_is_read_and_said(tmp_path, voxels):
    folder = write_series(tmp_path / "series", voxels)
    write_series(folder, voxels[:, :, :2], uid="9.9")
    (folder / "notes.txt").write_text("no DICOM")
    volume = read_series(folder)
    assert volume.voxels.shape == voxels.shape and any("2 series" in finding for finding in volume.findings)


def test_a_missing_slice_is_noticed(tmp_path, voxels):
    with pytest.raises(VolumeError, match="distances of 4.00 to 8.00 mm"):
        read_series(write_series(tmp_path / "series", voxels, leave_out=(3,)))


@pytest.mark.parametrize("modality", ["MR", None])
def test_a_folder_without_ct_slices_is_refused(tmp_path, voxels, modality):
    folder = tmp_path / "series"
    folder.mkdir()
    if modality:
        write_series(folder, voxels, modality=modality)
    with pytest.raises(VolumeError, match="no CT slice in DICOM"):
        read_series(folder)


def test_predict_takes_a_series_and_writes_a_mask_in_its_place(tmp_path, voxels, capsys):
    folder = write_series(tmp_path / "series", voxels)
    assert main(["predict", str(folder), "-o", str(tmp_path / "mask.nii.gz")]) == 0
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert mask.shape == voxels.shape
    np.testing.assert_allclose(mask.affine, read_series(folder).affine, atol=1e-4)
    (folder / "empty").mkdir()
    assert main(["predict", str(folder / "empty"), "-o", str(tmp_path / "m.nii.gz")]) == 2
    assert "found no scan" in capsys.readouterr().err


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_a_volume_written_as_a_series_is_read_in_its_place(tmp_path, voxels, signs, axes):
    affine = np.eye(4)
    affine[:3, :3] = (np.diag(np.multiply(SPACING, signs)))[:, axes]
    affine[:3, 3] = (11, -7, 250)
    stored = np.ascontiguousarray(voxels.transpose(axes))
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    paths = write_volume(tmp_path / "series", volume)
    series = read_series(tmp_path / "series")
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
