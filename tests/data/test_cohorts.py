import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from covidlab.data.cohorts import open_cohort, read_cohort
from covidlab.data.folders import data_home, patient_of, record_name
from covidlab.data.inspection import inspect_cohort
from covidlab.data.scans import is_single_scan
from covidlab.errors import CovidlabError
from covidlab.models.segment import scan_pairs
from tests.conftest import write_scan


def test_scans_of_one_radiopaedia_case_are_one_patient(cohort):
    assert [case.patient for case in cohort.cases] == ["10", "10", "someone_else"]
    assert patient_of("radiopaedia_29_86490_1") == patient_of("radiopaedia_29_86491_1") == "29"
    assert patient_of("coronacases_003") == "coronacases_003"


def test_copies_of_the_record_are_known_by_their_names():
    for name, known in {
        "radiopaedia_org_covid-19-pneumonia-10_85902_1-dcm": "radiopaedia_10_85902_1",
        "Radiopaedia_7_85703_0_0000": "radiopaedia_7_85703_0",
        "coronacases_org_001": "coronacases_001",
        "coronacases_org_case007": "coronacases_007",
        "case009": "coronacases_009",
        "coronacases_010": "coronacases_010",
        "coronacases_org_010": "coronacases_010",
        "coronacases_org_011": "coronacases_org_011",  # there are ten
        "coronacases_011": "coronacases_011",
        "case123": "case123",
        "my radiopaedia scan": "my radiopaedia scan",
    }.items():
        assert record_name(name) == known and patient_of(name) == patient_of(known)


def test_kaggles_copy_is_a_cohort_in_which_no_patient_leaks(tmp_path):
    for k in (1, 3):
        image, mask = write_scan(tmp_path, f"radiopaedia_10_85902_{k}")
        image.rename(image.with_name(f"radiopaedia_org_covid-19-pneumonia-10_85902_{k}-dcm.nii.gz"))
    (tmp_path / "images").rename(tmp_path / "ct_scans"), (tmp_path / "masks").rename(tmp_path / "infection_mask")
    cohort = read_cohort(tmp_path)
    assert cohort.patients == ("10",) and cohort.cases[1].mask == tmp_path / "infection_mask" / mask.name


def test_masks_are_found_by_the_names_that_nnunet_and_mosmed_give(tmp_path):
    for name, scan, mask in (("a", "a_0000", "a"), ("study_0255", "study_0255", "study_0255_mask")):
        for path, new in zip(write_scan(tmp_path, name), (scan, mask)):
            path.rename(path.with_name(f"{new}.nii.gz"))
    assert [case.mask.name for case in read_cohort(tmp_path).cases] == ["a.nii.gz", "study_0255_mask.nii.gz"]


def test_folders_are_known_in_capitals_and_two_for_the_same_are_refused(tmp_path):
    write_scan(tmp_path, "a")
    (tmp_path / "images").rename(tmp_path / "CT"), (tmp_path / "masks").rename(tmp_path / "Masks")
    assert read_cohort(tmp_path).cases[0].mask == tmp_path / "Masks" / "a.nii.gz" and not is_single_scan(tmp_path)
    with pytest.raises(CovidlabError, match="a cohort with scans and masks.*; name .*CT"):
        scan_pairs(tmp_path, tmp_path / "out")
    (tmp_path / "infection").mkdir()  # are the masks those of the lungs?
    with pytest.raises(CovidlabError, match="found Masks and infection; expected one folder of images and one"):
        read_cohort(tmp_path)


def test_a_name_pairs_with_the_same_name_from_another_system(tmp_path):
    _, mask = write_scan(tmp_path, "Zo\u00eb")
    mask.rename(mask.with_name("Zoe\u0308.nii.gz"))  # as a Mac writes it
    (case,) = read_cohort(tmp_path, "Zo\u00eb").cases
    assert case.mask.is_file()


