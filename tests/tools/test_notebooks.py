"""Every notebook of the course passes every guard; every guard, and nbval itself, catches what it is there for."""

import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebook_guards

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOMEPAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Homepage"]
REPOSITORY = HOMEPAGE.removeprefix("https://github.com/")
# Put together here, so that this file does not hold what it forbids.
HOME_FOLDER = "/" + "root" + "/scans"


def complaints(notebook):
    """What every guard says of a notebook, with the guard's name."""
    return [(guard.__name__, fault) for guard in notebook_guards.GUARDS for fault in guard(notebook)]


def test_every_notebook_is_valid_small_opens_in_colab_and_passes_every_guard():
    found = {}
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        found[path.stem] = [
            *complaints(notebook), *notebook_guards.large_file(path),
            *notebook_guards.colab_setup(notebook, REPOSITORY),
            *notebook_guards.colab_badge(notebook, REPOSITORY, path.name),
        ]  # fmt: skip
    assert len(found) >= 9 and not {name: faults for name, faults in found.items() if faults}


# The guards themselves -----------------------------------------------------------------------------------------------

ALT = "Axial slice with two lesions outlined."


def picture(alt=ALT, kind="image/png"):
    data = {kind: "iVBORw0KGgo=", "text/plain": "<Figure size 640x480>"}
    return new_output("display_data", data=data, metadata={kind: {"alt": alt}})


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def sound_notebook():
    """Seven code cells, one of them with a picture; every guard is content with it."""
    address = "https://colab.research.google.com/github/someone/covidlab/blob/main/notebooks/01_x.ipynb"
    cells = [
        new_markdown_cell(f"# Look at a scan\n\n[![Open in Colab](https://badge.svg)]({address})"),
        new_markdown_cell("## 1. Read it\n\n```\n# a comment, no heading\n```\n\n### Why"),
        new_code_cell("print('Cohort: phantom')", outputs=[printed("Cohort: phantom-lesson, 10 cases\n")]),
        new_markdown_cell("## 2. Show it"),
        new_code_cell("show(figure, alt=...)", outputs=[picture(), printed(f"{ALT}\n")]),
        *(new_code_cell(f"x = {number}") for number in range(5)),
    ]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for number, cell in enumerate(notebook_guards.code_cells(notebook), start=1):
        cell.execution_count = number
    return notebook


def cell(notebook, number=1):
    return notebook_guards.code_cells(notebook)[number - 1]


def outputs(*new, number=1):
    """A change that replaces what a cell shows."""
    return lambda notebook: cell(notebook, number).update(outputs=list(new))


def source(text, number=1):
    return lambda notebook: cell(notebook, number).update(source=text)


def tags(*names, cells=(1,)):
    return lambda notebook: [cell(notebook, number).metadata.update(tags=list(names)) for number in cells]


