r"""The course in another language: catalogues of its text, and the notebooks that they make.

    python -m tools.translate              when the English has changed: bring the catalogues up to date
    python -m tools.translate --check      name each sentence that is older than its source; 1 if there is one
    python -m tools.translate -o FOLDER    write the notebooks: FOLDER/de/00_start_here.ipynb, and so on

A catalogue is gettext's, such as translations/de/00_start_here.po, and every translator's editor opens it. It holds the
notebook's Markdown by blocks: a paragraph, a list or a table each. A block whose English has changed is `fuzzy`, with
the earlier English beside it: mend its translation and take the mark away. Until then that block stays English.

Code cells and outputs are the source's, byte for byte. A translated block keeps the numbers (decimals with a point),
code, formulas (but for words in \text{}), bold type, HTML and links of its source. Links stay as they are there: the
notebooks that are written have them as their folder needs them.

To begin a language or a notebook, make an empty file of its catalogue's name, and run the first line.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import denormalize, read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS, CATALOGUES = ROOT / "notebooks", ROOT / "translations"
# Two lines that no English notebook has, translated as its blocks are: one below the title, one on the English page.
NOTE = (
    "*Translated from the [English notebook](SOURCE). Code, outputs and figures are as they are there, in English; "
    "decimals have a point. Pages that nobody has translated yet are linked in English.*"
)
LINK = "In this language"
# A block ends before an empty line, but for one within fenced code.
BLOCK = re.compile(r"(?:^```.*?^```|[^\n])(?:^```.*?^```|[^\n]|\n(?=[^\n]))*", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"```.*?```|`[^`]+`|(?<=\]\()[^)\s]+", re.DOTALL)  # of a link; and code, in which there is none
NUMBER = r"(?<![\w.])-?\d+(?:[.,]\d+)*"
KEPT = re.compile(
    rf"{TARGET.pattern}|\$\$.*?\$\$|\$[^$]+\$|</?\w[^>]*>|\*\*|\||^ *(?:#+|-) |{NUMBER}", re.MULTILINE | re.DOTALL
)


def blocks(notebook: dict) -> dict[str, list[str]]:
    """What is to be translated of a notebook, each with its places. A block without words is not."""
    found = {NOTE: ["below the title"], LINK: ["on the English page"]}
    for cell in notebook["cells"]:
        for block in BLOCK.findall("".join(cell["source"])) if cell["cell_type"] == "markdown" else ():
            words = re.search(r"[^\W\d_]", KEPT.sub("", block)) or r"\text{" in block
            if words and not block.startswith("[!["):  # a badge comes and goes with the repository's address
                found.setdefault(block, []).append(f"cell {cell['id']}")
    return found


def kept(text: str) -> Counter:
    """What a block and its translation have in common; of words in a formula, the digits."""
    digits = re.compile(r"(?<=\\text\{)[^}]*")
    return Counter(digits.sub(lambda words: re.sub(r"\D", "", words[0]), part) for part in KEPT.findall(text))


def catalogue(path: Path) -> Catalog:
    """A catalogue in step with its notebook, whatever its file is: blocks that are `fuzzy` or have no string are to be
    translated, `obsolete` ones are gone. A block whose lines only break elsewhere is neither."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parent.name, ignore_obsolete=True)
    if "ORGANIZATION" in catalog.header_comment:
        catalog.header_comment = f"# {path.stem} in {catalog.locale.english_name}: CC BY 4.0, as the notebook's text."
    before = {}  # of each fuzzy block the English that its translation is of, which Babel takes for a comment
    for message in catalog:
        previous = [line for line in message.user_comments if line.startswith("|")]
        message.user_comments = [line for line in message.user_comments if line not in previous]
        if message.fuzzy:
            strings = re.findall(r'"(?:\\.|[^"\\])*"', " ".join(previous))
            before[message.id] = denormalize("\n".join(['""', *strings])) or message.id
    template = Catalog()
    for block, places in blocks(json.loads((NOTEBOOKS / f"{path.stem}.ipynb").read_text(encoding="utf-8"))).items():
        template.add(block, auto_comments=[f"{path.stem}, {place}" for place in places])
    catalog.update(template, update_creation_date=False)
    catalog.fuzzy = False  # the header's mark
    for message in catalog:
        message.flags -= {"python-format", "python-brace-format"}  # Babel sees one in "99 % of"
        if message.fuzzy:
            known = (message.previous_id or [message.id])[0]
            earlier = before.get(known, known)
            changed = earlier.split() != message.id.split()
            message.previous_id = [earlier] if changed else []
            if not changed and known != message.id:
                message.flags.discard("fuzzy")
    return catalog


