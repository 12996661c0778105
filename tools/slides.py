"""Slides of each notebook, made from the notebook itself by rule, with its prose as speaker notes: `lab.py slides`.

    python -m tools.slides OUT           a deck for each notebook, shown by reveal.js, which lies beside them; then
                                         each slide in Chromium: too wide, too high, too many words, type too small
    python -m tools.slides OUT --check   only look at the slides that are there

A slide shows a question, a formula, a definition, what a cell prints or draws, a table or an answer, under the heading
that it stands below. All else is said: in the notes (key S), with what the teaching guide has of the notebook and the
minutes of each section. Where the rule fails, a cell's `slideshow.slide_type` of Jupyter (skip, notes) overrules it.
"""

import argparse
import hashlib
import html
import json
import sys
from pathlib import Path

from tests.plots.chromium import find_chromium
from tools.guide import read_guide
from tools.site_labs import from_npm
from tools.slides_browser import faults_of
from tools.slides_rules import Slide, slides_of
from tools.slides_text import to_html

ROOT = Path(__file__).resolve().parents[1]
REVEAL = {"reveal.js": "dist/reveal.js", "reveal.css": "dist/reveal.css", "notes.js": "dist/plugin/notes.js"}


def deck_html(name: str, slides: list[Slide]) -> str:
    """The page of a deck."""
    sections = []
    for number, slide in enumerate(slides):
        (tag, kind), said = ("h2", slide.kind) if number else ("h1", "title"), "\n\n".join(slide.said)
        sections.append(
            f'<section class="{kind}"><{tag}>{to_html(slide.title, inline=True)}</{tag}>\n<div class="shown">'
            f'{slide.shown}</div>\n<aside class="notes">{to_html(said)}</aside></section>'
        )
    template = (ROOT / "site" / "slides" / "deck.html").read_text(encoding="utf-8")
    title = html.escape(f"{name[:2]} {slides[0].title}")
    return template.replace("TITLE", title).replace("SLIDES", "\n".join(sections))


def write_decks(out: Path, figures: str = "figures") -> dict[str, int]:
    """Write all decks, and say how many slides each has; `figures` is where the figures go, seen from the decks."""
    (out / "reveal").mkdir(parents=True, exist_ok=True)
    (out / figures).mkdir(exist_ok=True)
    for name, member in REVEAL.items():
        (out / "reveal" / name).write_bytes(from_npm("reveal.js@6.0.2", f"package/{member}"))
    (out / "slides.css").write_bytes((ROOT / "site" / "slides" / "slides.css").read_bytes())
    counts = {}

    def figure(picture: bytes) -> str:
        address = f"{figures}/{hashlib.sha256(picture).hexdigest()}.png"  # as the site names it, too
        (out / address).write_bytes(picture)
        return address

    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        slides = slides_of(json.loads(path.read_text(encoding="utf-8")), read_guide(path.stem), figure)
        (out / f"{path.stem}.html").write_text(deck_html(path.stem, slides), encoding="utf-8")
        counts[path.stem] = len(slides)
    return counts


def main(arguments=None) -> int:
    """Write the decks, or look at them; 1 where a slide cannot be shown as it is."""
    parser = argparse.ArgumentParser(prog="python -m tools.slides", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true", help="only look at the slides that are there")
    parser.add_argument("--pictures", type=Path, help="draw each slide into this folder")
    options = parser.parse_args(arguments)
    if not options.check:
        for name, count in write_decks(options.out).items():
            print(f"{name}: {count} slides")
    if not find_chromium():
        print("no Chromium or Chrome here: nobody has looked at the slides")
        return 1 if options.check else 0
    faults = faults_of(options.out, options.pictures)
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
