"""`make html`: a page has the words of each picture and keeps folded what is, unlike nbconvert's own template."""

from pathlib import Path

from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

TEMPLATES = Path(__file__).resolve().parents[2] / "tools" / "templates"
ALT = 'A "slice" <b> & its mask.'


def page_of(*cells):
    exporter = HTMLExporter(template_name="covidlab", extra_template_basedirs=[str(TEMPLATES)])
    page, _ = exporter.from_notebook_node(new_notebook(cells=list(cells)))
    return BeautifulSoup(page, "html.parser")


def test_a_page_has_each_pictures_alt_text_and_no_other():
    def picture(**metadata):
        return new_output("display_data", data={"image/png": "iVBORw0KGgo="}, metadata={"image/png": metadata})

    cell = new_code_cell("x = 1", outputs=[picture(alt=ALT, width=7), picture(width=8)])
    pictures = page_of(cell).select("img[src^='data:image/png']")
    missing = "No description has been provided for this image"  # nbconvert's own words
    assert [(one["alt"], one["width"]) for one in pictures] == [(ALT, "7"), (missing, "8")]


def test_folded_code_and_outputs_are_folded_on_the_page_and_others_are_open():
    shown = [new_output("stream", name="stdout", text="42")]
    solution = new_code_cell("# @title Solution\nprint(6 * 7)", outputs=shown)
    solution.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    page = page_of(new_code_cell("print(42)", outputs=shown), solution)
    folds = [(fold.summary.text, "6 * 7" in fold.text, "42" in fold.text) for fold in page.select("details")]
    assert folds == [("Solution", True, False), ("What it shows", False, True)]
