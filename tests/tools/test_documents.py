"""The documents are in step with the code and the notebooks that they describe."""

import posixpath
import re
from collections import Counter
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


def test_graded_work_and_homework_of_the_twelve_weeks_follow_their_notebooks():
    after = {name: number for number, name in re.findall(r"\| (\d\d) \| `(\w+)` \|", page("docs/grading.md"))}
    assert set(after) == {path.stem for path in ROOT.glob("assignments/*.ipynb")}
    assess = page("docs/teaching.md").split("\n## Assess\n")[1].split("\n## ")[0]
    assert all(re.search(rf"`{name}`(?: can follow)? {number}\b", assess) for name, number in after.items())
    taken, graded = set(), []
    for planned, home in re.findall(r"^\| \d+\. [^|]+\| ([^|]+) \| \d+ \| ([^|]+) \|$", page("docs/semester.md"), re.M):
        taken |= set(re.findall(r"(?<!\()\b\d\d\b", planned))
        graded += (here := re.findall(r"`(\w+_\d_\w+)`", home))
        assert {after[name] for name in here} <= taken
        for *numbers, notebook in re.findall(r"exercises? (\d)(?: and (\d))? of (\d\d)", home):
            told = next(path for name, path in NOTEBOOKS.items() if name[:2] == notebook).read_text(encoding="utf-8")
            assert notebook in taken and all(f"Exercise {number}" in told for number in numbers if number), home
    assert sorted(graded) == sorted(after)


def test_twelve_weeks_take_each_notebook_and_no_week_has_more_than_its_minutes():
    semester = page("docs/semester.md")
    weeks = re.findall(r"^\| (\d+)\. [^|]+\| ([^|]+) \| (\d+) \| [^|]+ \|$", semester, re.MULTILINE)
    assert [int(number) for number, *_ in weeks] == list(range(1, 13))
    for number, planned, minutes in weeks:
        assert sum(map(int, re.findall(r"\((\d+)\)", planned))) == int(minutes) <= 90, number
    assert f"of {sum(int(minutes) for *_, minutes in weeks)}." in semester
    rooms = " ".join(planned for _, planned, _ in weeks)
    assert {name[:2] for name in NOTEBOOKS} <= set(re.findall(r"(?<!\()\b\d\d\b", rooms))
    entries = [re.match(r"(?:notebook )?(\d\d)\b.*\((\d+)\)$", one) for _, row, _ in weeks for one in row.split("; ")]
    inside, whole = Counter(), 0
    for number, minutes in (entry.groups() for entry in entries if entry):
        inside[number] += int(minutes)
    at_home = {"03": "Second sitting"}  # and of it the board has 15 minutes, for Bayes' rule
    for name, (_, *rows) in plans(page("docs/teaching.md")).items():
        two_days = {row[0]: sum(int(one.strip("*-") or 0) for one in row[5:7]) for row in rows}
        whole += sum(two_days.values())
        kept = sum(minutes for row, minutes in two_days.items() if not row.startswith(at_home.get(name[:2], "-")))
        assert inside[name[:2]] == kept or name[:2] in ("08", "09", "11"), name  # which two days shorten or leave out
    assert f"fill {whole} minutes in the two-day plan" in semester and f"and {inside.total() + 15} here" in semester
    room = {name[:2]: sum(int(one.strip("*-") or 0) for one in rows[0][5:7])
            for name, rows in plans(page("docs/teaching.md")).items()}  # fmt: skip
    table = re.findall(r"\b(\d\d) \| \d+ \| (\d+|-) \|", page("docs/teaching.md"))
    assert {number: int(minutes.strip("-") or 0) for number, minutes in table} == room


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
