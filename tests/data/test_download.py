"""A server on this machine stands in for Zenodo; nothing here reaches the network."""

import errno
import hashlib
import io
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from covidlab.data import download
from covidlab.errors import CovidlabError


def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member in members:
            archive.writestr(*member)
    return file.getvalue()


SCANS = zipped(
    ("one.nii.gz", bytes(2**20)), ("folder/two.nii.gz", b"2"), ("../three.nii.gz", b"3"),
    ("__MACOSX/._two.nii.gz", b"?"), ("readme.txt", b"?"),
)  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    """Sends `content`, or what it is told by `faults`, one an answer: bytes to stop after, a status, a header's length,
    "stall", or another content; `log` holds how much was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            fault = http.faults.pop(0) if http.faults else None
            content = fault if isinstance(fault, bytes) else http.content
            self.send_response(fault[1] if fault and fault[0] == "status" else 200)
            self.send_header("Content-Length", str(fault[1] if fault and fault[0] == "length" else len(content)))
            self.end_headers()
            content = content[: fault[1]] if fault and fault[0] in ("drop", "stall") else content
            http.log.append(len(content))  # before it is sent: whoever has it may look at once
            self.wfile.write(content)
            if fault and fault[0] == "stall":
                http.over.wait(5)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.content, http.faults, http.log, http.over = SCANS, [], [], threading.Event()
    monkeypatch.setattr(download, "BASE_URL", f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setattr(download, "ARCHIVES", {"scans": hashlib.sha256(SCANS).hexdigest()})
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits before it tries again
    monkeypatch.setattr("pooch.downloaders.DEFAULT_TIMEOUT", 0.3)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield http
    http.over.set()
    http.shutdown()


def test_archives_are_extracted_into_folders_of_their_own_and_fetched_once(server, tmp_path):
    server.faults = [("drop", len(SCANS) // 2)]
    assert download.fetch_record(tmp_path) == tmp_path
    there = sorted(path.name for path in (tmp_path / "scans").iterdir())
    assert there == ["one.nii.gz", "three.nii.gz", "two.nii.gz"] and not (tmp_path / "three.nii.gz").exists()
    download.fetch_record(tmp_path)
    assert server.log == [len(SCANS) // 2, len(SCANS)]


@pytest.mark.parametrize("fault", [
    ("drop", 9), ("stall", 9), ("length", 9), ("length", 2**22), ("status", 404), ("status", 429), ("status", 503),
    SCANS[:-1] + b"x", b"",
])  # fmt: skip
def test_a_server_at_fault_costs_a_try_and_in_the_end_one_line_and_leaves_nothing(server, tmp_path, fault):
    server.faults = [fault] * 3
    with pytest.raises(CovidlabError, match="another SHA-256|no way to .*(404|429|503|Error|Timeout)") as caught:
        download.fetch_record(tmp_path)
    assert "\n" not in str(caught.value) and os.listdir(tmp_path) == [".fetch.lock"]
    server.faults = [fault]
    assert (download.fetch_record(tmp_path) / "scans" / "two.nii.gz").read_bytes() == b"2"


def test_what_a_killed_download_left_is_removed_and_how_far_one_is_is_told(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("covidlab.progress.SHORT", -1)
    (tmp_path / ".covidlab-killed").mkdir()
    (tmp_path / ".covidlab-killed" / "half").touch()
    download.fetch_record(tmp_path)
    assert not list(tmp_path.glob(".covidlab*"))
    assert capsys.readouterr().err.splitlines()[-1] == "loading scans.zip: 1/1 MB"


def test_another_hash_is_refused_and_nothing_kept_of_it(server, tmp_path):
    server.content = SCANS[:-1] + b"x"
    with pytest.raises(CovidlabError, match="another SHA-256"):
        download.fetch_record(tmp_path)
    assert not list(tmp_path.glob("[!.]*"))


def test_a_full_disk_is_not_taken_for_the_network(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.move", full)  # pooch's way from its scratch file
    with pytest.raises(CovidlabError, match=r"cannot be written \(No space left on device\)"):
        download.fetch_record(tmp_path)


def test_offline_says_what_to_put_where_and_uses_it(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(download, "BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(CovidlabError) as caught:
        download.fetch_record(tmp_path)
    needed = {"scans.zip", download.ARCHIVES["scans"], download.DOI, f"into {tmp_path}", "again"}
    assert all(word in str(caught.value) for word in needed) and "\n" not in str(caught.value)
    assert not [one for one in caplog.records if one.name == "pooch"], "pooch's own words before ours"
    (tmp_path / "scans.zip").write_bytes(SCANS)
    assert (download.fetch_record(tmp_path) / "scans" / "two.nii.gz").read_bytes() == b"2"


