"""lab.py, which sets the course up on three systems: what it starts there, and what it says where it cannot go on."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

import lab

ROOT = Path(__file__).resolve().parents[2]
AWKWARD = PureWindowsPath(r"C:\Users\Zoë Möller\Kurs (neu)\.venv")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course's folder with what lab.py reads, and the list of what it would start and fetch in it."""
    for name in ("pyproject.toml", "requirements.lock", "tools/colab-requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    started = []
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(lab, "run", lambda command, *_: started.append(command) or 0)
    monkeypatch.setattr(lab, "fetch", lambda *command, mark=None: started.append(command) or (mark and mark.unlink()))
    monkeypatch.setattr(lab.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e9, 0, 9e9))
    return tmp_path, started


def made(venv):
    """A virtual environment as far as lab.py looks at it."""
    venv.mkdir()
    (venv / "pyvenv.cfg").touch()


def test_it_is_read_by_python_3_9_needs_nothing_installed_and_starts_no_shell():
    tree = ast.parse((ROOT / "lab.py").read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names - {"tomllib"}
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [node for node in called if getattr(node.func, "attr", "") in ("system", "popen")]
    assert not [word for node in called for word in node.keywords if word.arg == "shell"]


@pytest.mark.parametrize("name, step", [(name, step) for name in lab.COMMANDS for step in lab.COMMANDS[name].steps])
def test_on_windows_each_step_is_a_program_of_the_environment_and_a_list_of_words(name, step):
    first, *words = lab.argv(step, AWKWARD, ["covidlab", "a b.nii"] if name == "run" else ["a b.nii"], windows=True)
    assert re.fullmatch(re.escape(str(AWKWARD)) + r"\\Scripts\\[\w-]+\.exe", first)
    assert ("a b.nii" in words) == ("ARGS" in step)
    # Whatever a shell would have to read, or a path that only one system understands.
    assert not [word for word in words if re.search(r"[*$|;&<>'\"\\]|^/|ARGS", word)]


def test_a_path_with_spaces_and_umlauts_stays_one_word():
    assert lab.program(AWKWARD, "python", windows=True) == str(AWKWARD) + r"\Scripts\python.exe"
    assert lab.argv("-m x ARGS", Path("/a b/ü/.venv"), ["-k", "c d"], windows=False) == [
        "/a b/ü/.venv/bin/python", "-m", "x", "-k", "c d"]  # fmt: skip


@pytest.mark.parametrize("windows, better", [(True, "py -3.11 lab.py"), (False, r"python3\.\d+ lab.py")])
@pytest.mark.parametrize("version", ["3.9.6 (default)", "3.14.0 (main)"])
def test_a_python_that_does_not_fit_is_told_which_one_would(monkeypatch, windows, better, version):
    monkeypatch.setattr(sys, "version", version)
    monkeypatch.setattr(lab, "WINDOWS", windows)
    with pytest.raises(SystemExit, match=rf"3\.11 or newer and below 3\.14; .* is {version[:5]}\d?\. .*: {better}"):
        lab.check_python()


WORDS = {
    "cause: dns error\n  cause: failed to lookup address information": "could not be fetched",
    "client error (Connect)\n  cause: invalid peer certificate: UnknownIssuer": "UV_SYSTEM_CERTS=1",
    "ERROR: No matching distribution found for uv==0.13.9": "could not be fetched",
    "failed to write to file `x`: No space left on device (os error 28)": "disk is full",
    "There is not enough space on the disk. (os error 112)": "disk is full",
    "The filename or extension is too long. (os error 206)": "short path",
    "Hash mismatch for `numpy==2.4.6`": "not the one that requirements.lock names",
    "something new": "failed",
}


@pytest.mark.parametrize("words, meaning", WORDS.items())
def test_what_fetching_says_is_followed_by_what_it_means_and_half_made_is_what_a_full_disk_left(
    tmp_path, capfd, words, meaning
):
    (mark := tmp_path / ".begun").touch()
    with pytest.raises(SystemExit, match=f"^lab.py: .*{meaning}"):
        lab.fetch(sys.executable, "-c", f"import sys; sys.exit({words!r})", mark=mark)
    assert words in capfd.readouterr().err
    assert mark.exists() == ("disk" in meaning)


def test_a_set_up_fetches_once_and_again_when_the_lock_or_the_folder_changed(course):
    root, started = course
    made(lab.VENV)
    for change, kinds in (
        (lambda: None, ["sync", "install"]),
        (lambda: None, []),
        (lambda: (root / "requirements.lock").write_text("uv==1\n"), ["sync"]),
        (lambda: (root / "pyproject.toml").open("a").close(), []),
        (lambda: (lab.VENV / ".ready").write_text("another folder"), ["install"]),
    ):
        change()
        started.clear()
        lab.set_up(lab.VENV)
        assert [command[2] for command in started if command[1] == "pip"] == kinds
    assert not (lab.VENV / ".begun").exists()


def test_little_room_is_said_before_anything_is_fetched(course, monkeypatch):
    _, started = course
    made(lab.VENV)
    monkeypatch.setattr(lab.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e9, 6e9, 3e9))
    with pytest.raises(SystemExit, match="3 GB, and fewer than 4 are free"):
        lab.set_up(lab.VENV)
    assert started == []


