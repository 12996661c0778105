"""What nbval does not look at in a notebook, each as a plain function from a notebook to a list of faults.

nbval compares stored outputs with new ones, but nothing in a notebook whose outputs were stripped, no pictures, and not
whether what is stored may be stored at all. An empty list means nothing to complain of. Each function is tested with
planted faults in test_notebooks.py.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.address import PLACEHOLDER

MOST_BYTES = 1_500_000
MOST_CELL_LINES = 25
TITLE = "# @title Solution\n"  # Colab folds a cell with this line and shows the title
MOST_OUTPUT_LINES = 25
# At most one code cell in this many may keep its outputs from being compared.
CELLS_PER_OPT_OUT = 6

OPT_OUT_TAGS = {"nbval-ignore-output", "nbval-skip"}
# nbval acts on these too, but they hide faults: the first passes when nothing is raised.
REFUSED_TAGS = {"raises-exception", "nbval-raises-exception"}
OPT_OUT_COMMENT = re.compile(r"^\s*#+\s*(NBVAL_|PYTEST_VALIDATE_)", re.MULTILINE)

REAL_CASE = re.compile(r"\b(radiopaedia|coronacases)_\d")
COHORT_LINE = re.compile(r"^Cohort:[ \t]*(.*)$", re.MULTILINE)
# A folder of one machine. URLs do not match, nor does Colab's own folder, which is the same for everybody.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/<~-])/(?:home|root|tmp|work|farm|mnt|Users|private|var/folders)/[\w.~-]|\b[A-Z]:\\+Users"
)
MARKDOWN_PICTURE = re.compile(r"!\[([^\]]*)\]\(")
HTML_PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE | re.DOTALL)
HTML_ALT = re.compile(r"""\balt\s*=\s*(?:"\s*[^"\s]|'\s*[^'\s])""", re.IGNORECASE)
FENCED = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.+)$", re.MULTILINE)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Every output with the number of its code cell, counted from 1."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.outputs:
            yield number, output


def _text(output: NotebookNode) -> str:
    """All the words of an output, whichever form they have; pictures have none."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join([output.ename, output.evalue, *output.traceback])
    return "\n".join(str(value) for kind, value in output.data.items() if kind.startswith("text/"))


def all_text(notebook: NotebookNode) -> str:
    """The words of all stored outputs, in order."""
    return "\n".join(_text(output).rstrip("\n") for _, output in _outputs(notebook))


def _pictures(output: NotebookNode) -> list[str]:
    return [kind for kind in output.get("data", {}) if kind.startswith("image/")]


def _alt_text(output: NotebookNode, kind: str) -> str:
    """The words for a picture that cannot be seen, from the output's metadata."""
    of_kind = output.metadata.get(kind, {})
    return str(of_kind.get("alt") or output.metadata.get("alt") or "").strip()