def test_no_scan_is_left_out_in_silence(tmp_path):
    scans = {name: write_scan(tmp_path, name) for name in ("a", "b")}
    for k, ending, words in ((0, ".NII.GZ", "capitals"), (1, ".Nii.gz", "capitals"), (0, ".mha", "only .nii and")):
        other = scans["b"][k].with_name(f"b{ending}")
        scans["b"][k].rename(other)
        with pytest.raises(CovidlabError, match=f"b{ending}: found .*{words}"):
            read_cohort(tmp_path)
        other.rename(scans["b"][k])
    (tmp_path / "images" / "b.mha").touch(), (tmp_path / "masks" / "c.nrrd").touch()
    assert len(read_cohort(tmp_path).cases) == 2  # the same scan once more


def test_a_study_whose_slices_lie_in_images_is_no_half_of_a_cohort_and_other_names_are_told_to_be_changed(tmp_path):
    disc = tmp_path / "disc"
    (disc / "IMAGES").mkdir(parents=True)
    (disc / "IMAGES" / "1").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(CovidlabError, match="name the folder that holds the scan's files, such as .*IMAGES"):
        read_cohort(disc)
    assert [scan.name for scan, _ in scan_pairs(disc, tmp_path / "masks")] == ["IMAGES"]
    write_scan(tmp_path / "set", "a")
    (tmp_path / "set" / "images").rename(tmp_path / "set" / "rp_im")
    (tmp_path / "set" / "masks").rename(tmp_path / "set" / "rp_msk")
    with pytest.raises(CovidlabError, match="found rp_im, rp_msk; .*; rename or create them"):
        read_cohort(tmp_path / "set")


def test_a_patients_file_overrules_the_names_may_name_some_and_come_from_a_spreadsheet(tmp_path):
    write_scan(tmp_path, "a"), write_scan(tmp_path, "b"), write_scan(tmp_path, "c")
    (tmp_path / "patients.csv").write_text("case,patient\r\na,Zoë \r\nc,Zoë\r\n,\r\n", encoding="utf-8-sig", newline="")
    assert [case.patient for case in read_cohort(tmp_path).cases] == ["Zoë", "b", "Zoë"]
    for text in ("Case;Patient\na;Zoë\nc;Zoë\n", 'note\t"patient"\tcase \n1,2\tZoë\ta\n\tZoë\tc\n'):
        (tmp_path / "patients.csv").write_text(text, encoding="utf-8")
        assert [case.patient for case in read_cohort(tmp_path).cases] == ["Zoë", "b", "Zoë"]
    # Rows of cases that are not taken this time are no mistakes.
    assert read_cohort(tmp_path, "c").patients == ("Zoë",)


def test_a_row_of_the_patients_file_that_is_not_understood_is_refused(tmp_path):
    write_scan(tmp_path, "a"), write_scan(tmp_path, "b")
    for text, found in (
        ("case,patient\na,Ada\nB,Ada\n", "'B' in line 3, of which there is no scan"),
        ("case,patient\na.nii.gz,Ada\n", "'a.nii.gz' in line 2, of which there is no scan"),
        ("case,patient\na\n", "'a' in line 2 without a patient"),
        ("case,patient\na, \n", "'a' in line 2 without a patient"),
        ("case,patient\na,Ada\na,Eva\n", "'a' in line 3 a second time"),
        ("case,patient\na,Zoë\n", "no UTF-8 text"),
        ("file,who\na,Ada\n", "columns .*; expected columns case and patient"),
    ):
        (tmp_path / "patients.csv").write_text(text, encoding="latin-1")
        with pytest.raises(CovidlabError, match=f"patients.csv: found {found}"):
            read_cohort(tmp_path)


def test_the_phantom_is_known_by_its_marker_not_by_its_name(tmp_path):
    for name in ("phantom leg CTs", "mine"):
        write_scan(tmp_path / name, "phantom_01_1")
    (tmp_path / "mine" / "phantom.json").write_text("{}")
    assert not read_cohort(tmp_path / "phantom leg CTs").is_phantom
    assert replace(read_cohort(tmp_path / "mine"), name="anything").is_phantom


def test_a_folder_that_is_no_cohort_is_refused_with_what_to_do(tmp_path):
    file, empty, no_scans = (tmp_path / name for name in ("a file", "empty", "no scans"))
    file.touch(), empty.mkdir(), (no_scans / "images").mkdir(parents=True), (no_scans / "masks").mkdir()
    for folder, words in (
        (tmp_path / "missing", "found nothing of that name"),
        (file, "found a file of that name"),
        (empty, "found nothing: it is empty"),
        (no_scans, "found no .nii or .nii.gz file"),
    ):
        with pytest.raises(CovidlabError, match=f"{folder.name}.*{words}.*expected"):
            open_cohort(folder)


