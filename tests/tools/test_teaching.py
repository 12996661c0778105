"""The lecturer's guide is in step with the notebooks: their names, their headings, and the sums of its minutes."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/teaching.md", "docs/bibliography.md")
GUIDE = (ROOT / PAGES[0]).read_text(encoding="utf-8")
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
# The plan's rows, by notebook: a bold one with the notebook's name and sums, then one for each of its sections.
PLAN: dict[str, list[list[str]]] = {}
for line in re.findall(r"^\| (?!section).+ \|(?:.*\|){6}$", GUIDE, re.MULTILINE):
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    PLAN.setdefault(cells[0].strip("*") if cells[0].startswith("**") else list(PLAN)[-1], []).append(cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_has_minutes_and_a_section_of_its_own_headings(name):
    assert name in PLAN, "docs/teaching.md has no plan for it"
    text = "\n".join(c.source for c in nbformat.read(NOTEBOOKS[name], as_version=4).cells if c.cell_type == "markdown")
    sections = {section for row in PLAN[name][1:] for section in row[0].split("; ")}
    assert sections - set(re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)) == set()
    assert f"\n### {name}\n" in GUIDE


@pytest.mark.parametrize("name", PLAN)
def test_minutes_add_up(name):
    whole, *rows = ([int(cell.strip("*-") or 0) for cell in (*row[2:4], *row[5:7])] for row in PLAN[name])
    assert [sum(column) for column in zip(*rows)] == whole


def test_notebooks_and_files_that_the_pages_name_exist():
    assert set(re.findall(r"\b\d\d_[a-z]\w+", GUIDE)) <= set(NOTEBOOKS)
    links = [link for page in PAGES for link in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))]
    assert [link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()] == []
