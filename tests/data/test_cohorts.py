import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from covidlab.data.cohorts import open_cohort, read_cohort
from covidlab.data.folders import data_home, patient_of, record_name
from covidlab.data.scans import is_single_scan
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.errors import CohortError, CovidlabError
from tests.conftest import SIDE, SLICES, write_scan


def test_scans_of_one_radiopaedia_case_are_one_patient(cohort):
    assert [case.patient for case in cohort.cases] == ["10", "10", "someone_else"]
    assert patient_of("radiopaedia_29_86490_1") == patient_of("radiopaedia_29_86491_1") == "29"
    assert patient_of("coronacases_003") == "coronacases_003"


@pytest.mark.parametrize(
    "name, known",
    [
        ("radiopaedia_org_covid-19-pneumonia-10_85902_1-dcm", "radiopaedia_10_85902_1"),
        ("Radiopaedia_7_85703_0_0000", "radiopaedia_7_85703_0"),
        ("coronacases_org_001", "coronacases_001"),
        ("coronacases_org_case007", "coronacases_007"),
        ("case009", "coronacases_009"),
        ("coronacases_010", "coronacases_010"),
        ("coronacases_org_010", "coronacases_010"),
        ("coronacases_org_011", "coronacases_org_011"),  # there are ten
        ("coronacases_011", "coronacases_011"),  # the record has ten
        ("case123", "case123"),
        ("my radiopaedia scan", "my radiopaedia scan"),
    ],
)
def test_copies_of_the_record_are_known_by_their_names(name, known):
    assert record_name(name) == known and patient_of(name) == patient_of(known)


def test_kaggles_copy_is_a_cohort_in_which_no_patient_leaks(tmp_path):
    for k in (1, 3):
        image, mask = write_scan(tmp_path, f"radiopaedia_10_85902_{k}")
        image.rename(image.with_name(f"radiopaedia_org_covid-19-pneumonia-10_85902_{k}-dcm.nii.gz"))
    (tmp_path / "images").rename(tmp_path / "ct_scans"), (tmp_path / "masks").rename(tmp_path / "infection_mask")
    cohort = read_cohort(tmp_path)
    assert cohort.patients == ("10",) and cohort.cases[1].mask == tmp_path / "infection_mask" / mask.name


def test_a_patients_file_overrules_the_names(tmp_path):
    write_scan(tmp_path, "a"), write_scan(tmp_path, "b")
    (tmp_path / "patients.csv").write_text("case,patient\na,Ada\nb,Ada\n")
    assert read_cohort(tmp_path).patients == ("Ada",)
    (tmp_path / "patients.csv").write_text("file,who\na,Ada\n")
    with pytest.raises(CohortError, match="columns case and patient"):
        read_cohort(tmp_path)


def test_a_patients_file_may_name_some_and_come_from_a_spreadsheet(tmp_path):
    write_scan(tmp_path, "a"), write_scan(tmp_path, "b"), write_scan(tmp_path, "c")
    (tmp_path / "patients.csv").write_text("case,patient\r\na,Zoë \r\nc,Zoë\r\n,\r\n", encoding="utf-8-sig", newline="")
    assert [case.patient for case in read_cohort(tmp_path).cases] == ["Zoë", "b", "Zoë"]
    # Rows of cases that are not taken this time are no mistakes.
    assert read_cohort(tmp_path, "c").patients == ("Zoë",)