def test_a_missing_mask_is_named_and_a_scan_that_is_not_taken_needs_none(tmp_path):
    _, mask = write_scan(tmp_path, "one")
    write_scan(tmp_path, "two")
    mask.unlink()
    with pytest.raises(CovidlabError, match="one.nii.gz: found no mask for 1 of 2 scans"):
        read_cohort(tmp_path)
    for cases in ("t*", ("two",)):
        assert [case.name for case in open_cohort(tmp_path, cases=cases).cases] == ["two"]
    for cases, found in (("three", "no case named like 'three' among 2"), (("two", "three"), "no case three, and 1")):
        with pytest.raises(CovidlabError, match=found):
            open_cohort(tmp_path, cases=cases)


def test_the_variable_switches_the_data_and_is_found_from_a_notebooks_folder_too(tmp_path, monkeypatch):
    write_scan(tmp_path / "data" / "mine", "one")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")  # where Jupyter starts a kernel
    monkeypatch.setenv("COVIDLAB_DATA", "data/mine"), monkeypatch.setenv("COVIDLAB_HOME", "data")
    assert open_cohort().folder == tmp_path / "data" / "mine" and data_home() == tmp_path / "data"
    assert not open_cohort().is_phantom
    monkeypatch.setenv("COVIDLAB_DATA", "data/absent")
    with pytest.raises(CovidlabError, match=f"nothing of that name in {tmp_path / 'notebooks' / 'data'}"):
        open_cohort()


def test_a_folder_that_is_nearly_one_of_cases_is_told_what_is_missing(tmp_path):
    write_scan(tmp_path / "data" / "mine", "a")
    (tmp_path / "data" / "README.txt").touch()
    assert not is_single_scan(tmp_path / "data")
    with pytest.raises(CovidlabError, match=r"name the folder in it: .*mine"):
        read_cohort(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "mine" / "masks")
    with pytest.raises(CovidlabError, match="only the folder of masks is missing: put it beside images"):
        read_cohort(tmp_path / "data" / "mine")
    with pytest.raises(CovidlabError, match="a scan without a mask is looked at by its name, .*a.nii"):
        read_cohort(tmp_path / "data" / "mine" / "images")


def test_a_mask_without_the_affine_that_its_scan_has_is_a_finding(tmp_path):
    _, mask = write_scan(tmp_path, "a")
    write_scan(tmp_path, "b")
    bare = nib.Nifti1Image(np.asarray(nib.load(mask).dataobj), np.eye(4))
    bare.set_sform(None, 0), bare.set_qform(None, 0)
    nib.save(bare, mask)
    said = {case.name: any("only one has an affine" in one for one in case.findings)
            for case in inspect_cohort(read_cohort(tmp_path)).cases}  # fmt: skip
    assert said == {"a": True, "b": False}


def test_a_mask_that_lies_elsewhere_makes_its_case_unusable(tmp_path):
    _, mask = write_scan(tmp_path, "a")
    image = nib.load(mask)
    affine = image.affine.copy()
    affine[0, 3] += 50
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), mask)
    (case,) = inspect_cohort(read_cohort(tmp_path)).cases
    assert not case.usable and "beside its scan" in case.findings[0]


def test_a_mask_of_what_is_no_lesion_is_a_finding(tmp_path):
    _, mask = write_scan(tmp_path, "a")
    write_scan(tmp_path, "b")
    image = nib.load(mask)
    nib.save(nib.Nifti1Image(1 - np.asarray(image.dataobj), image.affine), mask)
    a, b = inspect_cohort(read_cohort(tmp_path)).cases
    assert "the mask marks 97% of all voxels" in a.findings[-1]
    assert not any("marks" in finding for finding in b.findings)


def test_a_case_is_had_by_its_name(cohort):
    assert [cohort[case.name] for case in cohort.cases] == list(cohort.cases)
    with pytest.raises(CovidlabError, match="no case 'nobody'"):
        cohort["nobody"]
