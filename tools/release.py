"""An edition of the course, out of the last commit alone: the same commit gives the same bytes.

    python -m tools.release            into dist/: wheel, sdist, site, slides, student copies, SBOM, SHA256SUMS
    python -m tools.release --check    once more, elsewhere, and compared with dist/

`python lab.py release` runs it in .venv-site. What depends on when, where and by whom it is built is set: times are the
commit's, files are sorted and belong to nobody, and the folder is another one each time.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
# What is one folder each, packed as a .zip: the module that writes it, and its words; the folder's name comes last.
FOLDERS = {
    "site": ("tools.site",),
    "slides": ("tools.slides",),
    # What students get: no solution, and of the graded work what is handed out, which is all but assignments/key.
    "student": ("tools.student", "notebooks/*.ipynb", "assignments/*.ipynb", "--output"),
}
BUILD = "import sys; from setuptools import build_meta as b; o = sys.argv[1]; b.build_wheel(o); b.build_sdist(o)"


def main(arguments: list[str] | None = None) -> int:
    """Build an edition, or compare one with dist/; 1 where they differ."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="build once more and compare with dist/")
    check = parser.parse_args(arguments).check
    if git("status", "--porcelain").strip():
        print("There are changes that are not committed: they are not in it")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out") if check else DIST
        out.mkdir(exist_ok=True)
        for old in out.iterdir():
            old.unlink()
        build(Path(scratch, "course"), out)
        digests = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(out.iterdir())]
    print(*digests, sep="\n")
    if not check:
        (DIST / "SHA256SUMS").write_text("\n".join(digests) + "\n", encoding="utf-8")
        return 0
    sums = DIST / "SHA256SUMS"
    other = set(digests) ^ set(sums.read_text(encoding="utf-8").splitlines() if sums.exists() else ())
    print("As in dist/" if not other else f"Not as in dist/: {', '.join(sorted({line[66:] for line in other}))}")
    return 1 if other else 0


def git(*words: str) -> str:
    """What git says of this checkout; the end, with its own words, where it is none."""
    told = subprocess.run(["git", *words], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    return told.stdout if told.returncode == 0 else sys.exit("An edition is built out of a git checkout")


def build(course: Path, out: Path) -> None:
    """Lay the last commit out in a folder of its own, and write into another what is made of it."""
    os.umask(0o022)
    epoch = int(git("log", "-1", "--format=%ct"))
    archive = subprocess.run(["git", "archive", "--format=tar", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(course, filter="data")
    npm = Path("build", "npm")  # archives that the site needs, each checked against its hash: fetched once
    if (ROOT / npm).is_dir():
        copytree(ROOT / npm, course / npm)
    version = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    settings = {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*words: object) -> None:
        command, told = [sys.executable, *map(str, words)], {"stdout": subprocess.PIPE, "encoding": "utf-8"}
        done = subprocess.run(command, cwd=course, env=os.environ | settings, **told)
        if done.returncode:
            sys.exit(f"{done.stdout}{' '.join(command[1:3])} failed, so there is no edition")

    run("-c", BUILD, out)
    set_times_in_sdist(out / f"covidlab-{version}.tar.gz", epoch)
    for name in FOLDERS:
        run("-m", *command(name, course), course.parent / name)
        pack(course.parent / name, out / f"covidlab-{version}-{name}.zip", epoch)
    copytree(course / npm, ROOT / npm, dirs_exist_ok=True)
    (out / f"covidlab-{version}-sbom.json").write_text(sbom(course, version, epoch), encoding="utf-8")


def command(name: str, course: Path) -> list[object]:
    """The module and words that write one of `FOLDERS`, its last word left out; files of the course stand for stars."""
    return [found for word in FOLDERS[name] for found in (sorted(course.glob(word)) if "*" in word else [word])]


def set_times_in_sdist(path: Path, epoch: int) -> None:
    """Write an sdist again, sorted, with the commit's time and no owner: setuptools takes them from the machine."""
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def pack(folder: Path, path: Path, epoch: int) -> None:
    """A folder as a .zip, below its own name."""
    time = datetime.fromtimestamp(epoch, UTC).timetuple()[:6]
    with zipfile.ZipFile(path, "w") as files:
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(f"{path.stem}/{file.relative_to(folder).as_posix()}", time)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            files.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def sbom(course: Path, version: str, epoch: int) -> str:
    """What requirements.lock names, with the hashes of its files, as CycloneDX JSON."""
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    def component(name: str, number: str, kind=ComponentType.LIBRARY, **more) -> Component:
        purl = PackageURL("pypi", name=name, version=number)
        return Component(name=name, version=number, type=kind, purl=purl, bom_ref=purl.to_string(), **more)

    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"covidlab {version} {epoch}"))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = component("covidlab", version, ComponentType.APPLICATION)
    lock = (course / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    entry = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; (.*?))?((?: +--hash=\S+)+)", re.M)
    for name, number, only_where, hashes in entry.findall(lock):
        digests = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in re.findall(r"sha256:(\w+)", hashes)]
        where = [Property(name="covidlab:marker", value=only_where)] if only_where else []
        bom.components.add(component(name, number, hashes=digests, properties=where))
    bom.register_dependency(bom.metadata.component, bom.components)
    return json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
