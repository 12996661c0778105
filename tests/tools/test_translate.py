"""The course in other languages: no sentence is older than its source, and all but the words is the source's."""

import json
import re
from pathlib import Path

import pytest
from babel.messages import Catalog
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import site, translate
from tools.translate import BLOCK, NOTE, blocks, catalogue, faults, main, translated, write

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
PATHS = sorted((ROOT / "translations").glob("*/*.po"))


def markdown(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def test_no_translated_sentence_is_older_than_its_source():
    found = [fault for path in PATHS for fault in faults(path)]
    assert not found, "\n".join(["run `python -m tools.translate`, then mend the catalogues:", *found])
    assert {(path.parent.name, path.stem[:2]) for path in PATHS} >= {("de", "00"), ("de", "01")}


def test_all_but_the_words_is_the_sources_and_every_link_leads_somewhere(tmp_path):
    written = write(tmp_path)
    assert len(written) == len(PATHS)
    for path in written:
        whole, notebook = (ROOT / "notebooks" / path.name).read_text("utf-8"), json.loads(path.read_text("utf-8"))
        source = json.loads(whole)
        assert not set(markdown(source)) & set(markdown(notebook)), path
        for cell, english in zip(notebook["cells"], source["cells"], strict=True):
            if cell["cell_type"] == "markdown":
                cell["source"] = english["source"]
        assert json.dumps(notebook, indent=1, ensure_ascii=False) + "\n" == whole  # code, outputs, ids, metadata
        words = "\n".join(markdown(json.loads(path.read_text("utf-8"))))
        links = [link for link in re.findall(r"\]\(([^)]+)\)", words) if "://" not in link]
        assert len(links) > 5 and not [link for link in links if not (path.parent / link).exists()]
        assert (path.parent / links[0]).resolve() == ROOT / "notebooks" / path.name  # of the line below the title
        assert {"00_start_here.ipynb", "01_ct_background.ipynb"} & set(links)  # to its own language, where it can


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem[:2])
def test_words_that_are_translated_by_themselves_give_the_source_byte_for_byte(path):
    notebook, same = json.loads(path.read_text("utf-8")), Catalog()
    for block in blocks(notebook):
        same.add(block, block)
    result = translated(notebook, same)
    first = "".join(result["cells"][0]["source"])
    assert first.count(f"\n\n{NOTE}") == 1
    result["cells"][0]["source"] = first.replace(f"\n\n{NOTE}", "").splitlines(keepends=True)
    assert result == notebook


def test_a_block_ends_at_an_empty_line_but_not_within_code():
    assert BLOCK.findall("a\nb\n\n\n   c\n```\nd\n\ne\n```\n\nf") == ["a\nb", "   c\n```\nd\n\ne\n```", "f"]
    words = "[![Open in Colab](x)](y)\n\n# T\n\n</details>\n\n$$x$$\n\n$$\\text{grey}$$\n\n```\ncode\n```\n\n`1` 2"
    notebook = new_notebook(cells=[new_markdown_cell(words), new_code_cell("# code")])
    assert list(blocks(notebook))[2:] == ["# T", "$$\\text{grey}$$"]


# A notebook of three blocks, and its catalogue ------------------------------------------------------------------------

