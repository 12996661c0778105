"""The slides' builder: what is shown and what is said, by rule; and that a slide nobody could read is found."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.plots.chromium import find_chromium
from tools.guide import plan, read_guide
from tools.slides_browser import faults_of
from tools.slides_rules import MOST_WORDS, slides_of
from tools.slides_text import count, opening, split

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
FOLD = "<details><summary>Hint</summary>\n\nHalf.\n\n</details>"
NO_GUIDE = {"notebook": [], "minutes": {}, "ticket": []}


@pytest.fixture(autouse=True)
def formulas(monkeypatch):
    """What writes formulas belongs to the site's environment, not to this one."""
    converter = SimpleNamespace(convert=lambda latex, display: f"<math>{latex}</math>")
    monkeypatch.setitem(sys.modules, "latex2mathml", SimpleNamespace(converter=converter))
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", converter)


def deck(*cells, guide=NO_GUIDE):
    return slides_of(nbformat.from_dict(new_notebook(cells=list(cells))), guide, lambda picture: "a.png")


def printing(source, printed, **metadata):
    return new_code_cell(source, outputs=[new_output("stream", text=printed)], metadata=metadata)


def test_questions_definitions_results_and_tables_are_shown_and_all_else_is_said():
    png = new_output("display_data", {"image/png": "QUJD"}, metadata={"alt": "A slice."})
    slides = deck(
        new_markdown_cell("# A title\n\n**The question:** what is it?\n\nPlain words."),
        new_code_cell("# @title Imports\nimport numpy", metadata={"jupyter": {"source_hidden": True}}),
        new_markdown_cell("## A section\n\n### Its part\n\nWords before. **Predict:** how much?\n\n" + FOLD),
        printing("def half(x):\n    return x / 2\n\n\nprint(half(8))", "4.0\n"),
        printing("half(6)", "Cohort: phantom\n3.0\n"),
        new_code_cell("draw()", outputs=[png]),
        printing("my_half = ...", "Not yet: there is no answer to check.\n"),
        printing("my_half = 4", "Right\n", tags=["solution"]),
        new_markdown_cell("What it means.\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        new_markdown_cell("## Summary\n\nIt is half.\n\n**Next:** notebook 02.\n\n## Going further\n\nMuch."),
    )  # fmt: skip
    told = [(slide.kind, slide.title, re.sub("<[^>]*>", "", slide.shown)) for slide in slides]
    assert told == [
        ("question", "A title", "The question: what is it?"),
        ("question", "A section: Its part", "Words before. Predict: how much?"),
        ("code", "A section: Its part", "def half(x):\n    return x / 2\n\nprint(half(8))4.0"),
        ("code", "A section: Its part", "3.0"),
        ("figure", "A section: Its part", ""),
        ("table", "A section: Its part", "\n\n\na\nb\n\n\n\n\n1\n2\n\n\n"),
        ("answer", "Summary", "It is half."),
    ]
    assert 'src="a.png" alt="A slice."' in slides[4].shown
    said = ["\n".join(slide.said) for slide in slides]
    assert "Plain words." in said[0] and "Half." in said[1] and "notebook 02" in said[6]
    assert "my_half = 4" in said[4] and "What it means." in said[4] and "Much." not in "".join(said)


def test_a_cells_own_slide_type_overrules_and_prose_alone_still_has_a_slide():
    notes, skip = ({"slideshow": {"slide_type": kind}} for kind in ("notes", "skip"))
    slides = deck(
        new_markdown_cell("# T\n\n**The question:** what?"),
        new_markdown_cell("**Predict:** no.", metadata=notes),
        new_markdown_cell("**Predict:** never.", metadata=skip),
        new_markdown_cell("## Traps\n\nThere are two.\n\n- One.\n- Two."),
    )
    assert [re.sub(r"<[^>]*>|\s", "", slide.shown) for slide in slides] == ["Thequestion:what?", "One.Two."]
    assert slides[0].said == ["<p><strong>Predict:</strong> no.</p>"]


@pytest.mark.parametrize("asked, kept", [
    ("One two three. **Predict:** how much? More words here now.", "One two three. **Predict:** how much?"),
    ("**Discuss.** He says. And so on and on and on. What do you ask?", "**Discuss.** He says. [...] What do you ask?"),
])  # fmt: skip
def test_a_long_question_keeps_what_it_asks(asked, kept):
    assert opening(asked, 9, asked=True) == kept


def test_a_long_table_is_cut_between_rows_and_a_list_between_items():
    assert list(split("| a |\n|---|\n| b c |\n| d e |\n| f |", True, 3)) == [
        "| a |\n|---|\n| b c |", "| a |\n|---|\n| d e |\n| f |"]  # fmt: skip
    assert list(split("1. a b\n   - c\n2. d e", False, 3)) == ["1. a b\n   - c", "2. d e"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_makes_a_deck_with_its_question_few_words_and_its_figures_in_words(path):
    notebook, guide = json.loads(path.read_text(encoding="utf-8")), read_guide(path.stem)
    slides = slides_of(notebook, guide, lambda picture: "a.png")
    assert slides[0].shown and len(slides) >= 10 and "question" in [slide.kind for slide in slides]
    assert not re.search(r'alt=""', "".join(slide.shown for slide in slides))
    for slide in slides:
        if slide.kind in ("question", "answer", "list", "text"):  # a table is looked at in Chromium
            most = MOST_WORDS + (25 if slide.kind == "question" and "<li>" in slide.shown else 15)
            assert count(re.sub("<[^>]*>", " ", slide.shown)) <= most or slide.shown.count("<li>") == 1, slide
    if path.stem in plan((path.parents[1] / "docs" / "teaching.md").read_text(encoding="utf-8")):
        assert guide["notebook"] and guide["ticket"] and "*Minutes" in str([slide.said for slide in slides])


PAGE = """<!DOCTYPE html><html lang="en"><style>body {{ margin: 0 }} section {{ width: 1280px }}</style>
<section><div class="shown" style="font-size: 30px">{}</div></section><script>
window.Reveal = {{ isReady: () => true, getTotalSlides: () => 1, slide: () => 0,
                   getCurrentSlide: () => document.querySelector("section") }};
</script>"""


UNREADABLE = {
    "good": ("A few words.", None),
    "empty": ("", "empty"),
    "wide": ("<pre>" + "x" * 200 + "</pre>", "pre too wide"),
    "high": ("<p>one</p>" * 20, "p too high"),
    "long": ("word " * 90, "90 words"),
    "small": ("<p style='font-size: 9px'>small</p>", "type of 9 px"),
    "lost": ("<img src='gone.png'>", "img small or missing"),
}


@pytest.mark.skipif(not find_chromium(), reason="needs Chromium")
def test_a_slide_that_a_class_could_not_read_is_found(tmp_path):
    for name, (shown, _) in UNREADABLE.items():
        (tmp_path / f"{name}.html").write_text(PAGE.format(shown))
    found = faults_of(tmp_path)
    for name, (_, fault) in UNREADABLE.items():
        own = [one for one in found if one.startswith(f"{name}, slide 1: ")]
        assert any(fault in one for one in own) if fault else own == [], (name, own)
    (tmp_path / "good.html").write_text(PAGE.format("<img src='http://x.example/a.png'>"))
    assert "asks another host: http://x.example/a.png" in faults_of(tmp_path, only="good.html")
