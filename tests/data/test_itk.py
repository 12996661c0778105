import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from covidlab import cluster, errors
from covidlab.cli import main
from covidlab.data import itk
from covidlab.data.inspection import inspect_scan
from covidlab.data.scans import is_single_scan, read_scan
from covidlab.errors import CovidlabError
from covidlab.models.segment import predict_file, scan_pairs

sitk = pytest.importorskip("SimpleITK", reason="the extra `itk` is not installed")

SHAPE, SPACING = (12, 10, 6), (1.5, 2.0, 4.0)
ENDINGS = "mha", "nrrd", "mhd", "nhdr"


def rotation(x, y, z):
    """About the three axes in turn, degrees."""
    about = np.eye(3)
    for axis, angle in enumerate(np.radians([x, y, z])):
        turn = np.eye(3)
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn[[one, other], [one, other]] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        about = turn @ about
    return about


def written(folder, codes="RAS", angles=(0, 0, 0)):
    """A scan of noise as NIfTI, by nibabel, and as ITK's four kinds, each made by SimpleITK of the one before."""
    folder.mkdir()
    hu = np.random.default_rng(len(codes)).integers(-1000, 400, SHAPE).astype(np.int16)
    affine = nib.affines.from_matvec(rotation(*angles) @ np.diag(SPACING), (-20, 31, 107))
    turn = nib.orientations.ornt_transform(*map(nib.orientations.axcodes2ornt, ("RAS", codes)))
    image = nib.Nifti1Image(hu, affine).as_reoriented(turn)
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, last := folder / "scan.nii.gz")
    for ending in ENDINGS:
        sitk.WriteImage(sitk.ReadImage(last), last := folder / f"{ending}.{ending}", ending in ("mha", "nhdr"))
    return folder


def place_of_mask(scan, mask):
    """The mask that `predict_file` writes of a scan, and where ITK itself says that it lies."""

    def predict(volume):
        lungs = SimpleNamespace(involvement=lambda found: {}, findings=())
        return volume.slices() > 200, lungs, None

    info = SimpleNamespace(model="none", has_seen=lambda *_: False)
    predict_file(scan, mask, SimpleNamespace(predict=predict, info=info))
    return sitk.GetArrayFromImage(found := sitk.ReadImage(mask)), place(found)


def place(image):
    return [*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()]


def assert_lies_as(volume, same):
    np.testing.assert_array_equal(volume.slices(), same.slices())
    np.testing.assert_allclose(volume.affine, same.affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing, same.spacing, atol=1e-5)
    assert volume.findings == same.findings


@pytest.mark.parametrize(
    "codes, angles",
    [("RAS", (0, 0, 0)), ("LPS", (0, 0, 0)), ("SAL", (0, 0, 0)), ("PIR", (0, 0, 0)), ("ILA", (17, -11, 23))],
)
def test_a_scan_and_its_mask_lie_where_those_of_its_nifti_lie(tmp_path, monkeypatch, codes, angles):
    folder = written(tmp_path / "scans", codes, angles)
    same = read_scan(folder / "scan.nii.gz")
    expected, _ = place_of_mask(folder / "scan.nii.gz", tmp_path / "mask.nii.gz")
    assert 0 < expected.sum() < expected.size
    for ending in ENDINGS:
        scan = folder / f"{ending}.{ending}"
        assert_lies_as(read_scan(scan), same)
        mask, where = place_of_mask(scan, tmp_path / f"{ending}.nii.gz")
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_allclose(where, place(sitk.ReadImage(scan)), atol=1e-4)
        header = nib.load(tmp_path / f"{ending}.nii.gz").header
        assert header["sform_code"] == header["qform_code"] == 1 and header.get_xyzt_units()[0] == "mm"
    monkeypatch.setattr(itk, "TURN", np.eye(4))  # what this test is for
    with pytest.raises(AssertionError):
        assert_lies_as(read_scan(scan), same)


def changed(folder, name, old, new):
    """A scan as SimpleITK writes it, unpacked, with something else in its bytes."""
    image = sitk.ReadImage(written(folder / "scans") / "scan.nii.gz")
    sitk.WriteImage(image, folder / name, False)
    content = (folder / name).read_bytes()
    assert old in content
    (folder / name).write_bytes(content.replace(old, new))
    return folder / name


META, NRRD = b"ElementType =", b"space directions: (-1.5"
FLAT = b"TransformMatrix = -1 0 0 0 -1 0 0 0 1"


