"""An edition's archives depend on what is in them, and not on when, where and by whom they were written."""

import io
import os
import tarfile
import zipfile

import pytest

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
