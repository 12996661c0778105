"""What the notebooks' sentences say is what their runs, the paper and the package say."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.claims import CLAIMS, EXAMPLES
from tools.paper_claims import paper_faults
from tools.prose import Claim, faults, known, output, table

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def test_every_sentence_of_the_notebooks_is_true_and_every_number_in_them_is_held():
    found = [
        f"{path.stem}: {fault}"
        for path in NOTEBOOKS
        for fault in faults(nbformat.read(path, as_version=4), CLAIMS.get(path.stem, []), EXAMPLES.get(path.stem, ""))
    ]
    assert not found, "\n".join(found)
    assert set(CLAIMS) | set(EXAMPLES) <= {path.stem for path in NOTEBOOKS}


def test_every_number_of_the_paper_is_held_and_a_changed_one_is_found(tmp_path):
    assert paper_faults() == []
    text = (NOTEBOOKS[0].parents[1] / "paper.md").read_text(encoding="utf-8")
    changed = tmp_path / "paper.md"
    for old, new, words in (
        ("of 0.845", "of 0.846", "it should say [0.845, "),
        ("in 9 minutes", "in 8 minutes", "it should say [9.0, "),
        ("No class has", "In 7 places no class has", "7 stands in no output"),
        ("gave 0.705, 0.701 and 0.582", "was bad", "0 sentences match"),
    ):
        assert old in text
        changed.write_text(text.replace(old, new), encoding="utf-8")
        (fault,) = paper_faults(changed)
        assert words in fault


BYTES = Claim(r"The file has ([\d,]+) bytes", output(r"^bytes (\d+)"))
SMALL = Claim("It is small", output(r"^bytes (\d+)"), lambda said, true: true[0] < 2000)


def said_of(prose="The file has\n1,950 bytes. It is small.", shown="bytes 1950\n", claims=(BYTES, SMALL), examples=""):
    cell = new_code_cell("rate = 0.25", outputs=[new_output("stream", name="stdout", text=shown)])
    return faults(new_notebook(cells=[new_markdown_cell(prose), cell]), claims, examples)


def test_an_untrue_sentence_is_found_and_each_is_listed():
    assert said_of() == []
    two = said_of(shown="bytes 3000\n")
    assert len(two) == 2 and all("it should say [3000.0]" in fault for fault in two)
    for words, changed in {
        "should say [1950.0]": {"prose": "The file has 1,951 bytes. It is small."},
        "0 sentences match": {"prose": "It is small."},
        "2 sentences match": {"prose": "The file has 1950 bytes. The file has 1950 bytes. It is small."},
        "0 outputs match": {"shown": "nothing\n", "claims": [BYTES]},
        "2 outputs match": {"shown": "bytes 1950\nbytes 1950\n", "claims": [BYTES]},
        "0 rows of models.md": {"claims": [Claim("It is small", table("models.md", "f1", variant="none"))]},
    }.items():
        (fault,) = said_of(**changed)
        assert words in fault, changed


def test_a_number_that_nothing_holds_is_found():
    prose = "F1 is 0.62 at a rate of 0.25. Elsewhere 1,234.50; section 3.1, and 0.9."
    assert said_of(prose, "F1 0.62", []) == said_of(prose, "F1 ~0.62", [])
    (fault,) = said_of(prose, "F1 0.62", [])
    assert "1,234.50 stands in no output" in fault
    assert said_of(prose, "F1 0.62", [], "1,234.50") == []
    assert said_of(prose, "F1 0.62", [Claim(r"Elsewhere ([\d,.]+);", known(1234.5))]) == []
    assert len(said_of(prose, "F1 0.622", [])) == 2