@pytest.mark.parametrize(
    "name, old, new, words",
    [
        ("x.mha", META, b"ElementNumberOfChannels = 2\n" + META, "found 2 numbers a voxel"),
        ("x.mha", b"12 10 6", b"3000 3000 3000", "a claim of 3000 x 3000 x 3000 voxels"),
        ("x.nrrd", b"12 10 6", b"3000 3000 3000", "a claim of 3000 x 3000 x 3000 voxels"),
        ("x.mha", b"12 10 6", b"12 10 9", "a damaged or cut-off file .its header claims 2,160 bytes"),
        ("x.nrrd", b"12 10 6", b"12 10 9", "a damaged or cut-off file .its header claims 2,160 bytes"),
        ("x.mha", b"NDims = 3", b"NDims = 31000000000", "found 31000000000 dimensions"),  # of which ITK crashes
        ("x.mha", FLAT, FLAT + b".5", "found directions "),
        ("x.mha", FLAT, FLAT[:-1] + b"0", "found directions "),
        ("x.nrrd", b"(0,0,4)", b"(0,1,4)", "found directions "),
        ("x.mha", b"Spacing = 1.5", b"Spacing = -1.5", "voxels of -1.5 x 2 x 4 mm"),
        ("x.mha", META, b"DistanceUnits = cm\n" + META, "found distanceunits cm; expected mm"),
        ("x.nrrd", NRRD, b'space units: "mm" "mm" "um"\n' + NRRD, "found spaceunits .*um"),
        ("x.mha", META, b"ElementToIntensityFunctionOffset = -1024\n" + META, "offset -1024; expected 0"),
        ("x.nrrd", b"encoding: raw", b"encoding: hex", "found encoding hex; expected raw"),
        ("x.mha", META, b"Element =", "a damaged or cut-off file"),  # of which ITK itself says four lines
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line_and_silently(tmp_path, capfd, name, old, new, words):
    scan, _ = changed(tmp_path, name, old, new), capfd.readouterr()  # what was said of writing it
    with pytest.raises(CovidlabError, match=words) as refused:
        read_scan(scan)
    assert "\n" not in str(refused.value) and "build" not in str(refused.value) and capfd.readouterr() == ("", "")


def test_voxels_are_found_by_a_name_in_any_letters_and_many_files_are_called_that(tmp_path):
    same = read_scan(written(tmp_path / "scans") / "scan.nii.gz")
    for name in ("Zo\u00eb \u80ba.mhd", "Zo\u00eb \u80ba.nhdr"):
        sitk.WriteImage(sitk.ReadImage(tmp_path / "scans" / "scan.nii.gz"), tmp_path / name)
        assert_lies_as(read_scan(tmp_path / name), same)
    for old, new in ((rb"= .*\.raw", b"= LIST"), (rb"= LIST", b"= slice%03d.raw 1 6 1")):
        header = tmp_path / "Zo\u00eb \u80ba.mhd"
        header.write_bytes(re.sub(old, new, header.read_bytes()))
        with pytest.raises(CovidlabError, match="found voxels in many files.*save the scan as NIfTI"):
            read_scan(header)


def test_packed_voxels_of_which_itk_would_read_a_part_are_refused(tmp_path):
    scan = changed(tmp_path, "x.mha", META, META)
    sitk.WriteImage(sitk.ReadImage(scan), scan, True)
    content, (size,) = scan.read_bytes(), re.findall(rb"CompressedDataSize = (\d+)", scan.read_bytes())
    same = read_scan(scan)
    for line in (b"", b"CompressedDataSize = 0\n", b"CompressedDataSize = %d\n" % (int(size) - 100)):
        scan.write_bytes(content.replace(b"CompressedDataSize = %s\n" % size, line))
        with pytest.raises(CovidlabError, match=f"expected {int(size)} and 0; correct that"):
            read_scan(scan)
    scan.write_bytes(content + b"behind")
    assert_lies_as(read_scan(scan), same)
    (tmp_path / "before").mkdir()
    before = changed(tmp_path / "before", "x.mha", META, b"HeaderSize = 99\n" + META)
    with pytest.raises(CovidlabError, match="a headersize of 99; expected 0 and 0"):
        read_scan(before)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_damaged_byte_a_missing_end_and_missing_voxels_are_refused(tmp_path, capfd, ending):
    sitk.WriteImage(sitk.ReadImage(written(tmp_path / "scans") / "scan.nii.gz"), tmp_path / f"x.{ending}", True)
    capfd.readouterr()  # what was said of writing it
    voxels = max(tmp_path.glob("x.*"), key=lambda path: path.stat().st_size)
    content = voxels.read_bytes()
    flipped = content[:-99] + bytes([content[-99] ^ 1]) + content[-98:]  # ITK reads it, and gives other voxels
    for damaged in (flipped, content[:-1], content[:-200]):
        voxels.write_bytes(damaged)
        with pytest.raises(CovidlabError, match=f"x.{ending}: found a damaged or cut-off file"):
            read_scan(tmp_path / f"x.{ending}")
    if ending in ("mhd", "nhdr"):
        voxels.unlink()
        with pytest.raises(CovidlabError, match=f"x.{ending}: found no file {voxels.name} for its voxels"):
            read_scan(tmp_path / f"x.{ending}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("x.nrrd", b"space: left-posterior-superior", b"space dimension: 3"),
        ("x.nrrd", b"left-posterior-superior", b"scanner-xyz"),
        ("x.nrrd", b"(0,0,4)", b"none"),
        ("x.mha", FLAT + b"\n", b""),
        ("x.mha", b"ElementSpacing = 1.5 2 4\n", b""),
    ],
)
def test_a_header_that_does_not_say_where_voxels_lie_is_not_believed(tmp_path, name, old, new):
    volume = read_scan(changed(tmp_path, name, old, new))
    assert volume.spacing is None and volume.orientation.meaning.startswith("picture")
    assert "the header does not say where voxels lie" in volume.findings[0]


def test_of_dimensions_a_last_one_of_length_1_is_said_and_others_are_refused(tmp_path):
    image = sitk.ReadImage(written(tmp_path / "scans") / "scan.nii.gz")
    same = read_scan(tmp_path / "scans" / "scan.nii.gz")
    sitk.WriteImage(sitk.JoinSeries([image]), tmp_path / "one.mha")
    volume = read_scan(tmp_path / "one.mha")
    np.testing.assert_array_equal(volume.slices(), same.slices())
    assert volume.findings == ("four dimensions, the last of length 1: read as three",)
    for name, other, words in (
        ("two.mha", sitk.JoinSeries([image, image]), "4 dimensions .12 x 10 x 6 x 2.*save one volume a file"),
        ("flat.nrrd", image[:, :, 2], "2 dimensions .12 x 10.*stack a scan's slices"),
    ):
        sitk.WriteImage(other, tmp_path / name)
        with pytest.raises(CovidlabError, match=words):
            read_scan(tmp_path / name)


def test_a_folder_of_all_kinds_is_a_folder_of_scans(tmp_path, monkeypatch, capsys):
    folder = written(tmp_path / "scans")
    pairs = scan_pairs(folder, tmp_path / "masks")
    assert [scan.name for scan, _ in pairs] == sorted([*(f"{end}.{end}" for end in ENDINGS), "scan.nii.gz"])
    assert {mask.name for _, mask in pairs} == {*(f"{end}.nii.gz" for end in ENDINGS), "scan.nii.gz"}
    before, voxels = cluster._digest(folder / "mhd.mhd", b""), (folder / "mhd.raw").read_bytes()
    (folder / "mhd.raw").write_bytes(voxels[:-2] + b"12")
    assert cluster._digest(folder / "mhd.mhd", b"") != before  # or a mask would be kept that is of other voxels
    assert not is_single_scan(folder) and inspect_scan(folder / "mha.mha").cases[0].name == "mha"
    assert main(["inspect", str(folder / "nhdr.nhdr")]) == 0 and "1.5 x 2 x 4" in capsys.readouterr().out
    (folder / "mha.mha").rename(folder / "nrrd.mha")
    with pytest.raises(CovidlabError, match="nrrd.nrrd: found nrrd.mha too"):
        scan_pairs(folder, tmp_path / "masks")
    (folder / "nrrd.mha").rename(folder / "X.MHA")
    with pytest.raises(CovidlabError, match="X.MHA: found an ending in capitals; expected small letters"):
        read_scan(folder / "X.MHA")
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    for ask in (lambda: scan_pairs(folder, tmp_path / "masks"), lambda: read_scan(folder / "nrrd.nrrd")):
        with pytest.raises(CovidlabError, match="found no package SimpleITK; expected the extra `itk`; pip install"):
            ask()
