"""Points for a folder of submitted notebooks, a row each. For lecturers: docs/grading.md.

Every notebook is run anew in a sandbox, its functions are asked what no student has seen, and their answers are judged
here, in a process that runs no student's code. A table that is there is gone on with: its row of the same file and the
same hidden tests is kept.
"""

import argparse
import csv
import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from covidlab import data
from covidlab.errors import CovidlabError, plain
from covidlab.files import whole_file
from covidlab.progress import progress_bar
from tools.grade_points import Part, calls, judge
from tools.grade_sandbox import run_notebook
from tools.told import told

KEY = Path(__file__).parents[1] / "assignments" / "key"
LARGEST = 5_000_000  # bytes of a submitted notebook
PARTS = ("part 1", "part 2", "part 3")  # of every assignment
USED = ("seconds", "cpu", "megabytes")
COLUMNS = ("student", "notebook", "assignment", "points", "of", *PARTS, "reason", *USED, "version")


Key = Mapping[str, tuple[tuple[Part, ...], bytes]]  # an assignment's parts, and the file that they are from


def read_key(folder: Path, seed: int = 0) -> Key:
    """The assignments of a folder of hidden tests: each file has a function `parts` of a random generator."""
    found = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        spec = importlib.util.spec_from_file_location(f"key_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem] = tuple(module.parts(np.random.default_rng(seed))), path.read_bytes()
    if not found:
        raise CovidlabError(folder, "no hidden test", "a file for each assignment", "name the folder with --key")
    return found


def submissions(folder: Path) -> list[Path]:
    """Every notebook of a folder that holds a folder for each student; a CovidlabError if it is laid out otherwise."""
    found = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if odd := [path for path in found if path.parent == folder] or ([] if found else [folder]):
        remedy = "make a folder for each student in it"
        raise CovidlabError(odd[0], "no notebook in a student's folder", "FOLDER/STUDENT/ASSIGNMENT.ipynb", remedy)
    return found


def grade_folder(folder: Path, output: Path, key: Key, workers: int = 2) -> list[dict]:
    """Grade what the table does not hold yet, and write the table after each notebook; returns all its rows."""
    data.open_slice_cache(data.open_cohort("phantom"))  # now, since nobody can write it in the sandbox
    rows = {path: _known(path, folder, key) for path in submissions(folder)}
    kept = {}
    if output.exists():
        with output.open(newline="", encoding="utf-8") as file:
            kept = {row["version"]: row for row in csv.DictReader(file)}
    rows = {path: kept.get(row.get("version"), row) for path, row in rows.items()}
    waiting = [path for path, row in rows.items() if "points" not in row]
    pool = ThreadPoolExecutor(workers)
    try:
        with progress_bar("grading") as show:
            jobs = {pool.submit(_graded, path, rows[path], key, number): path for number, path in enumerate(waiting)}
            for done, job in enumerate(as_completed(jobs), start=1):
                rows[jobs[job]] = job.result()
                _write(output, [row for row in rows.values() if "points" in row])
                show(done, len(waiting), plain(jobs[job].parent.name))
    finally:
        pool.shutdown(cancel_futures=True)
    _write(output, list(rows.values()))
    return list(rows.values())


def _known(path: Path, folder: Path, key: Key) -> dict:
    """What a row holds before the notebook is run; already its points where there is nothing to run."""
    place = path.relative_to(folder)
    row = {"student": _cell(place.parts[0]), "notebook": _cell("/".join(place.parts[1:]))}
    if not (named := [name for name in key if path.stem.startswith(name)]):
        return row | {"points": 0, "reason": f"the file's name begins with none of {', '.join(key)}"}
    parts, source = key[name := max(named, key=len)]
    row |= {"assignment": name, "of": sum(part.points for part in parts)}
    # A link would lend somebody another student's notebook.
    if path.resolve() != folder.resolve() / place or not path.is_file() or path.stat().st_size > LARGEST:
        return row | {"points": 0, "reason": f"no plain file of at most {LARGEST // 10**6} MB"}
    version = hashlib.sha256(source + str(place).encode() + path.read_bytes())
    return row | {"version": version.hexdigest()[:16]}


def _graded(path: Path, row: dict, key: Key, number: int) -> dict:
    """A notebook's row with its points, and why they are not more."""
    parts, _ = key[row["assignment"]]
    run = run_notebook(path.read_text(encoding="utf-8", errors="replace"), calls(parts), number)
    judged = judge(parts, run.lines)
    reasons = [f"{part.name}: {why}" for part, (_, why) in zip(parts, judged) if why]
    if reasons:
        stopped = [str(line["stopped"]) for line in run.lines if "stopped" in line]
        reasons += [*filter(None, [run.fault]), *stopped[:1]]
    points = [points for points, _ in judged]
    row = row | dict(zip(PARTS, points)) | {"points": sum(points), "reason": _cell(" | ".join(reasons))}
    return row | dict(zip(USED, (round(run.seconds, 1), round(run.cpu, 1), round(run.megabytes))))


def _cell(text: str) -> str:
    """Words for one cell of a table: one line, at most 600 characters, and no formula that a spreadsheet would run."""
    words = plain(" ".join(text.split()))[:600]
    return f"'{words}" if words.startswith(("=", "+", "-", "@")) else words


def _write(output: Path, rows: Sequence[dict]) -> None:
    with whole_file(output) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)


@told
def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.grade FOLDER [-o points.csv]`"""
    parser = argparse.ArgumentParser(prog="python -m tools.grade", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds a folder for each student")
    parser.add_argument("-o", "--output", type=Path, default=Path("points.csv"), help="the table (points.csv)")
    parser.add_argument("--key", type=Path, default=KEY, help="folder of hidden tests (assignments/key)")
    options = parser.parse_args(arguments)
    rows = grade_folder(options.folder, options.output, read_key(options.key))
    print(f"{len(rows)} notebooks in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
