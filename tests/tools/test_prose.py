"""What the notebooks' sentences say is what their runs, the paper and the package say."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.claims import CLAIMS
from tools.prose import Claim, output, page, result

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.notebook}: {claim.sentence[:50]}")
def test_a_sentence_is_true(claim):
    assert claim.fault(nbformat.read(NOTEBOOKS / f"{claim.notebook}.ipynb", as_version=4)) is None


# The mechanism itself ------------------------------------------------------------------------------------------------


def notebook(prose="The file has\n1,950 bytes. It is small.", shown="bytes 1950\n"):
    outputs = [new_output("stream", name="stdout", text=shown)]
    return new_notebook(cells=[new_markdown_cell(prose), new_code_cell("", outputs=outputs)])


BYTES = Claim("x", r"The file has ([\d,]+) bytes", output(r"^bytes (\d+)"))


def test_a_true_sentence_passes():
    assert BYTES.fault(notebook()) is None


@pytest.mark.parametrize(
    "untrue",
    [
        notebook(prose="The file has 1,951 bytes."),
        notebook(shown="bytes 1951\n"),
        notebook(prose="The file is small."),
        notebook(prose="The file has 1950 bytes. The file has 1950 bytes."),
        notebook(shown="nothing\n"),
        notebook(shown="bytes 1950\nbytes 1950\n"),
    ],
    ids=["another number", "another run", "sentence gone", "said twice", "output gone", "shown twice"],
)
def test_an_untrue_sentence_is_found(untrue):
    assert BYTES.fault(untrue) is not None


def test_a_sentence_may_say_less_than_the_number():
    small = Claim("x", r"It is small", output(r"^bytes (\d+)"), lambda _, true: true[0] < 2000)
    assert small.fault(notebook()) is None
    assert "not true any more" in small.fault(notebook(shown="bytes 3000\n"))


def test_an_untrue_number_planted_in_a_real_notebook_is_found():
    claim = next(claim for claim in CLAIMS if claim.sentence.startswith("About (\\d) MB"))
    planted = nbformat.read(NOTEBOOKS / f"{claim.notebook}.ipynb", as_version=4)
    for cell in planted.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("About 2 MB", "About 1 MB")
    assert "it should say [2.1]" in claim.fault(planted)


def test_a_results_file_is_read_by_its_keys(tmp_path):
    (tmp_path / "scores.json").write_text('{"test": {"f1": 0.5}}')
    # An absolute path wins over the repository's root.
    assert result(str(tmp_path / "scores.json"), "test", "f1")(notebook()) == [0.5]
    claim = Claim("x", "It is small", result(str(tmp_path / "scores.json"), "validation", "f1"))
    assert "validation" in claim.fault(notebook())


def test_a_page_of_the_repository_is_read():
    assert page("data/README.md", r"(\d+) by the masks")(notebook()) == [493]
    with pytest.raises(LookupError, match="data/README"):
        page("data/README.md", "no such words")(notebook())
