"""Points for a folder of submitted notebooks, one row each. For lecturers: docs/grading.md.

Every notebook is run anew in a sandbox, its functions are asked what no student has seen, and their answers are judged
here, in a process that runs no student's code. A file of points that is there is gone on with: what it holds of the
same notebook and the same hidden tests is kept.
"""

import argparse
import csv
import hashlib
import importlib.util
import queue
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidlab import data
from covidlab.errors import CovidlabError, plain
from covidlab.files import whole_file
from covidlab.progress import progress_bar
from tools.grade_points import Part, calls, judge
from tools.grade_sandbox import Caps, run_notebook

KEY = Path(__file__).parents[1] / "assignments" / "key"
LARGEST = 5_000_000  # bytes of a submitted notebook
PARTS = 3  # of every assignment
COLUMNS = ["student", "notebook", "assignment", "points", "of", *(f"part {k + 1}" for k in range(PARTS)), "reason",
           "seconds", "version"]  # fmt: skip


@dataclass(frozen=True)
class Assignment:
    """The hidden side of an assignment: its parts, with their inputs drawn, and a digest of what decides points."""

    name: str
    parts: tuple[Part, ...]
    digest: str


def read_key(folder: Path, seed: int) -> dict[str, Assignment]:
    """The assignments of a folder of hidden tests: each file has a function `parts` of a random generator."""
    found = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        spec = importlib.util.spec_from_file_location(f"key_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        parts = tuple(module.parts(np.random.default_rng(seed)))
        found[path.stem] = Assignment(path.stem, parts, f"{hashlib.sha256(path.read_bytes()).hexdigest()} {seed}")
    if not found:
        raise CovidlabError(folder, "no hidden test", "a file for each assignment", "name the folder with --key")
    return found


def submissions(folder: Path) -> list[Path]:
    """Every notebook of a folder that holds a folder for each student; a CovidlabError if there is none."""
    found = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not found or (loose := [path for path in found if path.parent == folder]):
        raise CovidlabError(loose[0] if found else folder, "no folder for each student with notebooks in it",
                            "FOLDER/STUDENT/ASSIGNMENT.ipynb", "lay them out so")  # fmt: skip
    return found


def grade(path: Path, folder: Path, key: Mapping[str, Assignment], caps: Caps, slot: int = 0) -> dict:
    """The row of one notebook."""
    start, place = time.monotonic(), path.relative_to(folder)
    row = {"student": _cell(place.parts[0]), "notebook": _cell("/".join(place.parts[1:])), "points": 0, "seconds": 0}
    named = [name for name in key if path.stem.startswith(name)]
    if not named:
        return row | {"reason": f"the file's name begins with none of {', '.join(key)}"}
    assignment = key[max(named, key=len)]
    row |= {"assignment": assignment.name, "of": sum(part.points for part in assignment.parts)}
    row |= {f"part {number + 1}": 0 for number in range(len(assignment.parts))}
    # A link would lend somebody another student's notebook.
    if path.resolve() != folder.resolve() / place or not path.is_file() or path.stat().st_size > LARGEST:
        return row | {"reason": f"no plain file of at most {LARGEST // 10**6} MB"}
    notebook = path.read_bytes()
    run = run_notebook(notebook.decode(errors="replace"), calls(assignment.parts), caps, slot)
    judged = judge(assignment.parts, run.lines)
    row |= {f"part {number + 1}": points for number, (points, _) in enumerate(judged)}
    reasons = [f"{part.name}: {why}" for part, (_, why) in zip(assignment.parts, judged) if why]
    stopped = [str(line["stopped"]) for line in run.lines if "stopped" in line][:1]
    if reasons:
        reasons += [*([run.fault] if run.fault else []), *stopped]
    return row | {
        "points": sum(points for points, _ in judged), "reason": _cell(" | ".join(reasons)),
        "seconds": round(time.monotonic() - start, 1), "version": _version(notebook, assignment),
    }  # fmt: skip


def _version(notebook: bytes, assignment: Assignment) -> str:
    return hashlib.sha256(assignment.digest.encode() + notebook).hexdigest()[:12]


def _cell(text: str) -> str:
    """Words for one cell of a table: one line, at most 600 characters, and no formula that a spreadsheet would run."""
    words = plain(" ".join(text.split()))[:600]
    return f"'{words}" if words[:1] in tuple("=+-@") else words


def grade_folder(folder: Path, output: Path, key: Mapping[str, Assignment], caps: Caps, workers: int = 2) -> list[dict]:
    """Grade what the table does not hold yet, and write it after each notebook; returns all rows."""
    data.open_slice_cache(data.open_cohort("phantom"))  # once, since nobody can write it in the sandbox
    paths, rows = submissions(folder), {}
    if output.exists():
        with output.open(newline="", encoding="utf-8") as file:
            old = {(row["student"], row["notebook"]): row for row in csv.DictReader(file)}
        for path in paths:
            place = path.relative_to(folder)
            row = old.get((_cell(place.parts[0]), _cell("/".join(place.parts[1:]))))
            if row and row["assignment"] in key and path.stat().st_size <= LARGEST:
                if row["version"] == _version(path.read_bytes(), key[row["assignment"]]):
                    rows[path] = row
    slots: queue.SimpleQueue = queue.SimpleQueue()
    for number in range(workers):
        slots.put(number)

    def one(path: Path) -> dict:
        slot = slots.get()
        try:
            return grade(path, folder, key, caps, slot)
        finally:
            slots.put(slot)

    waiting = [path for path in paths if path not in rows]
    pool = ThreadPoolExecutor(workers)
    try:
        with progress_bar("grading") as show:
            jobs = {pool.submit(one, path): path for path in waiting}
            for done, job in enumerate(as_completed(jobs), start=1):
                rows[jobs[job]] = job.result()
                _write(output, [rows[path] for path in paths if path in rows])
                show(done, len(waiting), plain(jobs[job].parent.name))
    finally:
        pool.shutdown(cancel_futures=True)
    return [rows[path] for path in paths]


def _write(output: Path, rows: Sequence[dict]) -> None:
    with whole_file(output) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.grade FOLDER [-o points.csv]`"""
    parser = argparse.ArgumentParser(prog="python -m tools.grade", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds a folder for each student")
    parser.add_argument("-o", "--output", type=Path, default=Path("points.csv"), help="the table (points.csv)")
    parser.add_argument("--key", type=Path, default=KEY, help="folder of hidden tests (assignments/key)")
    parser.add_argument("--seed", type=int, default=0, help="draws other hidden inputs (0)")
    parser.add_argument("--workers", type=int, default=2, help="notebooks at once (2)")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        key = read_key(options.key, options.seed)
        rows = grade_folder(options.folder, options.output, key, Caps(), options.workers)
    except CovidlabError as error:
        print(error, file=sys.stderr)
        return 2
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(rows)} notebooks in {options.output}: {(time.monotonic() - start) / 60:.1f} minutes, "
          f"{used.ru_utime + used.ru_stime:.0f} seconds of the processor")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
