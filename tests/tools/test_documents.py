"""The documents are in step with the code and the notebooks that they describe."""

import os
import re
from pathlib import Path

import nbformat

from tools.guide import plan as plans
from tools.house import imports, wings

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_wing_is_in_the_picture_and_on_the_page_and_none_imports_upwards():
    order, (pairs, lines) = wings(), imports()
    assert set(lines) - {"nano"} == set(order)
    assert not [(one, other) for one, other in pairs if order.index(one) > order.index(other)]
    architecture = page("docs/architecture.md")
    for wing in order:
        assert all(f"`{name}`" in architecture or f"`{name}/`" in architecture for name in wing.split(", ")), wing
    named = re.findall(r"`((?:covidlab|tests|studies|tools)/[\w/]*(?:\.py)?)`", architecture)
    assert len(named) > 20 and not [name for name in named if not (ROOT / name).exists()]


def test_the_guide_plans_each_notebook_by_its_own_headings_and_its_minutes_add_up():
    guide = page("docs/teaching.md")
    plan = plans(guide)
    assert set(NOTEBOOKS) <= set(plan)
    for name, rows in plan.items():
        whole, *parts = ([int(cell.strip("*-") or 0) for cell in (*row[2:4], *row[5:7])] for row in rows)
        assert [sum(column) for column in zip(*parts)] == whole, name
    for name, path in NOTEBOOKS.items():
        cells = nbformat.read(path, as_version=4).cells
        headings = re.findall(r"^#{2,3} (.+)$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.M)
        sections = {section for row in plan[name][1:] for section in row[0].split("; ")}
        assert sections - set(headings) == set(), name
        assert f"\n### {name}\n" in guide
    assert set(re.findall(r"\b\d\d_[a-z]\w+", guide)) <= set(NOTEBOOKS)


def test_what_a_page_links_to_is_there():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("studies/**/*.md")]
    words = {path: path.read_text(encoding="utf-8") for path in pages}
    # The site's own pages link from where `tools.site` lays them out: at the top, the labs in a folder beside the docs.
    words |= {ROOT / path.relative_to(ROOT / "site"): page(path) for path in ROOT.glob("site/**/*.md")}
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        words[path] = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    missing = []
    for path, text in words.items():
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            place = os.path.relpath(path.parent / link, ROOT)
            if "://" not in link and not (ROOT / place).exists() and not (ROOT / "site" / place).exists():
                missing.append((path.name, link))
    named = re.findall(r"studies/results/[\w./-]+\.(?:csv|md|png)", "".join(
        path.read_text(encoding="utf-8")
        for path in [*ROOT.glob("covidlab/weights/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    ))  # fmt: skip
    assert missing + [name for name in named if not (ROOT / name).exists()] == []
