"""Each notebook's time and peak memory: measured, kept in studies/results/course.json, written where readers look.

For maintainers: `make course-table` measures all notebooks one after the other, on a machine that does nothing else,
and writes the table between its markers in README.md. Without `--measure` it only writes the table.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from covidlab.errors import CovidlabError
from tools.told import told

BEGIN, END = "<!-- course table -->", "<!-- end of the course table -->"

RESULTS = "studies/results/course.json"

README = "README.md"


def measure(notebook: Path) -> dict[str, float]:
    """Run a notebook in its own folder, without changing it; a `CovidlabError` if it fails.

    Returns ``seconds``, from the start of the kernel to its end, and ``megabytes``, the most that its process held.
    """
    with tempfile.TemporaryDirectory() as folder:
        code = "import resource, sys, nbformat, nbclient; n = nbformat.read(sys.argv[1], 4); "
        code += "nbclient.NotebookClient(n, timeout=600).execute(cwd=sys.argv[2]); "
        # The kernel is its child. Its own peak may be that of whoever started it, which a new process inherits.
        code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        log = Path(folder, "log")
        start = time.perf_counter()
        with log.open("wb") as file:
            child = subprocess.run(
                [sys.executable, "-c", code, str(notebook.resolve()), str(notebook.resolve().parent)],
                stdout=file,
                stderr=file,
            )
        seconds = time.perf_counter() - start
        lines = log.read_text(errors="replace").strip().splitlines()
        if child.returncode:
            last = re.sub(r"\x1b\[[0-9;]*m", "", "".join(lines[-1:]))  # without IPython's colours
            raise CovidlabError(notebook, f"an error ({last[:200]})", "a run to its end", "mend it first")
    per_megabyte = 1e6 if sys.platform == "darwin" else 1e6 / 1024  # ru_maxrss counts bytes there, KiB elsewhere
    return {"seconds": round(seconds, 1), "megabytes": round(int(lines[-1]) / per_megabyte)}


def render(results: dict) -> str:
    """The table as Markdown, of ``machine`` in words and ``notebooks``: name -> ``seconds``, ``megabytes``."""
    rows = [
        f"| {name.replace('_', ' ')} | {_minutes(of['seconds'])} | {of['megabytes'] / 1000:.1f} GB |"
        for name, of in sorted(results["notebooks"].items())
    ]
    total = _minutes(sum(of["seconds"] for of in results["notebooks"].values()))
    most = max(of["megabytes"] for of in results["notebooks"].values()) / 1000
    lines = ["| notebook | time to run | peak memory |", "|---|---|---|", *rows, f"| all | {total} | {most:.1f} GB |"]
    return "\n".join([*lines, "", f"Measured with `make course-table` on {results['machine']}."])


def _minutes(seconds: float) -> str:
    """As much as a reader can use: whole seconds below a minute and a half, half minutes above."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{round(seconds / 30) / 2:g} min"


def put(text: str, table: str, where: str = "text") -> str:
    """Replace what stands between the markers; a `CovidlabError` if the pair is not there exactly once."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end or BEGIN in rest or END in after:
        raise CovidlabError(where, "no single place for the table", f"one {BEGIN} ... {END}", "put the markers in")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def write_table(root: Path) -> bool:
    """Bring the table into step with the results; says whether it had changed."""
    table = render(json.loads((root / RESULTS).read_text(encoding="utf-8")))
    old = (root / README).read_text(encoding="utf-8")
    new = put(old, table, README)
    if new != old:
        (root / README).write_text(new, encoding="utf-8")
    return new != old


@told
def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.course_table [--measure] [--only NAME] [--machine WORDS]`, in the repository's root."""
    parser = argparse.ArgumentParser(prog="python -m tools.course_table", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run every notebook and store what it took")
    parser.add_argument("--only", default="", metavar="NAME", help="measure notebooks whose name starts so; the others "
                        "keep their numbers, which should come from the same machine")  # fmt: skip
    parser.add_argument("--machine", default=f"{os.cpu_count()} CPU cores", help="the machine in words")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    if options.measure:
        kept = root / RESULTS
        measured = json.loads(kept.read_text(encoding="utf-8"))["notebooks"] if options.only else {}
        for notebook in sorted((root / "notebooks").glob(f"{options.only}*.ipynb")):
            measured[notebook.stem] = measure(notebook)
            print(notebook.stem, measured[notebook.stem], flush=True)
        results = {"command": "make course-table", "machine": options.machine, "notebooks": measured}
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    changed = write_table(root)
    print("changed:", README if changed else "nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