def faults(path: Path) -> list[str]:
    """What a catalogue lacks, a line each: language, place, what is wrong, and the words to look at."""
    catalog, found = catalogue(path), []
    for message in filter(lambda one: one.id, catalog):
        words, here, there = message.id, kept(message.id), kept(message.string or "")
        if message.fuzzy:
            earlier = " ".join(" ".join(message.previous_id).split())
            sentences = re.split(r"(?<=[.:?!|])\s+", " ".join(words.split()))
            fault, words = "older than its source", next((one for one in sentences if one not in earlier), words)
        elif not message.string:
            fault = "not translated"
        elif here != there:
            fault = f"lacks {[*(here - there).elements()]}, has instead {[*(there - here).elements()]}"
        else:
            continue
        found.append((", ".join(message.auto_comments), fault, words))
    found += [(path.stem, "no longer in the notebook", gone) for gone in catalog.obsolete]
    return [f"{path.parent.name}: {where}: {fault}: {' '.join(words.split())[:70]}" for where, fault, words in found]


def translated(notebook: dict, catalog: Catalog, link: Callable[[str], str] = str) -> dict:
    """A notebook with the words of a catalogue, and a line below its title that says so; `link` turns the links."""

    def text(block: str) -> str:
        message = catalog.get(block)
        return message.string if message and message.string and not message.fuzzy else block

    cells = [dict(cell) for cell in notebook["cells"]]
    for cell in (one for one in cells if one["cell_type"] == "markdown"):
        words = BLOCK.sub(lambda block: text(block[0]), "".join(cell["source"]))
        if cell is cells[0]:
            words = re.sub(r"^# .*", lambda title: f"{title[0]}\n\n{text(NOTE)}", words, count=1, flags=re.MULTILINE)
        words = TARGET.sub(lambda found: found[0] if found[0].startswith("`") else link(found[0]), words)
        cell["source"] = words.splitlines(keepends=True)
    return notebook | {"cells": cells}


def link_from(target: Path, address: str, sources: Path) -> str:
    """Where a notebook's link leads from its translation at `target`: to that language, where it has the page."""
    if "://" in address or address.startswith(("#", "mailto:")):
        return address
    if address.endswith(".ipynb") and (CATALOGUES / target.parent.name / address).with_suffix(".po").exists():
        return address
    source = sources.resolve() / (target.name if address == "SOURCE" else address)
    return Path(os.path.relpath(source, target.parent)).as_posix()


def write(folder: Path, sources: Path = NOTEBOOKS) -> dict[Path, str]:
    """Write every notebook that has a catalogue, into its language's folder; each with the words that lead to it.

    `sources` is the folder in which links find the English notebooks, as on the site.
    """
    written = {}
    for path in sorted(CATALOGUES.glob("*/*.po")):
        target, catalog = folder.resolve() / path.parent.name / f"{path.stem}.ipynb", catalogue(path)
        notebook = json.loads((NOTEBOOKS / target.name).read_text(encoding="utf-8"))
        notebook = translated(notebook, catalog, lambda address, target=target: link_from(target, address, sources))
        target.parent.mkdir(parents=True, exist_ok=True)
        words = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        target.write_text(words, encoding="utf-8", newline="\n")
        written[target] = catalog.get(LINK).string or LINK
    return written


def main(arguments=None) -> int:
    """Update, check, or write; 1 where the check finds something."""
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tools.translate", description=__doc__, formatter_class=kind)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.output:
        print(*write(options.output), sep="\n")
        return 0
    paths = sorted(CATALOGUES.glob("*/*.po"))
    for path in () if options.check else paths:
        catalog = catalogue(path)
        with path.open("wb") as file:  # a line as wide as it is: Babel would break within the earlier English
            write_po(file, catalog, width=10**6, ignore_obsolete=True, include_previous=True)
    found = [fault for path in paths for fault in faults(path)]
    print(*found, f"{len(found)} blocks to see to, in {len(paths)} catalogues", sep="\n")
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
