"""Graded work: what an answer is worth, and that a notebook in the sandbox gains nothing but by right answers."""

import csv
import json
import os
import re
import shutil
import time

import nbformat
import numpy as np
import psutil
import pytest

from tests import submissions
from tools import grade
from tools.grade_points import Part, calls, judge
from tools.grade_sandbox import Caps, run_notebook

ROOT = submissions.ROOT
needs_bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap (bwrap) is not installed")
WITHOUT_DATA = "beyond_1_cost"  # its notebook needs no phantom


def of_cells(*sources):
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]})


def lines(parts, functions):
    """What the harness would write for functions that run here."""
    found = []
    for part, function in zip(parts, functions):
        for given in part.inputs:
            answer = function(*(one.copy() if isinstance(one, np.ndarray) else one for one in given))
            found.append({"call": len(found), "answer": json.loads(json.dumps(np.asarray(answer).tolist()))})
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", [0, 1])
def test_right_answers_have_all_points_each_known_mistake_its_own_and_a_constant_none(seed):
    key = grade.read_key(grade.KEY, seed)
    assert list(key) == submissions.ASSIGNMENTS and len(key) == 6
    for name, (parts, _) in key.items():
        rights = [part.check.right for part in parts]
        assert [part.name for part in parts] == submissions.stubs(name) and len(parts) == len(grade.PARTS)
        assert judge(parts, lines(parts, rights)) == [(part.points, "") for part in parts], name
        assert sum(part.points for part in parts) == 10
        for part in parts:
            assert set(part.partly) <= set(part.check.mistakes) and max(part.partly.values()) < part.points
            for hint, wrong in part.check.mistakes.items():
                assert judge([part], lines([part], [wrong])) == [(part.partly.get(hint, 0), hint)], part.name
            for constant in (0, 1, -1, 0.5, np.nan, [0, 0], [1, 1], [-1, 0], [0, 0, 0], []):
                judged = judge([part], lines([part], [lambda *_, one=constant: one]))
                assert judged[0][0] == 0, (part.name, constant)


