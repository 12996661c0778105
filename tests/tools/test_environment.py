"""What sets the project up agrees with pyproject.toml, and nothing is tracked that must not be."""

import re
import shutil
import subprocess
import tomllib
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import covidlab
from covidlab import tables

ROOT = Path(__file__).resolve().parents[2]
# Named in environment.yml, so that a reader sees what the course stands on.
NAMED = {"jupyterlab", "tensorflow", "numpy", "nibabel", "matplotlib", "ipywidgets", "nbval", "scikit-image"}
MOST_BYTES = 3_000_000
TEST_COMMAND = "python lab.py test"

# Each pattern has a bracket in it, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a registry's host": r"py[p]i\.org|python[h]osted\.|registry\.np[m]js|deb\.de[b]ian|conda\.anacond[a]",
    "a path of one machine": r"(?<![\w.])/(?:(?:wor[k]|far[m]|roo[t]|tmp/bas[h]_jobs)[/.]|(?:hom[e]|User[s])/\w)",
}
PATIENT_DATA = re.compile(
    r"\.nii(\.gz)?$|\.dcm$|(radiopaedia|coronacases)[^/]*\.(png|jpe?g|gif|svg|webp|np[yz])$", re.I
)


def text(name):
    path = ROOT / name
    assert path.exists(), f"{name} is missing"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads(text("pyproject.toml"))


@pytest.fixture(scope="module")
def bounds(pyproject):
    """Name -> requirement, of the package and of all its extras."""
    project = pyproject["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


@pytest.fixture(scope="module")
def locked():
    """One (requirement, hashes) for each entry of requirements.lock."""
    entries = []
    for block in text("requirements.lock").replace("\\\n", " ").splitlines():
        if block.strip() and not block.lstrip().startswith("#"):
            words = list(takewhile(lambda word: not word.startswith("--"), block.split()))
            entries.append((Requirement(" ".join(words)), re.findall(r"--hash=sha256:([0-9a-f]{64})\b", block)))
    return entries


# pyproject.toml, the lock and conda's file ---------------------------------------------------------------------------


def test_a_package_has_its_bounds_in_one_place_only(pyproject, bounds):
    project = pyproject["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    assert len(lines) == len(bounds)
    assert all(requirement.specifier for requirement in bounds.values())
    built_with = Requirement(pyproject["build-system"]["requires"][0])
    assert built_with == bounds["setuptools"], "lab.py builds with the locked one, without isolation"


def test_the_lock_satisfies_every_bound_pins_and_hashes_every_entry_and_names_no_host(bounds, locked):
    for name, requirement in bounds.items():
        pins = [pin for pin, _ in locked if canonicalize_name(pin.name) == name]
        assert pins, f"{name} is not in requirements.lock: run `make lock`"
        for pin in pins:
            assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), f"{pin} is not {requirement}"

    assert len(locked) > 100
    for pin, hashes in locked:
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), pin
        assert pin.url is None, pin
        assert hashes, f"{pin} has no hash"
    assert re.findall(r"^.*(?:://|index-url|find-links).*$", text("requirements.lock"), re.MULTILINE) == []


def test_conda_gives_python_and_pip_and_the_rest_has_pyprojects_bounds(pyproject, bounds):
    environment = yaml.safe_load(text("environment.yml"))
    assert environment["channels"] == ["conda-forge"]
    python, pip, block = environment["dependencies"]
    assert pip == "pip"
    lowest = re.match(r">=([\d.]+)", pyproject["project"]["requires-python"])[1]
    assert python == f"python={lowest}"
    *named, last = block["pip"]
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", last)[1].split(",")
    assert {"train", "notebooks", "dicom", "test"} <= set(extras) <= set(pyproject["project"]["optional-dependencies"])
    requirements = [Requirement(line) for line in named]
    assert {requirement.name for requirement in requirements} == NAMED
    for requirement in requirements:
        assert requirement == bounds[canonicalize_name(requirement.name)]


