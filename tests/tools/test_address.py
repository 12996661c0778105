"""The repository's address stands in one place, and changes everywhere at once."""

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from covidlab.errors import CovidlabError
from tools.address import FILES, PLACES, current_address, main, set_address
from tools.notebook_guards import colab_badge

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = """[project.urls]
Homepage = "https://github.com/OWNER/covidlab"
Issues = "https://github.com/OWNER/covidlab/issues"
"""
LINKS = """
https://github.com/OWNER/covidlab
https://github.com/OWNER/covidlab.
git+https://github.com/OWNER/covidlab.git
https://github.com/OWNER/covidlab/archive/main.zip
https://colab.research.google.com/github/OWNER/covidlab/blob/main/notebooks/00_x.ipynb
https://mybinder.org/v2/gh/OWNER/covidlab/HEAD
"""
OTHERS = """
https://github.com/OWNER/covidlab-data
https://github.com/OWNER/covidlab.org
https://github.com/someone/covidlab
OWNER/covidlab
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "README.md").write_bytes((LINKS + OTHERS).replace("\n", "\r\n").encode())
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_x.ipynb").write_text(f'{{"cells": ["{LINKS.split()[4]}"]}}')
    (tmp_path / "setup.py").write_text(LINKS)
    return tmp_path


def test_every_link_changes_and_nothing_else(repository):
    changed = set_address(repository, "some-one/lab.2")
    assert [path.name for path in changed] == ["README.md", "00_x.ipynb", "pyproject.toml"]
    expected = LINKS.replace("OWNER/covidlab", "some-one/lab.2") + OTHERS
    assert (repository / "README.md").read_bytes() == expected.replace("\n", "\r\n").encode()
    assert current_address(repository) == "some-one/lab.2"
    assert (repository / "setup.py").read_text() == LINKS


def test_a_second_time_changes_nothing_and_the_way_back_is_exact(repository, monkeypatch, capsys):
    before = {path: path.read_bytes() for path in repository.rglob("*.*") if path.is_file()}
    monkeypatch.chdir(repository)
    assert main(["a/b"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "3 files changed"
    assert set_address(repository, "a/b") == []
    set_address(repository, "OWNER/covidlab")
    assert {path: path.read_bytes() for path in before} == before


def test_a_notebook_gets_its_badge_with_the_address_and_has_none_before(repository):
    path = repository / "notebooks" / "00_x.ipynb"
    cells = [new_markdown_cell("# Title\n\nText"), new_code_cell("x = 1"), new_markdown_cell("## Section")]
    nbformat.write(new_notebook(cells=cells), path)
    bare = path.read_bytes()
    for address in ("ann/lab", "bob/lab", "bob/lab", "OWNER/covidlab"):
        set_address(repository, address)
        notebook = nbformat.read(path, as_version=4)
        assert colab_badge(notebook, address, path.name) == []
        notebook.cells[0].source = "# Title" + notebook.cells[0].source.partition("# Title")[2]
        assert notebook.cells == cells
    assert path.read_bytes() == bare


def test_a_malformed_name_is_refused_and_changes_nothing(repository, monkeypatch, capsys):
    for malformed in ("", "covidlab", "a/b/c", "https://github.com/a/b", "a b/c", "-a/b", "a/", "/b", "a/b.git", "a/..",
                      "a/b\n", "a/$"):  # fmt: skip
        with pytest.raises(CovidlabError, match="owner/name"):
            set_address(repository, malformed)
    monkeypatch.chdir(repository)
    assert main(["nobody"]) == 2
    assert "found 'nobody'; expected owner/name" in capsys.readouterr().err
    assert (repository / "pyproject.toml").read_text() == PYPROJECT
    # Nor is an address on another host guessed.
    (repository / "pyproject.toml").write_text(PYPROJECT.replace("github.com", "example.org"))
    with pytest.raises(CovidlabError, match="Homepage"):
        current_address(repository)


def test_only_files_that_the_command_changes_name_the_address():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to it")
    address = current_address(ROOT)
    wanted = {path.relative_to(ROOT).as_posix() for pattern in FILES for path in ROOT.glob(pattern)}
    link = f"({'|'.join(PLACES)})/{address}"
    command = ["git", "-c", f"safe.directory={ROOT}", "grep", "-lE", link, "--", ".", ":!tests"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    named = set(listed.stdout.split())
    assert "pyproject.toml" in named and "CITATION.cff" in named
    assert named <= wanted
