"""covidlab: a course in notebooks on segmenting COVID-19 lesions in chest CT. Teaching material, not a medical device.

  python lab.py                   open the course in JupyterLab, at notebooks/00_start_here.ipynb
  python lab.py test              lint, unit tests, then every notebook run again and compared with its stored outputs

The same on Windows (there it may be `py lab.py`), macOS and Linux (`python3 lab.py`), with Python {low} or newer,
below {high}. The first time, either sets the course up in the folder .venv: some minutes, about 3 GB, and the only time
that needs the network. What follows a command goes to the program that does it:

  python lab.py --no-browser --port=8899          a machine without a browser: open the address that it prints
  python lab.py --data FOLDER                     the notebooks on your own scans: see data/README.md

{commands}
"""

from __future__ import annotations  # no newer syntax than 3.9 knows: whoever starts it with an old Python is told so

import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib.util import find_spec
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parent
VENV, SITE, COLAB = (ROOT / name for name in (".venv", ".venv-site", ".venv-colab"))
WINDOWS = os.name == "nt"
NBVAL = ("-m pytest --nbval --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with "
         "tools/nbval_sanitize.cfg -p tools.trained_numbers --durations 5 notebooks")  # fmt: skip
# What it is for; its steps, each of which starts with an option of Python's or a program's name, ARGS being what the
# reader added; the environments it needs, of which the last has its programs. None is .venv with uv alone.
Command = namedtuple("Command", "about steps needs", defaults=[(VENV,)])
# A new command: a line here, and its name among the targets of the Makefile.
COMMANDS = {
    "lab": Command("open the course in JupyterLab, as `python lab.py` alone does", (
        "-m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb ARGS",)),
    "test": Command("lint, unit tests, every notebook", (
        "-m ruff check --output-format concise lab.py covidlab studies tools tests notebooks assignments",
        "lint-imports --no-logo", "-m pytest -n 2 --dist worksteal tests ARGS", NBVAL)),
    "run": Command("a program of the course: `covidlab ...`, or options of Python's, as `-m studies ...`", ("ARGS",)),
    "setup": Command("only the set-up: .venv from requirements.lock, each file checked against its hash", ()),
    "student": Command("copies without solutions, and graded work without its key, in student/", (
        "-m tools.student notebooks/*.ipynb assignments/*.ipynb",)),
    "site": Command("the web site, in build/html/ (needs npm the first time)", ("-m tools.site build/html",), (SITE,)),
    "slides": Command("a deck for each notebook, in build/slides/", ("-m tools.slides build/slides",), (SITE,)),
    "clean": Command("remove the environments, build/, dist/ and caches; data/ and runs/ stay", (), ()),
    "notebooks": Command("run every notebook again, in order, and store what it shows", (
        "jupyter-execute --inplace --timeout=300 notebooks/*.ipynb",
        "-m nbstripout --keep-output --keep-count --extra-keys metadata.language_info.version notebooks/*.ipynb")),
    "site-check": Command("the site in headless Chromium: other hosts, dead links, alt text, axe-core, the masks", (
        "-m tools.site build/html --check", "-m tools.site_browser build/html",
        "-m tools.site_masks build/html ARGS"), (SITE,)),
    "release": Command("an edition, in dist/, with its digests; --check builds it again and compares", (
        "-m tools.release ARGS",), (SITE,)),
    # Universal: one file for the three systems and every Python that pyproject.toml allows. It names no host.
    "lock": Command("resolve requirements.lock again (when you changed pyproject.toml); --upgrade for the newest", (
        "uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes "
        "--no-header --no-annotate --quiet --output-file requirements.lock ARGS",), (None,)),
    "test-colab": Command("notebooks, on Colab's versions", ("-m pytest tests/plots/test_viewers.py", NBVAL), (COLAB,)),
}  # fmt: skip
BESIDE = {SITE: "--group site --editable .[dicom]", COLAB: "-r tools/colab-requirements.txt --editable .[dicom,test]"}
REMOVED = (".venv*", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis", "notebooks/.ipynb_checkpoints",
           *(f"{folder}/**/__pycache__" for folder in ("covidlab", "studies", "tools", "tests", "notebooks")))
# A user's own settings must not change what a notebook shows: each of these is a folder of ours, or gone.
OURS = "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR IPYTHONDIR MPLCONFIGDIR KERAS_HOME".split()
GONE = "PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTEST_ADDOPTS MPLBACKEND JUPYTER_PATH JUPYTER_CONFIG_PATH".split()
SET = {"KERAS_BACKEND": "tensorflow", "PYTHONNOUSERSITE": "1", "PIP_USER": "0", "PYTHONUTF8": "1"}
NO_NEWS = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}'
# What fetching packages says when it fails, and what that means.
FAILURES = {
    r"no space left|os error (28|112)\b|not enough space|quota":
        "the disk is full: about 4 GB are needed here, and where temporary files lie. Free some, and start again",
    r"too long|os error 206\b": "names get too long here: move the course to a short path, such as C:\\covidlab",
    "hash": "a package is not the one that requirements.lock names, so it is not used. Is there a mirror on the way?",
    "certificate": "this network has a certificate of its own: set the variable UV_SYSTEM_CERTS=1, and start again",
    "dns|resol|connect|timed out|unreachable|proxy|no matching distribution|error sending|offline":
        "packages could not be fetched. Is there a network, or a proxy that pip has to know? What has come is kept",
}  # fmt: skip


