"""The archive of notebook 11 holds what it says, and the notebook's own check finds that and nothing else."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary

from covidlab.phantom import write_archive

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "11_share_a_scan.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """What the notebook's cells define, solutions too: imports, functions, classes and constants; nothing is run."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [one.source for one in cells if one.cell_type == "code"]
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    body = [
        node for node in ast.parse("\n".join(code[1:])).body
        if isinstance(node, kept) or isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper()
    ]  # fmt: skip
    scope = {}
    exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), scope)
    return scope


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("archives")
    planted = write_archive(home / "archive")
    assert write_archive(home / "twin", planted=False) == []
    return home / "archive", home / "twin", planted


def test_thirty_identifiers_of_a_dozen_kinds_and_more_are_in_the_archive_and_none_in_its_twin(folders):
    archive, twin, planted = folders
    assert len({one[:2] for one in planted}) == 30 and len({one.kind for one in planted}) >= 12
    everything = [path.name.encode() + path.read_bytes() * path.is_file() for path in twin.rglob("*") if path.is_file()]
    for one in planted:
        path = archive / one.file
        assert one.secret in path.name.encode() + (path.read_bytes() if path.is_file() else b""), one
        assert not one.secret or not any(one.secret in file for file in everything), one


def test_the_same_call_writes_the_same_files(folders, tmp_path):
    archive, *_ = folders
    write_archive(tmp_path / "again")
    for path in archive.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(archive)).read_bytes(), path


def test_the_notebooks_check_finds_all_thirty_and_nothing_else(folders, lesson):
    archive, twin, planted = folders
    findings = lesson["check"](archive)
    assert set(findings) == {(one.file, one.place) for one in planted}
    assert all(finding.what and finding.remedy for finding in findings.values())
    assert lesson["check"](twin) == {}
    # What a hole in the list would let through is missed, so the count tells.
    lesson["KEEP"].append("OperatorsName")
    assert ("P01/visit1/slice_03.dcm", "OperatorsName") not in lesson["check"](archive)
    lesson["KEEP"].remove("OperatorsName")


def test_text_in_any_element_is_found_and_left_out_by_the_keep_list(folders, lesson, tmp_path):
    _, twin, _ = folders
    clean = pydicom.dcmread(twin / "P01/visit1/slice_01.dcm")
    texts = {"AE", "CS", "DA", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UT"}
    places = [(tag, kind, name) for tag, (kind, *_, name) in DicomDictionary.items()
              if kind in texts and tag >> 16 not in (0, 2)
              and name not in ("SpecificCharacterSet", "PhotometricInterpretation")]  # without these no picture is read
    chosen = [places[k] for k in np.random.default_rng(0).permutation(len(places))[:60]]
    chosen += [one for one in places if one[2] in lesson["KEEP"]]
    missed, left = [], []
    for tag, kind, name in chosen:
        one = pydicom.Dataset()
        one.update(clean)
        one.file_meta, one.preamble = clean.file_meta, bytes(128)
        value = {"UI": "1.3.12.2.1107.7", "DA": "20200317"}.get(kind, "THORNQUIST")
        one[tag] = pydicom.DataElement(tag, kind, value)
        one.save_as(tmp_path / "slice_01.dcm", enforce_file_format=False)
        if name not in {place for place, *_ in lesson["check_dicom"](tmp_path / "slice_01.dcm")}:
            missed.append(name)
        kept = lesson["keep_list"](pydicom.dcmread(tmp_path / "slice_01.dcm"), "P01").get(tag)
        if kept is not None and str(kept.value) == value and kind != "CS":
            left.append(name)
    assert missed == left == []
