"""The published record: Zenodo 3757476, downloaded with pooch, its hashes checked, and extracted whole or not at all.

A repeated call keeps the archives that are whole; one whose download broke off starts over. Not run against Zenodo
itself: the tests use a server on this machine as a stand-in.
"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pooch
from filelock import FileLock

from covidlab.errors import CovidlabError, writable

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
        with FileLock(folder / ".fetch.lock"):
            for name, sha256 in ARCHIVES.items():
                if not (folder / name).is_dir():
                    _extract(_downloaded(folder / f"{name}.zip", sha256), folder / name)
    return folder


def _downloaded(path: Path, sha256: str) -> Path:
    url = f"{BASE_URL}/{path.name}?download=1"
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**18)
    pooch.get_logger().setLevel("WARNING")  # what fails is told below, in one line
    known = {path.name: f"sha256:{sha256}"}
    record = pooch.create(path.parent, "", registry=known, urls={path.name: url}, retry_if_failed=2)
    try:
        record.fetch(path.name, downloader=downloader)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None):  # the disk's; the network's come from requests, without a number
            raise
        # A ValueError is pooch's word for another hash.
        offline = isinstance(error, OSError)
        found = f"no way to {BASE_URL} ({type(error).__name__})" if offline else "a download with another SHA-256"
        by_hand = f"download it by hand from doi.org/{DOI} into {path.parent}"
        remedy = f"run the same command again, or {by_hand} and run it then"
        raise CovidlabError(path, found, f"{path.name} with SHA-256 {sha256}", remedy) from error
    return path


def _extract(path: Path, target: Path) -> None:
    # pooch.Unzip would leave half a cohort behind when it is interrupted.
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        for member in archive.infolist():
            place = PurePosixPath(member.filename)
            if place.name.endswith(".nii.gz") and "__MACOSX" not in place.parts:
                member.filename = place.name
                archive.extract(member, Path(scratch, target.name))
        os.replace(Path(scratch, target.name), target)