def test_colabs_versions_are_exact_and_within_the_bounds(bounds):
    lines = [line for line in text("tools/colab-requirements.txt").splitlines() if not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    assert {"tensorflow", "keras", "numpy", "ipywidgets"} <= {pin.name for pin in pins}
    for pin in pins:
        version = re.fullmatch(r"==([^*,]+)", str(pin.specifier))
        assert version, pin
        bound = bounds.get(canonicalize_name(pin.name))
        assert bound is None or bound.specifier.contains(version[1]), f"{pin} is not {bound}"


# One test command, one citation --------------------------------------------------------------------------------------


def test_readme_ci_and_workflow_run_the_same_command():
    job = yaml.safe_load(text(".github/workflows/test.yml"))["jobs"]["test"]
    assert job["strategy"]["matrix"]["command"] == [TEST_COMMAND]
    assert {system.split("-")[0] for system in job["strategy"]["matrix"]["os"]} == {"ubuntu", "macos", "windows"}
    assert [step["run"] for step in job["steps"] if "run" in step] == ["${{ matrix.command }}"]
    with_its_python = TEST_COMMAND.replace("python", '"$python"')
    commands = [line.strip() for line in text(".ci/run").splitlines() if "lab.py" in line and "printf" not in line]
    assert commands[0] == with_its_python and commands[1].startswith('exec "$python" lab.py run -m tools.processors ')
    assert len(commands) == 2
    assert re.search(rf"^\s*(\$ )?{TEST_COMMAND}\b", text("README.md"), re.MULTILINE), "README.md shows another command"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100, ".ci/run is not executable"


def test_version_and_day_of_the_edition_are_everywhere_the_same(pyproject):
    version, day = re.search(r"^## (\S+), (.+)$", text("CHANGELOG.md"), re.MULTILINE).groups()
    citation = yaml.safe_load(text("CITATION.cff"))
    assert version == pyproject["project"]["version"] == covidlab.__version__ == str(citation["version"])
    assert datetime.strptime(day, "%d %B %Y").date() == citation["date-released"]
    assert f"\ndate: {day}\n" in text("paper.md")


def test_the_citation_names_the_paper(pyproject):
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["repository-code"] == pyproject["project"]["urls"]["Homepage"]
    paper = citation["references"][0]
    assert paper["title"] == "Deep learning models for COVID-19 infected area segmentation in CT images"
    surnames = [author["family-names"] for author in paper["authors"]]
    assert surnames == ["Voulodimos", "Protopapadakis", "Katsamenis", "Doulamis", "Doulamis"]


# What is tracked -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tracked():
    """Files that git tracks or would, so that a fault shows before it is committed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to it")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"git lists no files here: {listed.stderr.strip()}")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_is_large_a_patients_or_names_what_it_must_not(tracked):
    """No registry's host, no path of one machine; no scan, and no picture of one."""
    found = [(name, "a patient's") for name in tracked if PATIENT_DATA.search(name)]
    for name in tracked:
        content = (ROOT / name).read_bytes()
        if len(content) > MOST_BYTES:
            found.append((name, f"{len(content)} bytes"))
        if b"\0" not in content[:8192]:
            words = content.decode("utf-8", errors="replace")
            found += [(name, f"{what}: {match[0]}") for what, pattern in FORBIDDEN.items()
                      if (match := re.search(pattern, words))]  # fmt: skip
    assert found == []


def test_the_wheel_carries_what_notebooks_read_of_the_measured_tables(tmp_path, monkeypatch):
    code = "\n".join(path.read_text(encoding="utf-8").replace('\\"', '"') for path in ROOT.glob("notebooks/*.ipynb"))
    named = {Path(*pair) for pair in re.findall(r'"(?:(runs)" / ")?([\w-]+\.(?:csv|md))"', code)}
    named = {path for path in named if (tables.results_folder() / path).is_file()}
    carried = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]["data-files"]
    for folder, patterns in carried.items():
        for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / folder)
    monkeypatch.setattr(tables, "__file__", str(tmp_path / "site-packages" / "covidlab" / "tables.py"))
    found = [SimpleNamespace(match=path.match, locate=lambda path=path: path) for path in tmp_path.rglob("*.*")]
    monkeypatch.setattr(tables, "files", lambda _: found)
    assert len(named) >= 7 and [path for path in named if not (tables.results_folder() / path).is_file()] == []


def test_the_patterns_find_what_they_are_for():
    host, machine = FORBIDDEN.values()
    for planted in ("https://files.python" + "hosted.org/x.whl", "index-url = https://py" + "pi.org/simple"):
        assert re.search(host, planted), planted
    for planted in ("see /wor" + "k/main/data", "HOME=/roo" + "t/.cache", "/hom" + "e/someone/scans"):
        assert re.search(machine, planted), planted
    for name in ("tests/x.nii.gz", "a/b.NII", "studies/results/radiopaedia_4_z20.png", "x/coronacases_001.npz"):
        assert PATIENT_DATA.search(name), name
    assert not PATIENT_DATA.search("studies/results/phantom_03_1.png")