COHORT = printed("Cohort: phantom\n")
PLANTED = [
    ("never_run", "no count", lambda notebook: cell(notebook, 3).update(execution_count=None)),
    ("never_run", "out of order", lambda notebook: cell(notebook, 3).update(execution_count=9)),
    ("never_run", "empty cell", source("  \n", 7)),
    ("errors_and_warnings", "stderr", outputs(COHORT, printed("UserWarning: old\n", "stderr"))),
    ("errors_and_warnings", "error", outputs(new_output("error", ename="E", evalue="bad", traceback=[]))),
    ("widget_state", "stored", lambda notebook: notebook.metadata.update(widgets={"state": {}})),
    ("opt_outs", "two of seven", tags("nbval-ignore-output", cells=(1, 2))),
    ("opt_outs", "ignored and skipped", lambda notebook: [
        tags("nbval-skip")(notebook), tags("nbval-ignore-output", cells=(2,))(notebook)
    ]),
    ("opt_outs", "comment", source("# NBVAL_IGNORE_OUTPUT\nprint(1)")),
    ("opt_outs", "raises-exception", tags("raises-exception")),
    ("other_kernels", "named after a venv", lambda notebook: notebook.metadata.kernelspec.update(name="covidlab")),
    ("other_kernels", "none", lambda notebook: notebook.metadata.pop("kernelspec")),
    ("pictures_without_words", "no alt text", outputs(picture(alt=""), printed(f"{ALT}\n"), number=2)),
    ("pictures_without_words", "blank alt text", outputs(picture(alt=" "), number=2)),
    ("pictures_without_words", "no metadata", outputs(new_output("display_data", data={"image/png": "iVBO"}))),
    ("pictures_without_words", "an svg", outputs(new_output("display_data", data={"image/svg+xml": "<svg/>"}))),
    ("pictures_without_words", "no caption", outputs(picture(), number=2)),
    ("pictures_without_words", "another caption", outputs(picture(), printed("A slice.\n"), number=2)),
    ("pictures_without_words", "html", outputs(new_output("display_data", data={"text/html": "<img src='x' alt=''>"}))),
    ("pictures_without_words", "prose", lambda notebook: notebook.cells[1].update(source="## 1\n\n![](x.png)")),
    ("pictures_not_shown", "the last line lost", source("figure, axes = new_figure()\naxes.plot(x)")),
    ("real_patients", "a real case under a picture", outputs(
        picture(), printed(f"{ALT} radiopaedia_4_85506_1, z = 20\n"), number=2
    )),
    ("real_patients", "a real case in alt text", outputs(picture(alt="coronacases_001"), number=2)),
    ("real_patients", "a real cohort", outputs(printed("Cohort: covid19-ct-seg, 10 cases\n"))),
    ("real_patients", "a real cohort after the phantom", outputs(COHORT, printed("Cohort: my-folder\n"))),
    ("real_patients", "no cohort named", outputs(printed("10 cases\n"))),
    ("long_outputs", "26 lines", outputs(printed("line\n" * 26))),
    ("long_outputs", "26 lines in two pieces", outputs(printed("line\n" * 13), printed("line\n" * 13))),
    ("long_outputs", "a long result", outputs(new_output("execute_result", data={"text/plain": "line\n" * 26}))),
    ("machine_paths", "in code", source(f"open('{HOME_FOLDER}')")),
    ("machine_paths", "in prose", lambda notebook: notebook.cells[1].update(source=f"See {HOME_FOLDER}")),
    ("machine_paths", "shown", outputs(printed(f"reading {HOME_FOLDER}\n"))),
    ("machine_paths", "Windows", outputs(printed("reading C:\\Users\\me\n"))),
    ("headings", "two titles", lambda notebook: notebook.cells[3].update(source="# Another title")),
    ("headings", "no title", lambda notebook: notebook.cells[0].update(source="## Look at a scan")),
    ("headings", "a level skipped", lambda notebook: notebook.cells[1].update(source="#### 1. Read it")),
    ("long_cells", "26 lines", source("x = 1\n" * 26)),
    ("open_solutions", "never folded", tags("solution")),
]  # fmt: skip


HARMLESS = [
    lambda notebook: None,
    outputs(COHORT, printed("line\n" * 24)),
    outputs(COHORT, printed("radiopaedia_4_85506_1 has 39 slices (a table, no picture)\n")),
    outputs(COHORT, printed("see https://example.org/home/me and https://example.org/tmp/x\n")),
    outputs(COHORT, new_output("display_data", data={"text/html": "<img src='x' alt='A slice'>"})),
    outputs(picture(), printed("Axial slice with two\n   lesions outlined.\n"), number=2),
    # Alt text may stand beside the picture's kind, too.
    lambda notebook: cell(notebook, 2).outputs[0].update(metadata=nbformat.from_dict({"alt": ALT})),
    tags("nbval-ignore-output"),
    source("figure = draw()\nplots.show(figure, alt=...)"),
    source("x = 1\n" * 25),
]


def test_each_guard_finds_its_planted_faults_and_all_let_through_what_is_harmless():
    missed = []
    for guard, what, plant in PLANTED:
        notebook = sound_notebook()
        plant(notebook)
        if not getattr(notebook_guards, guard)(notebook):
            missed.append((guard, what))
    assert missed == []
    assert {guard.__name__ for guard in notebook_guards.GUARDS} == {guard for guard, _, _ in PLANTED}
    for number, change in enumerate(HARMLESS):
        notebook = sound_notebook()
        change(notebook)
        assert complaints(notebook) == [], number


