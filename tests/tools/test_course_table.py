"""The table of time and memory is in step with what was measured."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from covidlab.errors import CovidlabError
from tools import course_table
from tools.course_table import (
    BEGIN,
    END,
    README,
    RESULTS,
    main,
    measure,
    put,
    render,
    write_table,
)

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "notebooks/00_a.ipynb"
RESULT = {
    "machine": "two slow cores",
    "notebooks": {
        "01_b": {"seconds": 100.0, "megabytes": 1250},
        "00_a": {"seconds": 20.4, "megabytes": 640},
    },
}
TABLE = """| notebook | time to run | peak memory |
|---|---|---|
| 00 a | 20 s | 0.6 GB |
| 01 b | 1.5 min | 1.2 GB |
| all | 2 min | 1.2 GB |

Measured with `make course-table` on two slow cores."""


def test_the_table_of_the_course_is_in_step():
    table = render(json.loads((ROOT / RESULTS).read_text(encoding="utf-8")))
    readme = (ROOT / README).read_text(encoding="utf-8")
    assert put(readme, table) == readme, "run `python -m tools.course_table`"


# As a notebook's first cell says it, in seconds.
SPOKEN = {
    "seven seconds": 7, "ten seconds": 10, "a quarter of a minute": 15, "half a minute": 30, "forty seconds": 40,
    "three quarters of a minute": 45, "a minute": 60, "a minute and a quarter": 75, "a minute and a half": 90,
    "two minutes": 120, "two and a half minutes": 150, "three minutes": 180,
}  # fmt: skip


def test_each_notebook_is_measured_and_its_first_cell_says_so():
    measured = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))["notebooks"]
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(measured) == [path.stem for path in paths]
    for path in paths[1:]:
        first = " ".join(nbformat.read(path, as_version=4).cells[0].source.split())
        words, gigabytes = re.search(r"Measured on two cores: about ([a-z ]+), ([\d.]+) GB of memory\.", first).groups()
        assert SPOKEN[words] == pytest.approx(measured[path.stem]["seconds"], rel=0.35), path.stem
        assert float(gigabytes) == pytest.approx(measured[path.stem]["megabytes"] / 1000, abs=0.15), path.stem


def test_the_table_sums_time_and_takes_the_largest_memory():
    assert render(RESULT) == TABLE


@pytest.fixture
def repository(tmp_path):
    place = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nMore."
    (tmp_path / "README.md").write_text(place)
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / NOTEBOOK)
    (tmp_path / RESULTS).parent.mkdir(parents=True)
    (tmp_path / RESULTS).write_text(json.dumps(RESULT))
    return tmp_path


def test_the_table_is_written_once(repository):
    assert write_table(repository)
    assert (repository / "README.md").read_text() == f"# Title\n\n{BEGIN}\n\n{TABLE}\n\n{END}\n\nMore."
    assert not write_table(repository)


def test_a_place_that_is_not_clear_is_refused():
    for text in ("", BEGIN, END, END + BEGIN, 2 * (BEGIN + END)):
        with pytest.raises(CovidlabError, match="markers"):
            put(text, TABLE)


def test_a_notebook_is_measured_and_left_as_it_is(repository, monkeypatch, capsys):
    path = repository / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = "held = bytearray(300_000_000)\nlen(held)"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    of = measure(path)
    assert 300 < of["megabytes"] < 1000
    assert of["seconds"] > 0
    assert path.read_bytes() == before

    path.write_text("broken")
    monkeypatch.chdir(repository)
    assert main(["--measure"]) == 2
    assert "NotJSONError" in capsys.readouterr().err


def test_one_notebook_is_measured_anew_and_the_others_keep_their_numbers(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    monkeypatch.setattr(course_table, "measure", lambda path: {"seconds": 7.0, "megabytes": 70})
    old = {"seconds": 1.0, "megabytes": 10}
    results = repository / RESULTS
    notebooks = {Path(NOTEBOOK).stem: old, "05_x": old}
    results.write_text(json.dumps({"command": "x", "machine": "m", "notebooks": notebooks}))
    assert main(["--measure", "--only", "00"]) == 0
    assert json.loads(results.read_text())["notebooks"] == {
        Path(NOTEBOOK).stem: {"seconds": 7.0, "megabytes": 70}, "05_x": old,
    }  # fmt: skip
