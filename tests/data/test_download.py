"""A server on this machine stands in for Zenodo; nothing here reaches the network."""

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from covidlab.data import download
from covidlab.data.download import Archive, RecordError, fetch_record


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


SCANS = zipped(**{"one.nii.gz": bytes(range(256)) * 4000, "two.nii.gz": b"2"})


@pytest.fixture
def server():
    """Serves `content`; drops the connection after `drop` bytes once; `log` holds (first byte asked, bytes sent)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, start = self.server.content, 0
            asked = self.headers.get("Range")
            if asked and self.server.ranges and self.headers.get("If-Range") == self.server.tag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("ETag", self.server.tag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop = len(content)
            if self.server.drop:
                stop, self.server.drop = self.server.drop, 0
            self.wfile.write(content[start:stop])
            self.server.log.append((start, stop - start))

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.content, http.ranges, http.tag, http.drop, http.log = SCANS, True, '"a"', 0, []
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield http
    http.shutdown()


def fetch(server, folder, content=SCANS):
    archives = (Archive("scans", hashlib.sha256(content).hexdigest()),)
    return fetch_record(folder, base_url=f"http://127.0.0.1:{server.server_port}", archives=archives)


def test_archives_are_extracted_into_folders_of_their_own_and_fetched_once(server, tmp_path):
    fetch(server, tmp_path)
    assert (tmp_path / "scans" / "two.nii.gz").read_bytes() == b"2"
    fetch(server, tmp_path)
    assert len(server.log) == 1


def test_a_dropped_connection_goes_on_where_it_stopped(server, tmp_path):
    server.drop = len(SCANS) // 2
    fetch(server, tmp_path)
    (first, _), (second, rest) = server.log
    assert first == 0 and second > 0 and rest < len(SCANS)
    assert (tmp_path / "scans" / "one.nii.gz").stat().st_size == 256 * 4000


def test_a_server_without_ranges_or_a_changed_file_starts_over(server, tmp_path):
    server.drop, server.ranges = len(SCANS) // 2, False
    fetch(server, tmp_path)
    assert [start for start, _ in server.log] == [0, 0]


def test_another_hash_is_refused_and_nothing_extracted(server, tmp_path):
    server.content = SCANS[:-1] + b"x"
    with pytest.raises(RecordError, match="another SHA-256"):
        fetch(server, tmp_path)
    assert not (tmp_path / "scans").exists()


def test_offline_says_what_to_put_where(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.server_close()
    with pytest.raises(RecordError) as caught:
        fetch_record(tmp_path, base_url="http://127.0.0.1:9", archives=(Archive("scans", "abc"),))
    for word in ("scans.zip", "abc", download.DOI, str(tmp_path), "again"):
        assert word in str(caught.value)


def test_an_archive_put_there_by_hand_is_used_without_network(server, tmp_path):
    (tmp_path / "scans.zip").write_bytes(SCANS)
    fetch(server, tmp_path)
    assert server.log == [] and (tmp_path / "scans" / "two.nii.gz").exists()


@pytest.mark.parametrize("name", ["../evil.nii.gz", "/evil.nii.gz", "readme.txt"])
def test_members_that_are_no_plain_scans_are_refused(server, tmp_path, name):
    server.content = zipped(**{"good.nii.gz": b"1", name: b"evil"})
    with pytest.raises(RecordError, match="plain .nii.gz files"):
        fetch(server, tmp_path / "in", server.content)
    assert not (tmp_path / "in" / "scans").exists() and not list(tmp_path.glob("evil*"))


def test_a_full_disk_is_said_before_anything_is_written(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_EXTRACTED", 10)
    with pytest.raises(RecordError, match="free space"):
        fetch(server, tmp_path)
    assert not (tmp_path / "scans").exists()
