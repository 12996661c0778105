"""`make html`: a page holds the words of each picture, which nbconvert's own template drops."""

from pathlib import Path

from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

TEMPLATES = Path(__file__).resolve().parents[2] / "tools" / "templates"
ALT = 'A "slice" <b> & its mask.'


def test_a_page_has_each_pictures_alt_text_and_no_other():
    def picture(**metadata):
        return new_output("display_data", data={"image/png": "iVBORw0KGgo="}, metadata={"image/png": metadata})

    cell = new_code_cell("x = 1", outputs=[picture(alt=ALT, width=7), picture(width=8)])
    exporter = HTMLExporter(template_name="covidlab", extra_template_basedirs=[str(TEMPLATES)])
    page, _ = exporter.from_notebook_node(new_notebook(cells=[cell]))
    pictures = BeautifulSoup(page, "html.parser").select("img[src^='data:image/png']")
    missing = "No description has been provided for this image"  # nbconvert's own words
    assert [(one["alt"], one["width"]) for one in pictures] == [(ALT, "7"), (missing, "8")]