def test_what_works_is_kept_what_is_half_made_is_made_anew_and_a_strangers_folder_is_left_alone(course, monkeypatch):
    root, started = course
    monkeypatch.setattr(lab, "program", lambda venv, name: sys.executable)  # both say a version
    monkeypatch.setattr(lab, "check_python", lambda: None)
    made(lab.VENV)
    lab.make_venv()
    assert started == []
    (lab.VENV / ".begun").touch()
    lab.make_venv()
    assert [command[1:3] for command in started] == [["-m", "venv"], ("-m", "pip")]
    assert re.fullmatch(r"uv==\S+ \\\n(    --hash=sha256:\w{64}( \\)?\n)+", (lab.VENV / "uv.txt").read_text())
    monkeypatch.setattr(lab, "program", lambda venv, name: str(root / "absent"))
    (lab.VENV / "pyvenv.cfg").unlink()
    with pytest.raises(SystemExit, match="is no virtual environment. Move it away"):
        lab.make_venv()
    assert (lab.VENV / "uv.txt").exists()


def test_what_follows_a_command_reaches_its_program_or_is_refused_and_the_first_failure_ends_it(course, monkeypatch):
    root, started = course
    monkeypatch.setattr(lab, "make_venv", lambda: None)
    monkeypatch.setattr(lab, "set_up", lambda venv: None)
    seen = {}

    def run(command, environment, folder):
        started.append(command)
        jupyter = environment["JUPYTER_CONFIG_DIR"]
        seen.update(data=environment.get("COVIDLAB_DATA"), folder=folder, jupyter=jupyter)
        return 3

    monkeypatch.setattr(lab, "run", run)
    monkeypatch.setenv("COVIDLAB_DATA", "elsewhere")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "my-own")
    monkeypatch.chdir(root / "tools")
    assert lab.main(["--no-browser", "--data", "scans"]) == 3
    assert started[0][1:3] == ["-m", "jupyterlab"] and "--no-browser" in started[0] and "scans" not in started[0]
    ours = str(lab.VENV / "settings" / "jupyter_config_dir")
    assert seen == {"data": str(root / "tools" / "scans"), "folder": root, "jupyter": ours}
    assert lab.main(["test", "-k", "x"]) == 3 and "ruff" in started[-1] and seen["data"] is None
    assert lab.main(["run", "covidlab", "inspect"]) == 3
    assert (seen["data"], seen["folder"]) == ("elsewhere", Path.cwd())
    done = len(started)
    for words in (["--help"], ["test", "--help"], ["setup", "-h"], ["lab", "--help"]):
        assert lab.main(words) == 0 and len(started) == done
    for words in (["tset"], ["site", "x"]):
        with pytest.raises(SystemExit, match="^lab.py: "):
            lab.main(words)


def test_clean_takes_a_link_and_not_what_it_leads_to_and_leaves_data(course):
    root, _ = course
    for kept in ("data/scan", "runs/seed0", "elsewhere/bin", "covidlab/__pycache__", ".venv-site/bin"):
        (root / kept).mkdir(parents=True)
    (root / ".venv").symlink_to(root / "elsewhere")
    assert lab.main(["clean"]) == 0
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir()}
    assert left == {"data", "data/scan", "runs", "runs/seed0", "elsewhere", "elsewhere/bin", "covidlab", "tools"}


def test_ctrl_c_is_left_to_the_program_that_runs(monkeypatch):
    class Interrupted(subprocess.Popen):
        times = 0

        def wait(self, timeout=None):
            Interrupted.times += 1
            if Interrupted.times == 1:
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(lab.subprocess, "Popen", Interrupted)
    assert lab.run([sys.executable, "-c", "raise SystemExit(5)"]) == 5


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_every_target_of_make_is_a_command_of_lab_py_and_every_document_names_only_such():
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    targets = phony[1].replace("\\\n", "").split()
    asked = ["make", "-n", "--no-print-directory", *targets, "WORKERS=3", "LAB_FLAGS=--port=1"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) == len(targets) and all(" lab.py " in line for line in told)
    assert set(lab.COMMANDS) - {"run"} <= set(targets)
    assert {"python3 lab.py test -n 3", "python3 lab.py lab --port=1"} <= {line.strip() for line in told}
    files = ("*.md", "docs/*.md", "data/*.md", ".ci/run", ".github/workflows/*.yml", "Dockerfile", ".devcontainer/*")
    pages = [path for pattern in files for path in ROOT.glob(pattern)]
    words = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    assert set(re.findall(r"`make ([\w-]+)", words)) <= set(targets)
    named = set(re.findall(r"lab\.py ([a-z][\w-]*)", words))
    assert named >= {"test", "site"} and named <= {*lab.COMMANDS, "help"}