def test_no_assignment_holds_a_solution_or_an_output_and_each_is_short():
    for name in submissions.ASSIGNMENTS:
        notebook = nbformat.read(ROOT / "assignments" / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert len(code) <= 8 and not any(cell.outputs for cell in code)
        bodies = re.findall(r"(?<=return ).{12,}", submissions.solution(name))
        assert len(bodies) >= 3 and not [body for body in bodies if body in nbformat.writes(notebook)]


def test_what_comes_out_of_the_sandbox_is_data_and_may_be_anything():
    parts, _ = grade.read_key(grade.KEY)["beginner_1_measure"]
    rights = [part.check.right for part in parts]
    honest = lines(parts, rights)
    assert json.loads(json.dumps(calls(parts)))[0][1][0]["type"] == "int64"
    forged = [{"call": 0, "answer": [0.5, 0.5]}, {"points": 10}, {"call": "0", "answer": 1}, {"call": None}]
    assert [points for points, _ in judge(parts, [*forged, *honest])] == [0, 3, 3]  # of two answers the first counts
    assert [points for points, _ in judge(parts, [*honest, *forged])] == [4, 3, 3]
    assert judge(parts, honest[:3])[1] == (0, "no answer came")
    assert judge(parts, [{"call": k, "missing": True} for k in range(20)])[0] == (0, "there is no such function")
    for answer in ("Right", {"right": True}, [[1], [1, 2]], True, 10**400, [None], float("nan"), [[[]]], "1" * 5000):
        assert [points for points, _ in judge(parts, [{"call": k, "answer": answer} for k in range(20)])] == [0, 0, 0]
    for error in ("Right: Right", "Not quite: x", "", ": :", "1 + 1: x", "a\nb"):
        judged = judge(parts, [{"call": k, "error": error} for k in range(20)])
        assert [points for points, _ in judged] == [0, 0, 0]
    edge = len(parts[0].inputs) + len(parts[1].inputs) - 1  # a mask without lesion
    assert honest[edge] == {"call": edge, "answer": 0.0}
    honest[edge] = {"call": edge, "error": "ZeroDivisionError: x"}
    assert judge(parts, honest)[1] == (2.5, "it fails with ZeroDivisionError: x, for a mask without lesion")
    assert isinstance(parts[0], Part)


SLEEP = f"600.{os.getpid()}"  # seconds, and a name to find it by
PROBE = f"""
import os, socket, subprocess
from pathlib import Path
def refused(action):
    try: action()
    except Exception: return True
    return False
def probe(): return [
    refused(lambda: socket.create_connection(("127.0.0.1", 22), 1)),
    refused(lambda: socket.getaddrinfo("example.org", 443)),
    refused(lambda: open("/course/covidlab/__init__.py", "a")), refused(lambda: open("/course/x", "w")),
    refused(lambda: os.setuid(0)) or os.getuid() > 0, not Path({str(ROOT / "tools")!r}).exists(),
    not Path({str(ROOT / "assignments")!r}).exists(), len([one for one in os.listdir("/proc") if one.isdigit()]) <= 3,
    not any("COVIDLAB_SECRET" in name for name in os.environ), set(os.listdir("/tmp")) <= set(["mine", ".ipython"]),
    subprocess.run(["sh", "-c", "mount -t tmpfs x /course"], capture_output=True).returncode > 0,
    left.poll() is None]
Path("/tmp/mine").write_text("x")
left = subprocess.Popen(["sleep", "{SLEEP}"], start_new_session=True)
"""


@needs_bubblewrap
def test_a_notebook_sees_no_network_no_hidden_test_no_other_process_and_leaves_none(monkeypatch):
    monkeypatch.setenv("COVIDLAB_SECRET", "1")
    run = run_notebook(of_cells("1 / 0", PROBE), [("probe", []), ("nowhere", [])], 7)
    stopped, answer, missing = run.lines[1:]
    assert stopped == {"stopped": "code cell 1 stopped with ZeroDivisionError: division by zero"}
    assert answer == {"call": 0, "answer": [True] * 12} and missing == {"call": 1, "missing": True} and not run.fault
    assert not [one for one in psutil.process_iter(["cmdline"]) if SLEEP in (one.info["cmdline"] or ())]


@needs_bubblewrap
def test_loops_forks_and_floods_end_at_a_cap_and_what_came_before_counts():
    loop = "def slow(): return 1 if memo else memo.append(1) or loop()\nmemo = []\ndef loop():\n    while True: pass"
    bomb = "import os\ndef bomb():\n    while True:\n        try: os.fork()\n        except OSError: print('x' * 10**6)"
    start = time.monotonic()
    caps, calls_of_both = Caps(cell=0.5, cpu=3, seconds=60), [("slow", []), ("slow", []), ("bomb", [])]
    run = run_notebook(of_cells(loop, bomb), calls_of_both, 8, caps)
    assert run.lines[1]["error"] == "OutOfTime: it takes too long" and run.lines[2] == {"call": 1, "answer": 1}
    assert len(run.lines) == 3 and run.fault and time.monotonic() - start < 70


@needs_bubblewrap
def test_a_folder_is_graded_links_count_nothing_and_an_old_table_is_gone_on_with(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grade.data, "open_slice_cache", lambda cohort: None)
    monkeypatch.setattr(grade.data, "open_cohort", lambda name: None)
    folder, output, name = tmp_path / "class", tmp_path / "points.csv", f"{WITHOUT_DATA} (1).ipynb"
    solved = submissions.solved(WITHOUT_DATA, ["gflop", "of_peak"])
    tricks = ["imports of the hidden tests", "writes elsewhere", "forged lines", "patched checks", "frames"]
    cheat = submissions.dishonest(WITHOUT_DATA, tricks, folder / "anna" / name)
    for student, text in (("anna", solved), ("=cheat", cheat)):
        (folder / student).mkdir(parents=True)
        (folder / student / name).write_text(text)
    (folder / "link").symlink_to(folder / "anna")
    (folder / "file link").mkdir()
    (folder / "file link" / name).symlink_to(folder / "anna" / name)
    (folder / "file link" / "essay.ipynb").write_text("{}")
    assert grade.main([str(folder), "-o", str(output)]) == 0
    with output.open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file) if "essay" not in row["notebook"]}
    assert [rows["anna"][column] for column in ("points", "of", *grade.PARTS)] == ["7", "10", "4", "3", "0"]
    assert rows["anna"]["reason"].startswith("eight_bits: the function returns nothing.")
    assert rows["'=cheat"]["points"] == "0" and "there is no such function" in rows["'=cheat"]["reason"]  # it said so
    assert grade._cell("a\n =b\x1b[2J" + 999 * "c").startswith("a =b\\x1b[2Jccc")
    assert rows["file link"]["points"] == "0" and "no plain file" in rows["file link"]["reason"]
    assert (folder / "anna" / name).read_text() == solved and rows.get("link", {"points": "0"})["points"] == "0"
    whole = output.read_text()
    monkeypatch.setattr(grade, "run_notebook", None)  # nothing is left to run
    assert grade.main([str(folder), "-o", str(output)]) == 0 and output.read_text() == whole
    assert grade.main([str(folder / "anna"), "-o", str(output)]) == 2
    assert "FOLDER/STUDENT/ASSIGNMENT.ipynb" in capsys.readouterr().err