def _plain(text: str) -> str:
    """Words only: no tags, and every run of white space one space."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def never_run(notebook: NotebookNode) -> list[str]:
    """Cells not executed 1..n from top to bottom; without a count and outputs nbval compares nothing."""
    faults = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        if not cell.source.strip():
            faults.append(f"code cell {number} is empty: delete it")
        if cell.execution_count != number:
            faults.append(f"code cell {number} has execution count {cell.execution_count}: run `make notebooks`")
    return faults


def errors_and_warnings(notebook: NotebookNode) -> list[str]:
    """Stored tracebacks and anything written to stderr."""
    return [
        f"code cell {number} stores an error or stderr: {_text(output)[:120]!r}"
        for number, output in _outputs(notebook)
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def widget_state(notebook: NotebookNode) -> list[str]:
    """Stored widget state: large, new on every run, and stale as soon as the code changes."""
    return ["the metadata holds widget state: run `make notebooks`"] if "widgets" in notebook.metadata else []


def opt_outs(notebook: NotebookNode) -> list[str]:
    """Cells that keep their outputs from being compared: by tag only, and few."""
    faults, opted = [], 0
    cells = code_cells(notebook)
    for number, cell in enumerate(cells, start=1):
        tags = set(cell.metadata.get("tags", ()))
        opted += bool(tags & OPT_OUT_TAGS)
        if tags & REFUSED_TAGS:
            faults.append(f"code cell {number} is tagged raises-exception: catch the error and print its message")
        if OPT_OUT_COMMENT.search(cell.source):
            faults.append(f"code cell {number} opts out by comment: use a cell tag")
    if opted * CELLS_PER_OPT_OUT > len(cells):
        faults.append(f"{opted} of {len(cells)} code cells opt out; at most one in {CELLS_PER_OPT_OUT} may")
    return faults


def other_kernels(notebook: NotebookNode) -> list[str]:
    """Any kernel but the plain one that Colab, Binder and .venv all have."""
    name = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"the kernel is {name!r}, not 'python3'"]


def pictures_without_words(notebook: NotebookNode) -> list[str]:
    """Pictures without alt text, and alt text that is not printed as a caption too (JupyterLab shows none)."""
    faults = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        printed = _plain("\n".join(_text(output) for output in cell.outputs if not _pictures(output)))
        for output in cell.outputs:
            for kind in _pictures(output):
                alt = _plain(_alt_text(output, kind))
                if not alt:
                    faults.append(f"code cell {number} shows an {kind} without alt text: use covidlab.plots.style.show")
                elif alt not in printed:
                    faults.append(f"code cell {number} does not print its picture's alt text as a caption")
    texts = [("a text cell", cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    texts += [(f"code cell {number}", _text(output)) for number, output in _outputs(notebook)]
    for where, text in texts:
        if any(not HTML_ALT.search(tag) for tag in HTML_PICTURE.findall(text)):
            faults.append(f"{where} has an <img> without alt text")
        if where == "a text cell" and any(not alt.strip() for alt in MARKDOWN_PICTURE.findall(text)):
            faults.append(f"{where} has a picture without alt text")
    return faults


def pictures_not_shown(notebook: NotebookNode) -> list[str]:
    """A figure that a cell draws and nobody sees, because the line that shows it was lost."""
    return [
        f"code cell {number} draws a figure and does not show it"
        for number, cell in enumerate(code_cells(notebook), start=1)
        if re.search(r"^figure\b.* = ", cell.source, re.MULTILINE) and ".show(" not in cell.source
    ]


def real_patients(notebook: NotebookNode) -> list[str]:
    """Stored outputs of anything but the phantom: runs on real data belong in a temporary copy."""
    faults, cohorts = [], []
    for number, cell in enumerate(code_cells(notebook), start=1):
        texts = [_text(output) for output in cell.outputs]
        texts += [_alt_text(output, kind) for output in cell.outputs for kind in _pictures(output)]
        has_picture = any(_pictures(output) or HTML_PICTURE.search(_text(output)) for output in cell.outputs)
        found = REAL_CASE.search("\n".join(texts))
        if has_picture and found:
            faults.append(f"code cell {number} shows a picture and names the real case {found[0]}...")
        cohorts += [line.strip() for text in texts for line in COHORT_LINE.findall(text)]
    faults += [f"stored outputs are of the cohort {name!r}" for name in cohorts if not name.startswith("phantom")]
    if not cohorts:
        faults.append("no cell prints 'Cohort: phantom...', so nobody can tell whose data the outputs show")
    return faults


def long_outputs(notebook: NotebookNode) -> list[str]:
    """Text outputs that nobody reads to the end."""
    faults = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        streams = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        shown = [streams]
        for output in cell.outputs:
            kinds = list(output.get("data", {}))
            # Jupyter shows the richest form, and the text only where there is no other.
            if kinds and not any(kind.startswith(("image/", "application/")) or kind == "text/html" for kind in kinds):
                shown.append(_text(output))
        longest = max(len(text.splitlines()) for text in shown)
        if longest > MOST_OUTPUT_LINES:
            faults.append(f"code cell {number} prints {longest} lines; at most {MOST_OUTPUT_LINES}")
    return faults


def machine_paths(notebook: NotebookNode) -> list[str]:
    """Folders of the machine it was written on, in what is written and in what is shown."""
    texts = [(f"cell {number}", cell.source) for number, cell in enumerate(notebook.cells, start=1)]
    texts += [(f"the output of code cell {number}", _text(output)) for number, output in _outputs(notebook)]
    return [
        f"{where} names a folder of one machine ({found[0]}...)"
        for where, text in texts
        if (found := MACHINE_PATH.search(text))
    ]


def headings(notebook: NotebookNode) -> list[str]:
    """Anything but one title, first, with sections under it that skip no level."""
    faults, above = [], 0
    prose = "\n\n".join(FENCED.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    found = [(len(marks), words.strip()) for marks, words in HEADING.findall(prose)]
    titles = [words for level, words in found if level == 1]
    if len(titles) != 1:
        faults.append(f"{len(titles)} headings of level 1 {titles}; exactly one is the title")
    for level, words in found:
        if level > above + 1:
            faults.append(f"heading {words!r} is of level {level} under level {above}")
        above = level
    return faults


def long_cells(notebook: NotebookNode) -> list[str]:
    """Code cells that do not fit beside their explanation."""
    lengths = [(number, len(cell.source.splitlines())) for number, cell in enumerate(code_cells(notebook), start=1)]
    return [
        f"code cell {number} has {length} lines; at most {MOST_CELL_LINES}: move the rest into the package"
        for number, length in lengths
        if length > MOST_CELL_LINES
    ]


def open_solutions(notebook: NotebookNode) -> list[str]:
    """Solutions that stand open below their exercise in JupyterLab or in Colab."""
    folded = {"jupyter": {"source_hidden": True, "outputs_hidden": True}, "cellView": "form"}
    return [
        f"code cell {number} is a solution that is not folded: set its metadata to {folded}, first line {TITLE}"
        for number, cell in enumerate(code_cells(notebook), start=1)
        if "solution" in cell.metadata.get("tags", ())
        and ({name: cell.metadata.get(name) for name in folded} != folded or not cell.source.startswith(TITLE))
    ]


# All that need nothing but the notebook; the three below need to know its file or its repository.
GUARDS = (
    never_run,
    errors_and_warnings,
    widget_state,
    opt_outs,
    other_kernels,
    pictures_without_words,
    pictures_not_shown,
    real_patients,
    long_outputs,
    machine_paths,
    headings,
    long_cells,
    open_solutions,
)


def large_file(path: Path) -> list[str]:
    """A file too large to be shown on a code host."""
    size = path.stat().st_size
    return [f"{size / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.1f} MB"] if size >= MOST_BYTES else []


def colab_badge(notebook: NotebookNode, repository: str, name: str) -> list[str]:
    """No Colab badge in the first cell, or one that opens another notebook; before there is an address, any badge.

    `repository` is "owner/name", `name` the notebook's file name.
    """
    expected = f"(https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name})"
    first = notebook.cells[0] if notebook.cells else None
    if repository.startswith(PLACEHOLDER):
        early = first is not None and "Open in Colab" in first.source
        return ["a badge that leads nowhere: `make address` writes it"] if early else []
    if first is None or first.cell_type != "markdown" or f"]{expected}" not in first.source:
        return [f"the first cell has no badge that links to {expected[1:-1]}"]
    return []


def setup_source(repository: str) -> str:
    """What the first code cell of every notebook holds. It installs nothing that Colab has: NumPy and TensorFlow stay.

    The course is put on the path, not installed, so that the running kernel finds it and its results at once. A copy
    that still has the placeholder for an address refuses, in words.
    """
    return f"""# @title On Colab: fetch the course, and what Colab lacks. Anywhere else this does nothing.
import sys

if "google.colab" in sys.modules:
    address = "https://github.com/{repository}"
    if address.split("/")[3] == "OWNER":  # whoever owned that name would be run
        raise RuntimeError("this copy has no address yet: `python lab.py run -m tools.address owner/name`")
    !test -d /content/covidlab || git clone --quiet --depth 1 {{address}} /content/covidlab
    %pip install --quiet nibabel pooch filelock pydicom
    sys.path.insert(0, "/content/covidlab")"""


def colab_setup(notebook: NotebookNode, repository: str) -> list[str]:
    """A first code cell that is not the set-up cell for Colab, or one that shows anything elsewhere."""
    cells = code_cells(notebook)
    if not cells or cells[0].source != setup_source(repository):
        return [f"the first code cell must be:\n{setup_source(repository)}"]
    return ["the set-up cell shows something where it should be silent"] if cells[0].outputs else []
