"""Which part of a notebook's cell is shown on a slide, and which is said: by rule, never by the cell's number."""

import base64
import html
import re
from dataclasses import dataclass, field

from tools.slides_text import QUESTION, code_html, count, opening, pieces, printed_html, split, to_html

ANSWER = re.compile(r"\*\*(?:Answer|[^*]+\?\*\*)")
CLOSING = ("Summary", "What you can do now")
LISTED = (*CLOSING, "Quiz", "Test yourself")  # their lists are shown, too
AT_HOME = ("Going further", "For later")
MOST_WORDS, IN_TABLES = 40, 60


@dataclass
class Slide:
    """What is shown, as HTML, under a title; and what is said, as Markdown."""

    title: str
    shown: str = ""
    kind: str = "text"
    said: list[str] = field(default_factory=list)

    @property
    def bare(self) -> bool:
        """Whether it is a heading and no more: the next one, right under it, joins it."""
        return not self.shown and all(one.startswith("*Minutes") for one in self.said)


def slides_of(notebook: dict, guide: dict, figure) -> list[Slide]:
    """The slides in order; `figure` turns a PNG's bytes into its address."""
    slides, at_home = [], False
    for cell in notebook["cells"]:
        if (asked := cell["metadata"].get("slideshow", {}).get("slide_type")) == "skip":
            continue
        for kind, part in text_parts(cell) if cell["cell_type"] == "markdown" else code_parts(cell, figure):
            if kind == "heading":
                if not (at_home := part in AT_HOME):
                    above = slides.pop() if slides and slides[-1].bare else Slide("")
                    said = above.said + guide["minutes"].get(part, [])
                    slides.append(Slide(f"{above.title}: {part}".removeprefix(": "), said=said))
            elif at_home or not slides:
                continue
            elif kind == "said" or asked == "notes":
                slides[-1].said.append(part)
            elif kind == "options":
                slides[-1].shown += part
            else:
                if slides[-1].shown:
                    slides.append(Slide(slides[-1].title))
                slides[-1].shown, slides[-1].kind = part, kind
    slides[0].said += guide["notebook"]
    closing = [Slide("Before you go", to_html(ask), "question", [answer]) for ask, answer in guide["ticket"]]
    return [shown for slide in slides for shown in with_something(slide)] + closing


def with_something(slide: Slide) -> list[Slide]:
    """The slide; of a section that is nothing but prose, its list, or the first sentences."""
    prose = [one for one in slide.said if not one.startswith(("*Minutes", "The cell:"))]
    if slide.shown or not prose:
        return [slide] if slide.shown else []
    listed = next((one for one in prose if re.match("[-*] |1[.]", one)), None)
    first, *more = split(listed, False, MOST_WORDS) if listed else [opening(prose[0], MOST_WORDS)]
    slide.shown = to_html(first)
    return [slide, *(Slide(slide.title, to_html(some)) for some in more)]


def text_parts(cell: dict):
    """A text cell's parts as (kind, HTML or Markdown), in order."""
    section, on_title, last = "", False, ("", "")
    for kind, text in pieces("".join(cell["source"])):
        asks = "**The question" in text if on_title else QUESTION.search(text) or text.endswith("?")
        if kind == "paragraph" and not re.match(r"\*\*(?:Next|Further reading)", text):
            answers = ANSWER.match(text) or section in CLOSING
            kind = "question" if asks or section in LISTED[2:] else "answer" if answers else kind
        if kind in ("heading", "title"):
            section, on_title = text, kind == "title"
            yield "heading", text
        elif kind == "list" and last[0] == "question" and count(last[1] + text) < MOST_WORDS + 25:
            yield "options", to_html(text)
        elif kind == "table" or kind == "list" and (section in LISTED or last[0] == "question"):
            for some in split(text, kind == "table", IN_TABLES if kind == "table" else MOST_WORDS):
                yield kind, to_html(some)
        elif kind == "formula":
            size = max(26, min(46, 3300 / len(text)))
            yield kind, f'<div style="font-size: {size:.0f}px">{to_html(text)}</div>'
        elif kind in ("question", "answer"):
            short = opening(text, MOST_WORDS, asked=kind == "question")
            yield kind, to_html(short)
            if len(short) < len(" ".join(text.split())):  # what is cut short is said whole
                yield "said", text
        elif kind != "picture":
            yield "said", text
        last = kind, text


def code_parts(cell: dict, figure):
    """A code cell's parts: a definition, what is printed, tables and figures. Solutions and other code are said."""
    source, folded = "".join(cell["source"]), cell["metadata"].get("jupyter", {}).get("source_hidden")
    printed = "".join("".join(one.get("text", "")) for one in cell["outputs"])
    printed = re.sub(r"^Cohort: .*\n|\n+\Z", "", re.sub(r"\n{2,}", "\n", printed), flags=re.M)
    if printed.startswith("Not yet"):  # a hole for the learner's answer
        return
    if "solution" in cell["metadata"].get("tags", []):
        yield "said", f"The solution:\n\n```python\n{source}\n```\n\n{printed}"
        return
    if defines := not folded and re.search(r"^(?:def|class) ", source, re.M):
        below, printed = (printed, "") if (source + printed).count("\n") < 18 else ("", printed)
        yield "code", code_html(source, below)
    above = printed_html(printed) if printed else ""
    for output in cell["outputs"]:
        shown = output.get("data", {})
        if "image/png" in shown:
            if printed.count("\n") > 2:
                yield "code", above
                above = ""
            alt = output["metadata"].get("alt") or output["metadata"].get("image/png", {}).get("alt", "")
            address = figure(base64.b64decode("".join(shown["image/png"])))
            yield "figure", f'{above}<img src="{address}" alt="{html.escape(alt)}">'
            yield "said", f"*{alt}*"
            above = ""
        elif "text/markdown" in shown and (table := "".join(shown["text/markdown"])).startswith("|"):
            yield "table many" if table.count("\n") > 9 else "table", to_html(table)
    if above:
        yield "code", above
    if not folded and not defines:
        yield "said", f"The cell:\n\n```python\n{source}\n```"