def test_badge_setup_and_size_are_each_refused_where_wrong(tmp_path):
    def badge(notebook, repository="someone/covidlab", name="01_x.ipynb"):
        return notebook_guards.colab_badge(notebook, repository, name)

    def setup(*cells):
        return notebook_guards.colab_setup(new_notebook(cells=list(cells)), REPOSITORY)

    notebook, source = sound_notebook(), notebook_guards.setup_source(REPOSITORY)
    assert badge(notebook) == setup(new_markdown_cell("# Title"), new_code_cell(source), new_code_cell("x = 1")) == []
    assert badge(notebook, name="02_y.ipynb") and badge(notebook, "someone/else") and badge(new_notebook())
    # Before there is an address, a badge would lead nowhere.
    assert badge(notebook, "OWNER/covidlab") and not badge(new_notebook(), "OWNER/covidlab")
    assert setup() and setup(new_code_cell("x = 1"), new_code_cell(source))
    assert setup(new_code_cell(notebook_guards.setup_source("someone/else")))
    assert setup(new_code_cell(source, outputs=[printed("cloning\n")]))
    path = tmp_path / "large.ipynb"
    for size in (notebook_guards.MOST_BYTES, notebook_guards.MOST_BYTES - 1):
        path.write_bytes(b" " * size)
        assert bool(notebook_guards.large_file(path)) == (size == notebook_guards.MOST_BYTES)


def test_the_setup_cell_acts_on_colab_only_and_leaves_numpy_and_tensorflow_alone(monkeypatch):
    """Colab itself is not run here: a module of its name and a shell that writes down commands stand in."""
    commands = []
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "system", commands.append)
    monkeypatch.setattr(shell, "run_line_magic", lambda name, line, **_: commands.append(f"{name} {line}"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    assert shell.run_cell(notebook_guards.setup_source(REPOSITORY)).success
    assert (commands, sys.path) == ([], before)
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    placeholder = shell.run_cell(notebook_guards.setup_source("OWNER/covidlab"))
    assert "tools.address" in str(placeholder.error_in_exec) and (commands, sys.path) == ([], before)
    assert shell.run_cell(notebook_guards.setup_source("someone/covidlab")).success
    assert sys.path == ["/content/covidlab", *before]
    clone, install = commands
    assert clone.endswith(" {address} /content/covidlab")  # the shell's own words for a variable
    assert install.startswith("pip install")
    assert not {"numpy", "tensorflow", "keras"} & set(install.split())


# nbval itself --------------------------------------------------------------------------------------------------------

VIEWER = f"""
from ipywidgets import IntSlider
from matplotlib.figure import Figure
from covidlab.plots.viewers import Viewer
draw = lambda k: (Figure(), str(k))
Viewer("slice viewer", draw, {{"k": IntSlider(0, 0, 1)}}).show("{ALT}")
"""


def test_nbval_fails_a_broken_cell_and_only_that(tmp_path):
    """One run over a small notebook: what it must catch, what it must let through, and what it cannot see."""
    caption = f"Still picture (run the cell, and it moves): {ALT}"
    shown = [picture(), new_output("display_data", data={"text/markdown": f"*{caption}*", "text/plain": caption})]
    shown[0].data["text/plain"] = caption
    shown.append(new_output("display_data", data={"text/plain": "[slice viewer: run this notebook to move it]"}))
    cells = {
        "right": ("PASSED", "print(1 + 2)", [printed("3\n")]),
        "wrong": ("FAILED", "print(1 + 2)", [printed("2\n")]),
        "a new warning": ("FAILED", "import sys\nprint(3)\nprint('old', file=sys.stderr)", [printed("3\n")]),
        "another Python": ("PASSED", "print('Python 3.11.2')", [printed("Python 3.12.99\n")]),
        # The blind spot that notebook_guards.never_run is for: outputs stripped, so nothing is compared.
        "stripped": ("PASSED", "print(1 + 2)", []),
        # Nobody moves a slider under nbval; showing a viewer moves each to its ends.
        "viewer": ("PASSED", VIEWER, shown),
        "broken callback": ("FAILED", VIEWER.replace("(Figure(), str(k))", "[(Figure(), '')][k]"), shown),
    }
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for name, (_, code, stored) in cells.items():
        count = None if name == "stripped" else 1
        notebook.cells.append(new_code_cell(code, execution_count=count, outputs=stored))
    nbformat.write(notebook, tmp_path / "small.ipynb")

    # The outer pytest's workers and options are none of the inner one's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-rA", "--color=no", "--rootdir", ".", "-p", "no:cacheprovider"]
    command += ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", "60"]
    command += ["--nbval-sanitize-with", str(ROOT / "tools" / "nbval_sanitize.cfg"), "."]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    verdicts = re.findall(r"^(PASSED|FAILED) small\.ipynb::Cell (\d)", run.stdout, re.MULTILINE)
    assert run.returncode == 1, run.stdout + run.stderr
    assert {list(cells)[int(number)]: verdict for verdict, number in verdicts} == {
        name: verdict for name, (verdict, _, _) in cells.items()
    }
