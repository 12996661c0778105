"""From a notebook's Markdown to what a slide can hold: pieces of a cell, the first sentences, HTML with MathML."""

import html
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
# Where the reader is asked to say something.
QUESTION = re.compile(r"\*\*(?:Predict|Question|Exercise|Discuss|The question)")
FOLDED = re.compile(r"(<details>.*?</details>)", re.DOTALL)
# A sentence ends here; what is bold, in brackets or code stays whole.
SENTENCE = re.compile(r"(?:\*\*[^*]+\*\*|`[^`]*`|\([^)]*\)|[^.?!]|[.?!](?!\s))+[.?!]*\S*\s*")


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """A text cell's blocks as (kind, Markdown); a fold, with all that is in it, is one piece."""
    for part in FOLDED.split(text):
        if part.startswith("<details>"):
            yield "fold", re.sub(r"</?details>|<summary>(.*?)</summary>", r"\1:", part, flags=re.DOTALL).strip(":")
            continue
        lines = part.split("\n")
        for token in MARKDOWN.parse(part):
            if token.level or not token.map or token.nesting < 0:
                continue
            block = "\n".join(lines[slice(*token.map)]).strip()
            kind = re.sub("_open|bullet_|ordered_", "", token.type)
            if kind == "heading":
                kind, block = "title" if token.tag == "h1" else kind, block.lstrip("# ")
            elif kind == "paragraph" and "$$" in block:
                kind = "formula"
            elif kind == "paragraph" and re.match(r"\[?!\[", block):
                kind = "picture"
            yield kind, block


def words(text: str) -> str:
    """Markdown without links, of which the words stay, and pictures."""
    text = re.sub(r"\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)|!\[[^\]]*\]\([^)]*\)", "", text)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def count(text: str) -> int:
    """Words as a reader counts them: a number is one, a formula's signs are none."""
    return len(re.findall(r"\w[\w.,%'-]*", re.sub(r"\$[^$]*\$", "", words(text))))


def opening(text: str, most: int, asked: bool = False) -> str:
    """Whole sentences up to so many words, at least one. Of a question too long it is the one that asks, and before
    and after it what there is room for."""
    text = " ".join(text.split())
    sentences = SENTENCE.findall(text)
    if count(text) <= most or len(sentences) < 2:
        return text
    marker = QUESTION if QUESTION.search(text) else re.compile(r"[?]")
    start = next((n for n, one in enumerate(sentences) if marker.search(one)), 0) if asked else 0
    asks = max((n for n, one in enumerate(sentences) if "?" in one), default=start) if asked else start
    kept = sorted({start, asks})
    for n in [*range(start - 1, -1, -1), *range(start + 1, len(sentences))]:
        if n not in kept and (n + 1 in kept or n - 1 in kept):
            told = count("".join(sentences[one] for one in kept))
            # A long sentence may go over where without it hardly anything is told.
            room = 1.35 * most if asked and told < most / 4 else most
            if told + count(sentences[n]) <= room:
                kept = sorted([*kept, n])
    gap = {one for one, after in zip(kept, kept[1:]) if after > one + 1}
    return "".join(sentences[n] + ("[...] " if n in gap else "") for n in kept).strip()


def split(text: str, table: bool, most: int) -> Iterator[str]:
    """A table or a list as several, each of so many words at most, or of one row or item; a table's head is repeated,
    and a list's numbers go on."""
    head, parts = (text.split("\n")[:2], text.split("\n")[2:]) if table else ([], re.split(r"\n(?=[-*\d])", text))
    groups = [[]]
    for part in parts:
        if groups[-1] and count("\n".join([*groups[-1], part])) > most:
            groups.append([])
        groups[-1].append(part)
    if not table and len(groups[-1]) == 1 < len(groups) and count("\n".join(groups[-2] + groups[-1])) < 1.4 * most:
        groups[-2:] = [groups[-2] + groups[-1]]  # a last item has no slide of its own for a few words
    yield from ("\n".join([*head, *some]) for some in groups)


def to_html(text: str, inline: bool = False) -> str:
    """Markdown as HTML: formulas as MathML, links as their words."""
    formulas = []

    def kept(match):
        from latex2mathml.converter import convert  # of the site's environment only

        display = "block" if match[1] else "inline"
        formulas.append(convert(match[1] or match[2], display=display))
        return f"\x02{len(formulas) - 1}\x03"

    text = re.sub(r"\$\$(.+?)\$\$|(?<![\\\w`])\$([^$\n`]+?)\$", kept, words(text), flags=re.DOTALL)
    shown = MARKDOWN.renderInline(text) if inline else MARKDOWN.render(text)
    return re.sub("\x02(\\d+)\x03", lambda match: formulas[int(match[1])], shown).strip()


def code_html(source: str, below: str = "") -> str:
    """Code in the largest type with which it fits a slide of 1280 x 720, at most 28 px; below it what it prints."""
    source = re.sub(r"\n{3,}", "\n\n", source.strip())
    lines = source.split("\n")
    height = 575 * len(lines) / (len(lines) + below.count("\n") + 2) if below else 575
    size = min(28, 1198 / (0.602 * max(map(len, lines))), height / (1.3 * len(lines)))
    coloured = highlight(source, get_lexer_by_name("python"), HtmlFormatter(nowrap=True, noclasses=True)).strip()
    return f'<pre style="font-size: {size:.1f}px">{coloured}</pre>' + (printed_html(below, 26) if below else "")


def printed_html(printed: str, largest: float = 36) -> str:
    """What a cell prints, a line that is too long for a slide wrapped."""
    lines = printed.rstrip().split("\n")
    size = min(largest, max(18, 1198 / (0.602 * max(map(len, lines)))), 575 / (1.3 * len(lines)))
    shown = "".join(f"<span>{html.escape(line) or ' '}</span>" for line in lines)
    return f'<pre class="printed" style="font-size: {size:.1f}px">{shown}</pre>'
