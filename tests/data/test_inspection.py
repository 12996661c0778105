import nibabel as nib
import numpy as np

from covidlab.data.cohorts import read_cohort
from covidlab.data.inspection import inspect_cohort
from tests.conftest import write_scan


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