def main(words: list[str]) -> int:
    """Do one command; its exit status."""
    name, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else ("lab", words)
    if name == "help" or {"-h", "--help"} & set(words[:2]):  # of one command, too: nobody who asks wants 3 GB
        lines = "\n".join(f"  {known:<16}{command.about}" for known, command in COMMANDS.items())
        return print(__doc__.format(low=bounds()[0], high=bounds()[1], commands=lines).strip()) or 0
    if name not in COMMANDS:
        sys.exit(f"lab.py: there is no command {name!r}; `python lab.py --help` lists them")
    command = COMMANDS[name]
    if rest and not any("ARGS" in step for step in command.steps):
        sys.exit(f"lab.py: {name} takes nothing more, but was given {' '.join(rest)}")
    try:
        for path in [path for pattern in REMOVED for path in ROOT.glob(pattern)] if name == "clean" else ():
            os.remove(path) if path.is_symlink() or path.is_file() else shutil.rmtree(path)
        for venv in command.needs:
            make_venv()
            set_up(venv) if venv else None
        environment = settings(name)
        if name == "lab" and "--data" in rest[:-1]:
            place = rest.index("--data")
            environment["COVIDLAB_DATA"] = str(Path(rest[place + 1]).expanduser().resolve())
            rest = rest[:place] + rest[place + 2 :]
        rest = rest + ["--allow-root"] * (name == "lab" and not WINDOWS and os.geteuid() == 0)
        here = Path.cwd() if name == "run" else ROOT
        started = (run(argv(step, command.needs[-1] or VENV, rest), environment, here) for step in command.steps)
        return next(filter(None, started), 0)
    except OSError as error:
        sys.exit(f"lab.py: {error.filename or ROOT}: {error.strerror}. Is it in use, or not yours to write?")


def bounds() -> tuple[str, str]:
    """The Pythons that pyproject.toml allows: from the first, below the second."""
    return re.search(r'requires-python = ">=([\d.]+),<([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8")).groups()


def fits(version: str) -> bool:
    low, this, high = (tuple(map(int, one.split(".")[:2])) for one in (bounds()[0], version, bounds()[1]))
    return low <= this < high


def program(venv: PurePath, name: str, windows: bool = WINDOWS) -> str:
    """Where a virtual environment keeps a program."""
    return str(venv / "Scripts" / f"{name}.exe" if windows else venv / "bin" / name)


def argv(step: str, venv: PurePath, rest: list[str], windows: bool = WINDOWS) -> list[str]:
    """A step as the list that starts it, without a shell; a word with a star in it is looked up."""
    words = []
    for word in step.split():
        found = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(word)) if "*" in word else [word]
        words += rest if word == "ARGS" else found
    name = words.pop(0) if words and not words[0].startswith("-") else "python"
    return [program(venv, name, windows), *words]


def settings(command: str = "") -> dict[str, str]:
    """The environment of what is started; all but `lab` and `run` is on the phantom, whatever the reader has set."""
    gone = GONE if command in ("lab", "run") else [*GONE, "COVIDLAB_DATA"]
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    return {**kept, **{name: str(VENV / "settings" / name.lower()) for name in OURS}, **SET}


def run(command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT) -> int:
    """Run a program to its end. Ctrl-C reaches it, too, and it ends as it sees fit: JupyterLab asks first."""
    with subprocess.Popen(command, cwd=folder, env=environment or settings()) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass


