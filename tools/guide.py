"""What the teaching guide, docs/teaching.md, has of one notebook, for the speaker notes of its slides."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "teaching.md"


def plan(text: str) -> dict[str, list[list[str]]]:
    """The plans' rows by notebook, cell by cell: first the notebook's own with its sums, then one a section."""
    rows = {}
    for line in re.findall(r"^\| (?!section).+ \|(?:.*\|){6}$", text, re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.setdefault(cells[0].strip("*") if cells[0].startswith("**") else list(rows)[-1], []).append(cells)
    return rows


def read_guide(name: str, path: Path = GUIDE) -> dict:
    """`notebook`: what is said at its beginning; `minutes` by section; `ticket`: (question, answer), none or one.

    A notebook that the guide does not know has none of all that.
    """
    text, minutes = path.read_text(encoding="utf-8"), {}
    for section, *numbers in plan(text).get(name, [[""]])[1:]:
        day, two = (" + ".join(numbers[at : at + 2]) for at in (1, 4))
        for one in section.split("; "):
            together = f" with {section}" if "; " in section else ""
            minutes[one] = [f"*Minutes to teach + do{together}: {day} in one day, {two} in two.*"]
    kept = re.search(rf"^### {name}\n(.+?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    ticket = re.search(rf"^\| {name[:2]} \| (.+?) \| <details><summary>Answer</summary>(.+?)</details> \|$", text, re.M)
    return {"notebook": [kept[1]] if kept else [], "minutes": minutes, "ticket": [ticket.groups()] if ticket else []}
