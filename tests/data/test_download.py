"""A server on this machine stands in for Zenodo; nothing here reaches the network."""

import errno
import hashlib
import io
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
    """Sends `content`, of which the first answer breaks off after `drop` bytes; `log` holds how much was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(http.content)))
            self.end_headers()
            content, http.drop = http.content[: http.drop], None
            http.log.append(len(content))  # before it is sent: whoever has it may look at once
            self.wfile.write(content)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.content, http.drop, http.log = SCANS, None, []
    monkeypatch.setattr(download, "BASE_URL", f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setattr(download, "ARCHIVES", {"scans": hashlib.sha256(SCANS).hexdigest()})
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits before it tries again
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield http
    http.shutdown()


def test_archives_are_extracted_into_folders_of_their_own_and_fetched_once(server, tmp_path):
    server.drop = len(SCANS) // 2
    assert download.fetch_record(tmp_path) == tmp_path
    there = sorted(path.name for path in (tmp_path / "scans").iterdir())
    assert there == ["one.nii.gz", "three.nii.gz", "two.nii.gz"] and not (tmp_path / "three.nii.gz").exists()
    download.fetch_record(tmp_path)
    assert server.log == [len(SCANS) // 2, len(SCANS)]


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