ENGLISH = {
    "# One": "# Eins",
    "Air is dark. A **slice** of `hu` has\n1.8 % of it. [Look](b.ipynb).":
        "Luft ist dunkel. 1.8 % davon hat eine **Schicht** in `hu`. [Sieh nach](b.ipynb).",
    r"$$\text{grey} = \frac{x}{2} \quad \text{cut off at 0}$$": r"$$\text{Grau} = \frac{x}{2} \quad \text{ab 0}$$",
}  # fmt: skip
FIRST, SECOND, THIRD = ENGLISH


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A function that writes the notebook of these blocks; the catalogue is German and complete."""
    monkeypatch.setattr(translate, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(translate, "CATALOGUES", tmp_path / "translations")
    path = tmp_path / "translations" / "de" / "a.po"
    path.parent.mkdir(parents=True)

    def say(*texts):
        notebook = new_notebook(cells=[new_markdown_cell("\n\n".join(texts), id="0")])
        (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
        return path

    say(*ENGLISH)
    path.touch()
    assert main([]) == 0  # an empty file is begun
    frame = {translate.LINK: "Auf Deutsch", NOTE: NOTE}
    text = path.read_text("utf-8")
    for english, german in (frame | ENGLISH).items():
        entry = translate_entry(english)
        assert entry in text
        text = text.replace(entry, entry.removesuffix('""') + json.dumps(german, ensure_ascii=False))
    path.write_text(text, "utf-8")
    assert faults(path) == []
    return say


def translate_entry(english):
    """How a block without a translation stands in a catalogue."""
    lines = english.splitlines(keepends=True)
    quoted = [json.dumps(line) for line in ([""] if len(lines) > 1 else []) + lines]
    return "msgid " + "\n".join(quoted) + '\nmsgstr ""'


def test_a_changed_sentence_is_named_until_it_is_mended_and_is_english_meanwhile(course, capsys):
    changed = SECOND.replace("1.8 %", "2.5 %")
    path = course(FIRST, changed, THIRD)
    named = "de: a, cell 0: older than its source: A **slice** of `hu` has 2.5 % of it."
    assert faults(path) == [named]
    assert main(["--check"]) == 1 and named in capsys.readouterr().out
    before = path.read_text("utf-8")
    assert main([]) == 0 and main(["--check"]) == 1
    assert "#, fuzzy\n#| msgid" in path.read_text("utf-8") != before
    notebook = json.loads((translate.NOTEBOOKS / "a.ipynb").read_text())
    words = markdown(translated(notebook, catalogue(path)))
    assert words == ["\n\n".join(["# Eins", NOTE, changed, ENGLISH[THIRD]])]
    # Changed again before anybody has mended it: what is beside it is still what was translated.
    course(FIRST, changed.replace("dark", "black"), THIRD)
    assert main([]) == 0
    assert [message.previous_id for message in catalogue(path) if message.fuzzy] == [[SECOND]]
    text = re.sub(r"#, fuzzy\n(#\|.*\n)*", "", path.read_text("utf-8"))
    path.write_text(text.replace("1.8 % davon", "2.5 % davon"), "utf-8")
    assert faults(path) == []


def test_new_and_gone_blocks_are_named_and_broken_lines_and_a_change_taken_back_are_not(course):
    path = course(FIRST, SECOND, THIRD, "Quite new, unlike all else!")
    assert faults(path) == ["de: a, cell 0: not translated: Quite new, unlike all else!"]
    course(FIRST, THIRD)
    (fault,) = faults(path)
    assert fault.startswith("de: a: no longer in the notebook: Air is dark. A **slice**")
    course(FIRST, SECOND.replace("\n", " ").replace("dark. ", "dark.\n"), THIRD)
    assert faults(path) == []
    course(FIRST, SECOND.replace("dark", "black"), THIRD)
    assert main([]) == 0 and faults(path)
    course(*ENGLISH)
    assert main([]) == 0 and faults(path) == []


@pytest.mark.parametrize(
    "lost, instead",
    [("1.8 %", "1,8 %"), ("`hu`", "hu"), ("**Schicht**", "Schicht"), ("(b.ipynb)", "(c.ipynb)"), ("ab 0", "ab 1"),
     ("{x}{2}", "{x}{3}"), ("# Eins", "Eins"), ("Luft", "Luft<br>")],
)  # fmt: skip
def test_what_a_translation_must_keep_is_named_where_it_does_not(course, lost, instead):
    path = course(*ENGLISH)
    text = re.sub("^msgstr .*", lambda line: line[0].replace(lost, instead), path.read_text("utf-8"), flags=re.M)
    path.write_text(text, "utf-8")
    (fault,) = faults(path)
    assert "lacks [" in fault


def test_the_site_lists_each_translation_and_links_it_from_its_source(tmp_path):
    pages = site.lay_out(tmp_path / "pages")
    index = (pages / "index.md").read_text("utf-8")
    for path in PATHS:
        name = f"notebooks/{path.parent.name}/{path.stem}"
        assert f"<{name}>\n" in index and (pages / f"{name}.ipynb").exists()
        english = json.loads((pages / "notebooks" / f"{path.stem}.ipynb").read_text("utf-8"))["cells"][0]["source"]
        assert f'<a href="{path.parent.name}/{path.stem}.html"' in english