def fetch(*command: str, mark: Path | None = None) -> None:
    """Run what fetches packages; where it fails, its own words are followed by what they mean. A mark that .venv is
    half made goes, unless the disk is full: uv fetches all before it installs any."""
    said, told = "", {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    with subprocess.Popen(command, cwd=ROOT, env=settings(), **told) as process:
        for line in process.stderr:
            said += line
            print(line, end="", file=sys.stderr)
    why = next((means for sign, means in FAILURES.items() if re.search(sign, said, re.I)), f"{command[0]} failed")
    if mark and not (process.returncode and "disk" in why):
        mark.unlink()
    if process.returncode:
        sys.exit(f"lab.py: {why}")


def set_up(venv: Path) -> None:
    """Make an environment as pyproject.toml and requirements.lock say, where it is not so already."""
    if venv == VENV:
        sync()
    files, ready = (ROOT / "pyproject.toml", ROOT / "tools" / "colab-requirements.txt"), venv / ".ready"
    made_of = str(ROOT).encode() + b"".join(file.read_bytes() for file in files)
    if ready.is_file() and ready.read_bytes() == made_of:
        return
    uv, python = program(VENV, "uv"), program(venv, "python")
    if venv == VENV:
        fetch(uv, *"pip install --quiet --no-deps --no-build-isolation --python".split(), python, "--editable", ".")
        settings_of_jupyterlab = VENV / "share" / "jupyter" / "lab" / "settings"
        settings_of_jupyterlab.mkdir(parents=True, exist_ok=True)
        (settings_of_jupyterlab / "overrides.json").write_text(NO_NEWS, encoding="utf-8")
    else:  # resolved together: versions of Colab that pyproject.toml does not allow would be refused here
        print(f"Making {venv.name}", flush=True)
        fetch(uv, "venv", "--quiet", "--clear", "--python", program(VENV, "python"), str(venv))
        fetch(uv, "pip", "install", "--quiet", "--python", python, *BESIDE[venv].split())
    # The font list is built here, because matplotlib would otherwise announce it inside the first notebook.
    run([python, "-c", "import matplotlib.font_manager"])
    ready.write_bytes(made_of)
    print(f"{venv.name} is ready", flush=True)


def sync() -> None:
    """The packages exactly as locked, wheels only. uv asks the registry even where nothing is to be done, so an
    unchanged lock is not synced again: after the first time all this works offline."""
    lock, done, begun = ROOT / "requirements.lock", VENV / "requirements.lock", VENV / ".begun"
    if done.is_file() and done.read_bytes() == lock.read_bytes():
        return
    if not done.is_file() and shutil.disk_usage(ROOT).free < 4e9:
        sys.exit(f"lab.py: the set-up takes about 3 GB, and fewer than 4 are free at {ROOT}: free some, start again")
    print("Installing what requirements.lock names (about 3 GB on disk, TensorFlow most of it)", flush=True)
    begun.touch()  # what is left of a set-up that was broken off
    fetch(program(VENV, "uv"), "pip", "sync", "--quiet", "--require-hashes", "--no-build", "--python",
          program(VENV, "python"), str(lock), mark=begun)  # fmt: skip
    shutil.copyfile(lock, done)


def make_venv() -> None:
    """.venv with the locked uv in it, which installs the rest. One that works is kept, whoever made it. Where Python
    comes without ensurepip (Debian keeps it in python3-venv), the machine's own pip installs into .venv from outside,
    which an "externally managed" Python allows."""
    if works():
        return
    check_python()
    if os.path.lexists(VENV) and not (VENV / "pyvenv.cfg").is_file():
        sys.exit(f"lab.py: {VENV} is there, but is no virtual environment. Move it away, and start again")
    base, python = getattr(sys, "_base_executable", None) or sys.executable, program(VENV, "python")
    print(f"{'Half made: making' if VENV.exists() else 'Making'} .venv with {sys.version.split()[0]}", flush=True)
    pip = [python, "-m", "pip"] if find_spec("ensurepip") else [base, "-m", "pip", "--python", python]
    bare = ["--without-pip"] if pip[0] == base else []
    if bare and not find_spec("pip") or run([base, "-m", "venv", "--clear", *bare, str(VENV)]):
        sys.exit("lab.py: this Python can make no virtual environment: it has neither ensurepip nor pip. On Debian or "
                 "Ubuntu: apt install python3-venv (or python3-pip), then start again")  # fmt: skip
    locked = re.search(r"^uv==(?:.*\\\n)*.*\n", (ROOT / "requirements.lock").read_text("utf-8"), re.M)[0]
    (VENV / "uv.txt").write_text(locked, "utf-8")
    fetch(*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(VENV / "uv.txt"))


def works() -> bool:
    """Whether .venv has a Python that fits, uv, and no set-up that was broken off."""
    try:
        uv, python = ([program(VENV, name), "--version"] for name in ("uv", "python"))
        said = subprocess.check_output(uv) and subprocess.check_output(python, encoding="utf-8")
        return fits(said.split()[1]) and not (VENV / ".begun").exists()
    except (OSError, subprocess.CalledProcessError):
        return False


def check_python() -> None:
    """Refuse a Python that the course does not run on, with the command that starts a better one."""
    this, (low, high) = sys.version.split()[0], bounds()
    if fits(this) and sys.maxsize > 2**32:
        return
    here = [name for minor in range(int(low[2:]), int(high[2:])) if shutil.which(name := f"python3.{minor}")]
    better = f"py -{low} lab.py" if WINDOWS else f"{[*here, 'python' + low][0]} lab.py"
    sys.exit(f"lab.py: covidlab needs a 64-bit Python, {low} or newer and below {high}; {sys.executable} is {this}. "
             f"{'Type' if here else 'Install one, and type'}: {better}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
