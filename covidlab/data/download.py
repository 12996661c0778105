"""The published record: Zenodo 3757476, downloaded with pooch, its hashes checked, and extracted whole or not at all.

A repeated call keeps the archives that are whole; one whose download broke off starts over, and what a killed call left
is removed. Not run against Zenodo
itself: the tests use a server on this machine as a stand-in.
"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pooch
from filelock import FileLock

from covidlab.errors import CovidlabError, writable
from covidlab.files import SCRATCH, waited_for
from covidlab.progress import Progress, progress_bar

DOI = "10.5281/zenodo.3757476"
BASE_URL = "https://zenodo.org/records/3757476/files"

# Name of a zip and of the folder made of it: SHA-256. Each has a folder of its own, as all hold the same file names.
ARCHIVES = {
    "COVID-19-CT-Seg_20cases": "a5060480eff9315b069b086312dac4872777901fb80d268a5a83edd9f4e7b440",
    "Infection_Mask": "87901c73fdd2230260e61d2dbc57bf56026efc28264006b8ea2bf411453c1694",
}


def fetch_record(folder: Path) -> Path:
    """Download and extract the scans and the infection masks into a folder, which then is a cohort, and return it.

    What is there already is kept, and a zip that was put there by hand is used. Raises a CovidlabError, which says
    what to put where by hand, if the network fails, a hash differs or the disk is full.
    """
    with writable(folder, "free space for about 4 GB, or name another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        with waited_for(FileLock(folder / ".fetch.lock")):  # so nobody else is at work on what lies there half-done
            for left in folder.glob(f"{SCRATCH}*"):
                shutil.rmtree(left)
            for name, sha256 in ARCHIVES.items():
                if not (folder / name).is_dir():
                    _extract(_downloaded(folder / f"{name}.zip", sha256), folder / name)
    return folder


class _Bar:
    """What pooch tells how far it is, in bytes."""

    def __init__(self, show: Progress):
        self.show, self.total, self.done = show, 0, 0

    def update(self, more: int) -> None:
        self.done += more
        self.show(min(self.done, self.total) // 10**6, self.total // 10**6, "MB")

    def reset(self) -> None:  # as it ends
        self.done = 0

    def close(self) -> None:
        pass


def _downloaded(path: Path, sha256: str) -> Path:
    if path.is_file() and pooch.file_hash(path) == sha256:
        return path
    pooch.get_logger().setLevel("WARNING")  # what fails is told below, in one line
    known, urls = {path.name: f"sha256:{sha256}"}, {path.name: f"{BASE_URL}/{path.name}?download=1"}
    with _scratch(path.parent) as scratch, progress_bar(f"loading {path.name}") as show:
        loader = pooch.HTTPDownloader(progressbar=_Bar(show), chunk_size=2**18)
        record = pooch.create(scratch, "", registry=known, urls=urls, retry_if_failed=2)
        try:
            os.replace(record.fetch(path.name, downloader=loader), path)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None):  # the disk's; the network's come from requests, without a number
                raise
            # A ValueError is pooch's word for another hash.
            said = getattr(getattr(error, "response", None), "status_code", type(error).__name__)
            offline = isinstance(error, OSError)
            found = f"no way to {BASE_URL} ({said})" if offline else "a download with another SHA-256"
            by_hand = f"download it by hand from doi.org/{DOI} into {path.parent}"
            remedy = f"run the same command again, or {by_hand} and run it then"
            raise CovidlabError(path, found, f"{path.name} with SHA-256 {sha256}", remedy) from error
    return path


def _extract(path: Path, target: Path) -> None:
    # pooch.Unzip would leave half a cohort behind when it is interrupted.
    with zipfile.ZipFile(path) as archive, _scratch(target.parent) as scratch:
        for member in archive.infolist():
            place = PurePosixPath(member.filename)
            if place.name.endswith(".nii.gz") and "__MACOSX" not in place.parts:
                member.filename = place.name
                archive.extract(member, Path(scratch, target.name))
        os.replace(Path(scratch, target.name), target)


def _scratch(folder: Path) -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder)
