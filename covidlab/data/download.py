"""The published record: Zenodo 3757476, downloaded with resume, checked, and extracted safely.

pooch keeps the hash and the folder; what it lacks is going on with a broken download, which 1.1 GB needs, so
the downloader here asks for the missing bytes only. Not run against Zenodo itself: the tests use a server on
this machine as a stand-in.
"""

import os
import shutil
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests
from filelock import FileLock

from covidlab.errors import CovidlabError
from covidlab.progress import Progress, progress_bar

DOI = "10.5281/zenodo.3757476"

BASE_URL = "https://zenodo.org/records/3757476/files"

ATTEMPTS = 5

LARGEST_EXTRACTED = 8 * 2**30  # bytes; the record's archives unpack to a fraction of it


class RecordError(CovidlabError):
    """The record cannot be downloaded, does not have its hash, or cannot be extracted."""


@dataclass(frozen=True)
class Archive:
    """One zip of the record; each is flat and needs a folder of its own, as all hold the same file names."""

    folder: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the record."""
        return f"{self.folder}.zip"

ARCHIVES = (
    Archive("COVID-19-CT-Seg_20cases", "a5060480eff9315b069b086312dac4872777901fb80d268a5a83edd9f4e7b440"),
    Archive("Infection_Mask", "87901c73fdd2230260e61d2dbc57bf56026efc28264006b8ea2bf411453c1694"),
)


def fetch_record(
    folder: Path, base_url: str = BASE_URL, archives: tuple[Archive, ...] = ARCHIVES
) -> Path:
    """Download and extract the scans and the infection masks; what is there already is kept.

    Parameters
    ----------
    folder : Path
        Gets COVID-19-CT-Seg_20cases/ and Infection_Mask/. An archive that was put here by hand is used.
    base_url, archives
        Another server or other files, for tests.

    Returns
    -------
    Path
        The folder: a cohort.

    Raises
    ------
    RecordError
        If the network fails (a repeated call goes on where it stopped), a hash differs, an archive holds anything
        but plain NIfTI files, or the disk is full. The message says what to put where by hand.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fetch.lock"):
            for archive in archives:
                if not (folder / archive.folder).is_dir():
                    _extract(_download(archive, folder, base_url), folder / archive.folder)
    except OSError as error:
        raise RecordError(
            folder,
            f"a folder that cannot be written ({error.strerror or error})",
            "about 4 GB of room",
            "free space, or choose another folder with --out",
        ) from error
    return folder


def _download(archive: Archive, folder: Path, base_url: str) -> Path:
    path = folder / archive.name
    url = f"{base_url}/{archive.name}?download=1"
    try:
        # pooch downloads where the file or its hash is missing, and refuses what does not have the hash afterwards.
        pooch.retrieve(url, f"sha256:{archive.sha256}", archive.name, folder, downloader=_Resuming(path))
    except requests.RequestException as error:
        raise RecordError(
            path,
            f"no way to {base_url} ({type(error).__name__})",
            f"{archive.name} with SHA-256 {archive.sha256}",
            f"run the same command again to go on, or download it by hand from doi.org/{DOI} into {folder} and run "
            "the same command again",
        ) from error
    except ValueError as error:  # pooch's word for another hash
        path.with_suffix(".part").unlink(missing_ok=True)
        raise RecordError(
            path,
            "a download with another SHA-256",
            archive.sha256,
            f"run the same command again; if it persists, download it by hand from doi.org/{DOI}",
        ) from error
    return path


class _Resuming:
    """A pooch downloader that keeps what it has in a .part file and asks for the rest."""

    def __init__(self, path: Path):
        self.part, self.tag = path.with_suffix(".part"), path.with_suffix(".etag")

    def __call__(self, url, output_file, pooch_instance, check_only=False):
        for attempt in range(ATTEMPTS):
            try:
                with progress_bar(f"downloading {self.part.stem}") as show:
                    self._continue(url, show)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
        self.tag.unlink(missing_ok=True)
        os.replace(self.part, output_file)

    def _continue(self, url: str, show: Progress) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {}
        if have and self.tag.exists():
            # If-Range: should the file have changed, the server sends it whole.
            headers = {"Range": f"bytes={have}-", "If-Range": self.tag.read_text()}
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            if answer.status_code == 416:  # nothing is missing, or what is here is longer: the hash will tell
                return
            answer.raise_for_status()
            resumed = answer.status_code == 206
            have = have if resumed else 0
            if tag := answer.headers.get("ETag"):
                self.tag.write_text(tag)
            missing = int(answer.headers.get("Content-Length", 0))
            with self.part.open("ab" if resumed else "wb") as file:
                for chunk in answer.iter_content(2**18):
                    file.write(chunk)
                    show(file.tell() >> 20, max(have + missing, file.tell()) >> 20, "MiB")
            if missing and self.part.stat().st_size < have + missing:
                raise requests.ConnectionError("the connection ended before the file did")


def _extract(path: Path, target: Path) -> None:
    """Unpack a flat archive of NIfTI files, to a temporary folder first."""
    scratch = Path(tempfile.mkdtemp(prefix=".extracting-", dir=target.parent))
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and "__MACOSX" not in one.filename]
            for member in members:
                place = PurePosixPath(member.filename)
                is_link = member.external_attr >> 16 & 0o170000 == 0o120000
                if is_link or place.is_absolute() or ".." in place.parts or not place.name.endswith(".nii.gz"):
                    raise RecordError(
                        path, f"a member {member.filename!r}", "plain .nii.gz files", "delete the archive"
                    )
            room, needed = shutil.disk_usage(target.parent).free, sum(member.file_size for member in members)
            if needed > min(room, LARGEST_EXTRACTED):
                raise RecordError(
                    path,
                    f"{needed >> 20} MiB to extract",
                    f"at most {room >> 20} MiB, the room on the disk",
                    "free space",
                )
            for member in members:
                with archive.open(member) as source, (scratch / PurePosixPath(member.filename).name).open("wb") as file:
                    shutil.copyfileobj(source, file)
        os.chmod(scratch, 0o755)  # mkdtemp makes it private
        os.replace(scratch, target)
    except zipfile.BadZipFile as error:
        raise RecordError(path, f"no readable zip file ({error})", "an archive of the record", "delete it") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