@pytest.mark.parametrize(
    "text, found",
    [
        ("case,patient\na,Ada\nB,Ada\n", "'B' in line 3, of which there is no scan"),
        ("case,patient\na.nii.gz,Ada\n", "'a.nii.gz' in line 2, of which there is no scan"),
        ("case,patient\na\n", "'a' in line 2 without a patient"),
        ("case,patient\na, \n", "'a' in line 2 without a patient"),
        ("case,patient\na,Ada\na,Eva\n", "'a' in line 3 a second time"),
        ("case,patient\na,Zoë\n".encode("latin-1"), "no UTF-8 text"),
    ],
)
def test_a_row_of_the_patients_file_that_is_not_understood_is_refused(tmp_path, text, found):
    write_scan(tmp_path, "a"), write_scan(tmp_path, "b")
    (tmp_path / "patients.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CohortError, match=f"patients.csv: found {found}"):
        read_cohort(tmp_path)


def test_the_phantom_is_known_by_its_marker_not_by_its_name(tmp_path):
    for name in ("phantom leg CTs", "mine"):
        write_scan(tmp_path / name, "phantom_01_1")
    (tmp_path / "mine" / "phantom.json").write_text("{}")
    assert not read_cohort(tmp_path / "phantom leg CTs").is_phantom
    assert replace(read_cohort(tmp_path / "mine"), name="anything").is_phantom


@pytest.mark.parametrize("make", ["missing", "empty", "a file", "images only", "no scans"])
def test_a_folder_that_is_no_cohort_is_refused_with_what_to_do(tmp_path, make):
    folder = tmp_path / "data"
    if make == "a file":
        folder.touch()
    elif make != "missing":
        folder.mkdir()
        if make != "empty":
            (folder / "images").mkdir()
        if make == "no scans":
            (folder / "masks").mkdir()
    with pytest.raises(CohortError, match="data.*found.*expected"):
        open_cohort(folder)


def test_a_missing_mask_is_named(tmp_path):
    _, mask = write_scan(tmp_path, "one")
    mask.unlink()
    with pytest.raises(CohortError, match="one.nii.gz: found no mask for 1 of 1 scans"):
        read_cohort(tmp_path)


def test_a_scan_that_is_not_taken_needs_no_mask(tmp_path):
    _, mask = write_scan(tmp_path, "one")
    write_scan(tmp_path, "two")
    mask.unlink()
    for cases in ("t*", ("two", "of another folder")):
        assert [case.name for case in open_cohort(tmp_path, cases=cases).cases] == ["two"]
    with pytest.raises(CohortError, match="no case named like 'three' among 2"):
        open_cohort(tmp_path, cases="three")


def test_the_environment_variable_switches_the_data(cohort_folder, monkeypatch):
    monkeypatch.setenv("COVIDLAB_DATA", str(cohort_folder))
    assert len(open_cohort().cases) == 3 and not open_cohort().is_phantom


def test_a_relative_variable_is_found_from_a_notebooks_folder_too(tmp_path, monkeypatch):
    write_scan(tmp_path / "data" / "mine", "one")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")  # where Jupyter starts a kernel
    monkeypatch.setenv("COVIDLAB_DATA", "data/mine"), monkeypatch.setenv("COVIDLAB_HOME", "data")
    assert open_cohort().folder == tmp_path / "data" / "mine" and data_home() == tmp_path / "data"
    monkeypatch.setenv("COVIDLAB_DATA", "data/absent")
    with pytest.raises(CohortError, match=f"nothing of that name in {tmp_path / 'notebooks' / 'data'}"):
        open_cohort()


def test_the_cache_holds_every_slice_with_its_case_and_patient(cache, cohort):
    assert cache.images.shape == cache.masks.shape == (3 * SLICES, SIDE, SIDE)
    assert isinstance(cache.images, np.memmap) and cache.images.dtype == np.uint8
    assert list(cache.z[:3]) == [0, 1, 2] and set(cache.patients) == {"10", "someone_else"}
    np.testing.assert_array_equal(cache.positive, [z % 3 != 0 for z in cache.z])
    np.testing.assert_array_equal(cache.positive_pixels, cache.masks.sum(axis=(1, 2)))
    assert len(cache.case("someone_else")) == SLICES
    with pytest.raises(CohortError, match="nobody"):
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
    with pytest.raises(CohortError, match="cannot be written"):
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


def test_a_folder_that_is_nearly_one_of_cases_is_told_what_is_missing(tmp_path):
    write_scan(tmp_path / "data" / "mine", "a")
    (tmp_path / "data" / "README.txt").touch()
    assert not is_single_scan(tmp_path / "data")
    with pytest.raises(CohortError, match=r"name the folder in it: .*mine"):
        read_cohort(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "mine" / "masks")
    with pytest.raises(CohortError, match="only the folder of masks is missing: put it beside images"):
        read_cohort(tmp_path / "data" / "mine")
