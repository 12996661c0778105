"""The web site's builder, without Sphinx: how a notebook is laid out, and that faults of a finished site are found."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.site import for_reading, main
from tools.site_faults import faults_of

BADGE = "[![Open in Colab](https://x.example/badge.svg)](https://x.example/ann/covidlab/01.ipynb)\n\n# Title"


def test_folded_cells_stay_folded_under_their_titles_and_progress_bars_go():
    bar, answer = (new_output("display_data", data={"text/plain": words}) for words in ("[progress bar: x]", "42"))
    solution = new_code_cell("# @title Solution\nprint(42)", outputs=[bar, answer])
    solution.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    result = new_code_cell("print(42)", outputs=[answer])
    result.metadata["jupyter"] = {"outputs_hidden": True}
    notebook = nbformat.from_dict(for_reading(new_notebook(cells=[solution, result, new_code_cell("1 + 1")])))
    told = [(cell.metadata.get("tags"), cell.metadata.get("mystnb", {}).get("code_prompt_show"))
            for cell in notebook.cells]  # fmt: skip
    assert told == [(["hide-cell"], "Solution"), (["hide-output"], "What it shows"), (None, None)]
    assert [len(cell.outputs) for cell in notebook.cells] == [1, 1, 0]


def test_colabs_badge_lies_on_another_host_and_becomes_a_link():
    cells = for_reading(new_notebook(cells=[new_markdown_cell(BADGE)]))["cells"]
    assert cells[0]["source"] == "[Open in Colab](https://x.example/ann/covidlab/01.ipynb)\n\n# Title"


@pytest.mark.parametrize(
    "planted, fault",
    [
        ('<img src="https://x.example/a.png" alt="A slice.">', "p.html: img loads https://x.example/a.png"),
        ('<img srcset="//x.example/a.png" src="a.png" alt="A slice.">', "p.html: img loads //x.example/a.png"),
        ('<img src="a.png" alt=" ">', "p.html: a picture without words, a.png"),
        ('<link rel="stylesheet" href="https://x.example/a.css">', "p.html: link loads https://x.example/a.css"),
        ('<p style="background: url(//x.example/a.png)">', "p.html: style loads //x.example/a.png"),
        ('<a href="gone.html">', "p.html: a link to nothing, gone.html"),
        ('<a href="#nowhere">', "p.html: a link to no place of that page, #nowhere"),
        ('<a href="../x.html">', "p.html: a link out of the site, ../x.html"),
    ],
)
def test_a_planted_fault_is_found_and_nothing_else(tmp_path, planted, fault):
    (tmp_path / "a.png").write_bytes(b"")
    page = '<!DOCTYPE html><html lang="en"><h1 id="top">A</h1><a href="#top">x</a><a href="https://x.example">y</a>{}</html>'
    (tmp_path / "p.html").write_text(page.format(""))
    assert faults_of(tmp_path) == []
    (tmp_path / "p.html").write_text(page.format(planted))
    assert faults_of(tmp_path) == [fault]


def test_styles_and_scripts_that_load_from_another_host_are_found(tmp_path):
    (tmp_path / "a.css").write_text("@import 'https://x.example/b.css'; p { color: red } /* https://fine.example */")
    (tmp_path / "a.mjs").write_text('import("https://x.example/c.js"); const name = "https://fine.example";')
    assert faults_of(tmp_path) == ["a.css: loads https://x.example/b.css", "a.mjs: loads https://x.example/c.js"]


@pytest.mark.parametrize("folder", ["", "absent"])
def test_a_site_that_was_not_built_is_not_called_free_of_faults(tmp_path, capsys, folder):
    assert main([str(tmp_path / folder), "--check"]) == 1
    assert "no page; `make site` builds them" in capsys.readouterr().out
