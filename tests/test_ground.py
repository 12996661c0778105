"""The ground: files written whole, progress that is told, and examples in docstrings that are true."""

import doctest
import importlib
import os
import pickle
import pkgutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from filelock import FileLock

import covidlab
from covidlab import progress
from covidlab.errors import CovidlabError
from covidlab.files import SCRATCH, waited_for, whole_file
from covidlab.progress import progress_bar, track


def test_a_file_is_new_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "new" / "run.weights.h5"
    with whole_file(path) as scratch:
        scratch.write_text("new")
        assert not path.exists()
        assert scratch.parent == path.parent and scratch.name[0] == "." and scratch.name.endswith(".weights.h5")
    assert path.read_text() == "new" and os.listdir(path.parent) == [path.name]


def test_a_kill_leaves_nothing_behind_and_the_old_file_as_it_was(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as scratch:
        scratch.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == [path.name]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    for name, hours in (("old", 25), ("young", 1)):
        (tmp_path / f"{SCRATCH}{name}").mkdir()
        (tmp_path / f"{SCRATCH}{name}.csv").touch()
        for left in (tmp_path / f"{SCRATCH}{name}", tmp_path / f"{SCRATCH}{name}.csv"):
            os.utime(left, times=2 * (time.time() - 3600 * hours,))
    with whole_file(tmp_path / "table.csv") as scratch:
        scratch.touch()
    assert sorted(os.listdir(tmp_path)) == [f"{SCRATCH}young", f"{SCRATCH}young.csv", "table.csv"]


def test_a_wait_for_another_process_is_told_and_an_error_comes_back_from_one(tmp_path):
    held = threading.Event()

    def hold():
        with FileLock(tmp_path / "lock"):
            held.set()
            time.sleep(2)

    threading.Thread(target=hold).start()
    held.wait()
    with pytest.warns(RuntimeWarning, match="lock: another process is at work"):
        with waited_for(FileLock(tmp_path / "lock")):
            pass
    error = CovidlabError("file", "a", "b", "c")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file/table.csv", "file/sub/table.csv", "folder"):
        with pytest.raises(CovidlabError, match=f"{name}: found a place that cannot be written"):
            with whole_file(tmp_path / name) as scratch:
                scratch.write_text("new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    with pytest.raises(CovidlabError, match="cannot be written .no HDF5 today"), whole_file(tmp_path / "a"):
        raise OSError("no HDF5 today")  # HDF5's have no message of the system
    full = "file write failed (time = noon\n, errno = 28, error message = 'No space left on device', buf = 0)"
    with pytest.raises(CovidlabError, match=r"cannot be written \(No space left on device\)"):
        with whole_file(tmp_path / "a"):
            raise RuntimeError(full)  # HDF5's, too
    with pytest.raises(RuntimeError, match="a bug"), whole_file(tmp_path / "a"):
        raise RuntimeError("a bug")


# Each writes, waits until the other has written, too, and only then lets the file take its name.
WRITER = """
import sys
from pathlib import Path
from covidlab.files import whole_file

with whole_file(Path(sys.argv[1])) as scratch:
    scratch.write_text(1000 * sys.argv[2])
    print("written", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_one_file_do_not_collide(tmp_path):
    path = tmp_path / "table.csv"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, letter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for letter in "ab"
    ]
    assert [writer.stdout.readline() for writer in writers] == ["written\n", "written\n"]
    for writer, letter in zip(writers, "ab"):
        writer.communicate("\n")
        assert writer.returncode == 0 and path.read_text() == 1000 * letter
    assert os.listdir(tmp_path) == [path.name]


def test_a_log_gets_a_line_a_tenth_and_none_for_short_work(capsys, monkeypatch):
    list(track(range(50), "quick"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "SHORT", -1)
    list(track([SimpleNamespace(name=f"case {k}") for k in range(50)], "slow"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11 and lines[0] == "slow: 0/50 case 0" and lines[-1] == "slow: 50/50"


def test_a_notebook_shows_the_same_words_whatever_there_was_to_do(monkeypatch):
    shown = []
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **more: shown.append(data["text/plain"]))
    list(track((), "reading"))
    list(track(range(3), "reading"))
    with progress_bar("training") as show:
        show(1, 2, "loss 0.5")
    assert shown == ["[progress bar: reading]"] * 2 + ["[progress bar: training]"]


def test_examples_give_what_they_say():
    names = [one.name for one in pkgutil.walk_packages(covidlab.__path__, "covidlab.") if "__main__" not in one.name]
    done = {name: doctest.testmod(importlib.import_module(name)) for name in names}
    assert sum(one.attempted for one in done.values()) > 20
    assert [name for name, one in done.items() if one.failed] == []
