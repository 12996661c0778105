"""Student copies: the solutions are gone, and what is left still runs from top to bottom."""

import ast
import copy
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from covidlab.errors import CovidlabError
from tools.student import ANSWER, main, student_copy, write_student_copies

# Cells may hold what only IPython understands: `%pip`, `!git`.
as_python = TransformerManager().transform_cell
EXERCISE = """**Exercise 1.** Add.

<details><summary>Hint</summary>

Use a plus.

</details>

<details><summary>Solution</summary>

Forty-two.

</details>

## Summary"""


@pytest.fixture
def notebook():
    shown = new_output("stream", name="stdout", text="42\n")
    cells = [
        new_markdown_cell(EXERCISE),
        new_code_cell("answer = ...", execution_count=1),
        new_code_cell("answer = 40 + 2\nprint(answer)", execution_count=2, outputs=[shown]),
        new_code_cell("print(answer)", execution_count=3, outputs=[shown]),
    ]
    cells[2].metadata["tags"] = ["solution", "other"]
    cells[2].metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def test_solutions_outputs_and_the_badge_go_and_the_rest_stays_and_runs(notebook, capsys):
    before = nbformat.writes(notebook)
    text, stub, last = student_copy(notebook).cells
    assert text.source == EXERCISE.replace("<details><summary>Solution</summary>\n\nForty-two.\n\n</details>\n\n", "")
    assert (stub.source, last.source) == ("answer = ...", "print(answer)")
    assert [(cell.execution_count, cell.outputs) for cell in (stub, last)] == [(None, [])] * 2
    assert nbformat.writes(notebook) == before
    student = student_copy(notebook)
    nbformat.validate(student)
    exec("\n".join(cell.source for cell in student.cells if cell.cell_type == "code"), {})
    assert capsys.readouterr().out == "Ellipsis\n"
    badge = "[![Open in Colab](https://badge.svg)](https://colab.example/01_x.ipynb)\n\n# Add\n\n![a sum](sum.png)"
    assert student_copy(new_notebook(cells=[new_markdown_cell(badge)])).cells[0].source == "# Add\n\n![a sum](sum.png)"


def test_one_cell_is_left_to_answer_in_even_where_the_exercise_has_none(notebook):
    del notebook.cells[1]
    notebook.cells.insert(1, copy.deepcopy(notebook.cells[1]))  # two solution cells, and nothing before them
    text, answer, last = student_copy(notebook).cells
    assert (answer.source, last.source) == (ANSWER, "print(answer)")
    assert answer.metadata == {"tags": ["other"]}  # not folded any more


def test_what_follows_a_question_is_folded_and_so_is_a_caption_that_tells_it():
    cells = [
        new_markdown_cell("Say how many hills.\n\n**Predict** their number."),
        new_code_cell("hills = count()"),
        new_code_cell('plots.show(figure, "Three hills.")'),
        new_markdown_cell("They are three.\n\n- air\n- lung\n\nA band is next. **Predict** its F1.\n\n## Bands"),
        new_code_cell('print("F1")'),
        new_markdown_cell("Low. **Predict** again."),
        new_code_cell("again()"),
        new_markdown_cell("Higher.\n\nA **slope** is what rises.\n\nTry it with two."),
        new_markdown_cell("## Summary\n\nThree hills."),
        new_code_cell('plots.show(figure, "No question asks for this.")'),
    ]
    copy_of = student_copy(new_notebook(cells=cells)).cells
    assert [cell.metadata.get("jupyter") for cell in copy_of] == [None, None, {"source_hidden": True}, *[None] * 7]
    first, answer, third, fourth, last = (cell.source for cell in copy_of if cell.cell_type == "markdown")
    folded, rest = answer.split("</details>\n\n")
    assert folded.startswith("<details>") and folded.endswith("They are three.\n\n- air\n- lung\n\n")
    assert rest == "A band is next. **Predict** its F1.\n\n## Bands"
    assert third.startswith("<details>") and third.endswith("</details>\n\n**Predict** again.")
    assert fourth.endswith("\n\nHigher.\n\n</details>\n\nA **slope** is what rises.\n\nTry it with two.")
    assert (first, last) == (cells[0].source, cells[8].source)


def test_copies_are_written_elsewhere_and_never_over_the_notebook(notebook, tmp_path, capsys):
    nbformat.write(notebook, tmp_path / "a.ipynb")
    assert main([str(tmp_path / "a.ipynb"), "-o", str(tmp_path / "new" / "student")]) == 0
    assert "40 + 2" not in (tmp_path / "new" / "student" / "a.ipynb").read_text()
    assert "40 + 2" in (tmp_path / "a.ipynb").read_text()

    path = tmp_path / "a.ipynb"
    assert main([str(path), "-o", str(tmp_path)]) == 2
    assert "another folder" in capsys.readouterr().err
    path.write_text("not a notebook")
    with pytest.raises(CovidlabError, match="a Jupyter notebook"):
        write_student_copies([path], tmp_path / "student")


# The course's own notebooks ------------------------------------------------------------------------------------------


def solutions(notebook):
    return [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", ())]


def names(cells, kind):
    """Names that these cells bind (ast.Store) or use (ast.Load), functions included."""
    found = set()
    for node in ast.walk(ast.parse("\n".join(as_python(cell.source) for cell in cells))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, kind):
            found.add(node.id)
        elif kind is ast.Store and isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif kind is ast.Store and isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return found


def needed_from_solutions(notebook):
    """Names that other cells use and only solutions bind; a student copy would stop there."""
    solved = solutions(notebook)
    others = [cell for cell in notebook.cells if cell.cell_type == "code" and cell not in solved]
    return (names(solved, ast.Store) - names(others, ast.Store)) & names(others, ast.Load)


def test_a_cell_that_needs_a_solution_is_found(notebook):
    assert needed_from_solutions(notebook) == set()
    notebook.cells[1].source = "pass"
    assert needed_from_solutions(notebook) == {"answer"}


def test_no_copy_of_the_course_holds_a_solution_or_needs_one():
    for path in sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        student = student_copy(notebook)
        text = nbformat.writes(student)
        assert "<summary>Solution" not in text and '"solution"' not in text, path
        assert all(cell.cell_type == "code" for cell in solutions(notebook)), path
        kept = {cell.source for cell in student.cells}
        assert not kept & {cell.source for cell in solutions(notebook)}, path
        assert needed_from_solutions(notebook) == set(), path
