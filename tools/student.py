"""Copies of the notebooks for students: no solutions, no outputs. For teachers: `make student`.

A solution is a code cell with the tag `solution`. Its copy is a cell with one comment line, so that the notebook still
runs from top to bottom. Folded hints stay; folded text solutions go, because everybody unfolds them, and so does the
Colab badge, which opens the notebook with the solutions: put your own where your students find theirs.
"""

import argparse
import copy
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from covidlab.errors import CovidlabError

TAG = "solution"

ANSWER = "# Your answer"

BADGE = re.compile(r"\[!\[Open in Colab\][^\n]*\n*")

FOLDED = re.compile(
    r"<details>\s*<summary>\s*(?:Solution|What it shows)\s*</summary>.*?</details>\s*", re.DOTALL | re.IGNORECASE
)


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """A copy without solutions and outputs; the notebook itself is left as it is.

    It has as many cells, in the same order and with the same ids; text cells that held nothing but a folded solution
    are empty.
    """
    from nbstripout import strip_output

    student = copy.deepcopy(notebook)
    for cell in student.cells:
        if TAG in cell.metadata.get("tags", ()):
            cell.source = ANSWER
            for folded in ("jupyter", "cellView"):  # in the course it is, by JupyterLab and by Colab
                cell.metadata.pop(folded, None)
            cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != TAG]
        elif cell.cell_type == "markdown":
            cell.source = BADGE.sub("", FOLDED.sub("", cell.source)).rstrip()
    return strip_output(student, keep_output=False, keep_count=False, keep_id=True)


def write_student_copies(notebooks: list[Path], folder: Path) -> list[Path]:
    """Write the copies under the notebooks' own names, over those of an earlier run; returns what was written.

    A `CovidlabError` if a file is no notebook, or would be overwritten by its own copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in notebooks:
        target = folder / path.name
        if target.resolve() == path.resolve():
            raise CovidlabError(path, "the notebook itself", "another folder for its copy", "name one with -o")
        try:
            notebook = nbformat.read(path, as_version=4)
        except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
            raise CovidlabError(path, str(error)[:100], "a Jupyter notebook", "check the name") from error
        nbformat.write(student_copy(notebook), target)
        written.append(target)
    return written


def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.student [-o FOLDER] NOTEBOOK ...`"""
    parser = argparse.ArgumentParser(prog="python -m tools.student", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("-o", "--output", type=Path, default=Path("student"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        written = write_student_copies(options.notebooks, options.output)
    except CovidlabError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(written)} notebooks without solutions in {options.output}: give your students that folder")
    return 0


if __name__ == "__main__":
    sys.exit(main())
