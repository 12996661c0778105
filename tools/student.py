"""Copies of the notebooks for students, in which nothing tells an answer unasked: `python lab.py student`, which lays
the graded work of assignments/ beside them, and nothing of its key.

Solutions go, as cells (those with the tag `solution`) and as folded text; one cell is left to answer each exercise in.
Outputs go. What the course says after a question is folded: it carries on the lesson, and stands one click away, as
the answer itself does, which running the cell gives. So is the code of a figure that answers a question: its caption
tells what is to be seen. Folded hints stay. The Colab badge goes, which opens the notebook with the solutions: put your
own where your students find theirs.
"""

import argparse
import copy
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from covidlab.errors import CovidlabError
from tools.address import BADGE
from tools.told import told

TAG = "solution"

ANSWER = "# Your answer"

SOLUTION = re.compile(
    r"<details>\s*<summary>\s*(?:Solution|What it shows)\s*</summary>.*?</details>\s*", re.DOTALL | re.IGNORECASE
)

EXERCISE = re.compile(r"\*\*Exercise")

# Where the reader is asked to say something before the next cell is run.
QUESTION = re.compile(r"\*\*(?:Predict|Question|Exercise)")

# Where an answer ends: a heading, the next question, anything folded already; a paragraph, no item of a list, that
# brings a new word in bold or a formula, and one that says what to do now.
END_OF_ANSWER = re.compile(
    r"^#{2,}\s|^<details>|^(?![-*|\d])(?=(?:.+\n)*?.*(?:\*\*|\$))|^\*\*"
    r"|^(?:Try|Leaf|Move|Look|Now|Next|Run|Take|Train|Drag|Open|Pick)\b",
    re.MULTILINE,
)

FOLD = "<details><summary>What to see there (for after you have guessed and looked)</summary>\n\n{}\n\n</details>\n\n"


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """A copy that tells no answer unasked; the notebook itself is left as it is, and cells keep order and ids."""
    from nbstripout import strip_output

    student = copy.deepcopy(notebook)
    kept, asked, answered, looked = [], False, True, False
    for cell in student.cells:
        if cell.cell_type == "markdown":
            text = BADGE.sub("", SOLUTION.sub("", cell.source)).strip()
            text = text.replace("](../notebooks/", "](")  # of an assignment: its copy lies beside theirs
            if looked:
                text, asked, looked = _fold_answer(text), False, False
            asked = asked or bool(QUESTION.search(text))
            answered = answered and not EXERCISE.search(text)
            cell.source = text
            if text:
                kept.append(cell)
            continue
        if TAG in cell.metadata.get("tags", ()):
            if answered:
                continue
            _make_answer_cell(cell)
        elif asked and ".show(" in cell.source:
            cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "source_hidden": True}
        answered, looked = True, asked
        kept.append(cell)
    student.cells = kept
    return strip_output(student, keep_output=False, keep_count=False, keep_id=True)


def _make_answer_cell(cell: NotebookNode) -> None:
    """An empty cell where the solution was, open in JupyterLab and in Colab."""
    cell.source = ANSWER
    for folded in ("jupyter", "cellView"):
        cell.metadata.pop(folded, None)
    cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != TAG]


def _fold_answer(text: str) -> str:
    """Text after a question: what answers it is folded, up to the paragraph that goes on to something else."""
    starts = [0, *(block.end() for block in re.finditer(r"\n\n", text))]
    ends = [start for start in starts if END_OF_ANSWER.match(text, start)]
    answer = text[: ends[0]] if ends else text
    if not answer and (question := QUESTION.search(text.partition("\n\n")[0])):  # the answer, and at once the next one
        answer = text[: question.start()]
    rest = text[len(answer) :]
    return (FOLD.format(answer.strip()) + rest).strip() if answer.strip() else text


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


@told
def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.student [-o FOLDER] NOTEBOOK ...`"""
    parser = argparse.ArgumentParser(prog="python -m tools.student", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("-o", "--output", type=Path, default=Path("student"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    written = write_student_copies(options.notebooks, options.output)
    print(f"{len(written)} notebooks without solutions in {options.output}: give your students that folder")
    return 0


if __name__ == "__main__":
    sys.exit(main())
