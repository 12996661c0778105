"""An edition's archives depend on what is in them, and not on when, where and by whom they were written."""

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests import submissions
from tools import release


def sdist(path, names, mtime, uid):
    with tarfile.open(path, "w:gz") as files:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uid, member.uname = len(name), mtime, uid, f"user{uid}"
            files.addfile(member, io.BytesIO(name.encode()))


def test_an_sdist_of_another_day_order_and_owner_has_the_same_bytes_and_the_same_files(tmp_path):
    one, other = tmp_path / "one.tar.gz", tmp_path / "other.tar.gz"
    sdist(one, ["c/a", "c/b"], 1e9, 1000)
    sdist(other, ["c/b", "c/a"], 1.1e9 + 0.5, 0)
    assert one.read_bytes() != other.read_bytes()
    for path in (one, other):
        release.set_times_in_sdist(path, 1_700_000_000)
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as files:
        assert {member.mtime for member in files} == {1_700_000_000}
        assert [files.extractfile(name).read() for name in ("c/a", "c/b")] == [b"c/a", b"c/b"]


def test_a_folder_of_another_day_and_place_is_packed_to_the_same_bytes(tmp_path):
    packed = []
    for number, names in enumerate((["b.txt", "a/c.txt"], ["a/c.txt", "b.txt"])):
        folder = tmp_path / f"place {number}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            os.utime(folder / name, (number * 1e8, number * 1e8))
            (folder / name).chmod(0o600 + number * 0o044)
        (tmp_path / str(number)).mkdir()
        release.pack(folder, tmp_path / str(number) / "x-site.zip", 1_700_000_000)
        packed.append(tmp_path / str(number) / "x-site.zip")
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with zipfile.ZipFile(packed[0]) as files:
        assert files.namelist() == ["x-site/a/c.txt", "x-site/b.txt"]


def test_students_get_every_notebook_and_assignment_and_nothing_of_the_key(tmp_path):
    words = map(str, release.command("student", release.ROOT))
    subprocess.run([sys.executable, "-m", *words, str(tmp_path / "student")], check=True, cwd=release.ROOT)
    release.pack(tmp_path / "student", tmp_path / "x-student.zip", 1_700_000_000)
    notebooks = [path.stem for path in release.ROOT.glob("notebooks/*.ipynb")]
    with zipfile.ZipFile(tmp_path / "x-student.zip") as files:
        held = {name.removeprefix("x-student/"): files.read(name).decode() for name in files.namelist()}
    assert set(held) == {f"{name}.ipynb" for name in [*notebooks, *submissions.ASSIGNMENTS]}
    for name in submissions.ASSIGNMENTS:
        assert all(f"def {asked}(" in held[f"{name}.ipynb"] for asked in submissions.stubs(name))
        assert re.findall(r"notebook \d\d\]\((.+?)\)", held[f"{name}.ipynb"])[0] in held  # its link leads to a copy
        told = re.findall(r"(?<=return ).{12,}", submissions.solution(name))
        assert len(told) >= 3 and not [(line, other) for line in told for other in held if line in held[other]]


@pytest.mark.parametrize("changed, status, said", [(False, 0, "As in dist/"), (True, 1, "Not as in dist/: x.whl")])
def test_a_second_build_is_compared_with_the_first_and_leaves_it(tmp_path, monkeypatch, capsys, changed, status, said):
    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    monkeypatch.setattr(release, "git", lambda *_: "")
    built = iter([b"1", b"2" if changed else b"1"])
    monkeypatch.setattr(release, "build", lambda course, out: (out / "x.whl").write_bytes(next(built)))
    assert release.main([]) == 0
    assert release.main(["--check"]) == status
    assert said in capsys.readouterr().out
    assert (tmp_path / "dist" / "x.whl").read_bytes() == b"1"
