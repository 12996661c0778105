"""The documents are in step with the code and the notebooks that they describe."""

import posixpath
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


def test_twelve_weeks_take_each_notebook_and_no_week_has_more_than_its_minutes():
    semester = page("docs/semester.md")
    weeks = re.findall(r"^\| (\d+)\. [^|]+\| ([^|]+) \| (\d+) \| [^|]+ \|$", semester, re.MULTILINE)
    assert [int(number) for number, *_ in weeks] == list(range(1, 13))
    for number, planned, minutes in weeks:
        assert sum(map(int, re.findall(r"\((\d+)\)", planned))) == int(minutes) <= 90, number
    assert f"of {sum(int(minutes) for *_, minutes in weeks)}." in semester
    rooms = " ".join(planned for _, planned, _ in weeks)
    assert {name[:2] for name in NOTEBOOKS} <= set(re.findall(r"(?<!\()\b\d\d\b", rooms))
    whole = {name[:2]: sum(int(one.strip("*-") or 0) for one in rows[0][5:7])
             for name, rows in plans(page("docs/teaching.md")).items()}  # fmt: skip
    for number, minutes in re.findall(r"notebook (\d\d) \((\d+)\)", rooms):
        assert whole[number] == int(minutes) or number in ("08", "09")  # which two days shorten
    assert f"fill {sum(whole.values())} minutes in the two-day plan" in semester
    table = re.findall(r"\b(\d\d) \| \d+ \| (\d+|-) \|", page("docs/teaching.md"))
    assert {number: int(room.strip("-") or 0) for number, room in table} == whole


def dead_links(words, exists):
    """Links of pages {path from the root: text} to no file, as `exists` knows, or to no heading of another page."""
    titles = {name: re.findall(r"^#+ (.+)$", text, re.M) for name, text in words.items()}
    headings = {
        name: {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}
        for name, found in titles.items()
    }
    dead = []
    for name, text in words.items():
        for link in re.findall(r"\]\(([^)\s]+)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            address, _, place = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), address)) if address else name
            if "://" in link or link.startswith("mailto:"):
                continue
            if not exists(target) or place and place.lower() not in headings.get(target, {place.lower()}):
                dead.append(f"{name}: {link}")
    return dead


def test_what_a_page_links_to_is_there():
    folders = ("*", "docs/*", "data/*", "studies/**/*", "site/**/*", "covidlab/**/*")
    paths = [path for folder in folders for path in ROOT.glob(f"{folder}.md")]
    words = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        words[f"notebooks/{path.name}"] = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    # The site's own pages are laid out at the root, as their links see it.
    words = {name.removeprefix("site/"): text for name, text in words.items()}
    dead = dead_links(words, lambda name: (ROOT / name).exists() or (ROOT / "site" / name).exists())
    named = re.findall(r"studies/results/[\w./-]+\.(?:csv|md|png)", "".join(
        path.read_text(encoding="utf-8")
        for path in [*ROOT.glob("covidlab/weights/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    ))  # fmt: skip
    assert dead + [name for name in named if not (ROOT / name).exists()] == []


def test_a_dead_link_is_found():
    words = "# A page: *one*\n[b](docs/b.md#second-part) [x](https://x.example/#y)"
    there = {"a.md": words, "docs/b.md": "## Second part"}
    assert dead_links(there, there.__contains__) == []
    there["docs/b.md"] += "\n[a](../a.md#a-page-one) [a](../a.md#two) [c](c.md) [here](#second-part) [no](#third)"
    assert dead_links(there, there.__contains__) == ["docs/b.md: ../a.md#two", "docs/b.md: c.md", "docs/b.md: #third"]
