"""The course as a web site: one folder that any file server serves, and that asks no other host for anything.

    python -m tools.site OUT             lay the pages out, run Sphinx, add what the labs need
    python -m tools.site OUT --check     look for what must not be in OUT, and build nothing

Notebooks are shown as stored; nothing is run. What the labs need is fetched once: see `tools.site_labs`.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tools.address import BADGE
from tools.site_faults import faults_of
from tools.site_labs import add_labs
from tools.slides import write_decks
from tools.translate import write as write_translations

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "site"  # what is laid out, and the archive
SLIDES = '\n\n<a href="../slides/{}.html">Slides of this notebook, with speaker notes (key S)</a>'
IN_ANOTHER = ' · <a href="{0}/{2}.html" hreflang="{1}" lang="{1}">{3}</a>'
TREE = "```{{toctree}}\n:hidden:\n:caption: {}\n\n{}\n```\n"


def main(arguments=None) -> int:
    """Build the site, or check one; 1 where it must not be published."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true", help="only look for what must not be in it")
    options = parser.parse_args(arguments)
    if not options.check:
        laid_out = lay_out(KEPT / "pages")
        if (options.out / ".buildinfo").exists():  # an older site, as Sphinx marks it: a page that is gone must go
            shutil.rmtree(options.out)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", ROOT / "site"]
        if code := subprocess.run([*command, "-d", KEPT / "doctrees", laid_out, options.out]).returncode:
            return code
        add_labs(options.out / "_static" / "labs")
        write_decks(options.out / "slides", figures="../_images")
    pages = len(list(options.out.rglob("*.html")))
    faults = faults_of(options.out) if pages else ["no page; `make site` builds them"]
    print(*faults, sep="\n", end="\n" if faults else "")
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out}: {pages} pages, {size / 1e6:.1f} MB, {len(faults)} faults")
    return 1 if faults else 0


def lay_out(pages: Path) -> Path:
    """Copy all that is read or linked to, in the repository's own order, so that links stay right."""
    shutil.rmtree(pages, ignore_errors=True)
    left_out = shutil.ignore_patterns("__pycache__", "*.h5", "*.onnx", "*.ipynb")
    for folder in ("docs", "studies", "covidlab", "tools"):
        shutil.copytree(ROOT / folder, pages / folder, ignore=left_out)
    shutil.copytree(ROOT / "site" / "labs", pages / "labs", ignore=shutil.ignore_patterns("*.js", "*.css"))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("LICENSE*"), ROOT / "data" / "README.md", ROOT / "CITATION.cff"):
        (pages / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, pages / path.relative_to(ROOT))
    (pages / "notebooks").mkdir()
    links, trees = defaultdict(str), defaultdict(list)
    for path, words in write_translations(pages / "notebooks", pages / "notebooks").items():
        language = path.parent.name
        links[path.name] += IN_ANOTHER.format(language, language.replace("_", "-"), path.stem, words)
        trees[words].append(lay_notebook(path, path, f"notebooks/{language}"))
    listed = [
        lay_notebook(path, pages / "notebooks" / path.name, "notebooks", SLIDES.format(path.stem) + links[path.name])
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    ]
    index = (ROOT / "site" / "index.md").read_text(encoding="utf-8").replace("NOTEBOOKS", "\n".join(listed))
    translations = "\n".join(TREE.format(words, "\n".join(lines)) for words, lines in trees.items())
    (pages / "index.md").write_text(index.replace("TRANSLATIONS", translations), encoding="utf-8")
    return pages


def lay_notebook(path: Path, target: Path, folder: str, below: str = "") -> str:
    """Write a notebook as it is read, with more below its first text; returns its line in the list of pages."""
    notebook = for_reading(json.loads(path.read_text(encoding="utf-8")))
    notebook["cells"][0]["source"] += below
    target.write_text(json.dumps(notebook), encoding="utf-8")
    title = re.search(r"^# (.+)$", notebook["cells"][0]["source"], re.M)[1]
    return f"{path.name[:2]} {title} <{folder}/{path.stem}>"


def for_reading(notebook: dict) -> dict:
    """A notebook with its folded cells folded on the page, too, and without what only JupyterLab or Colab can show."""
    for cell in notebook["cells"]:
        text, hidden = "".join(cell["source"]), cell["metadata"].get("jupyter", {})
        if cell["cell_type"] == "markdown":
            cell["source"] = BADGE.sub(r"[Open in Colab](\1)\n\n", text)  # the badge's picture lies on another host
            continue
        folded = [part for part, name in (("input", "source_hidden"), ("output", "outputs_hidden")) if hidden.get(name)]
        if folded:
            part = "cell" if len(folded) == 2 and cell["outputs"] else folded[0]
            title = text.split("\n")[0].removeprefix("# @title ") if part != "output" else "What it shows"
            cell["metadata"].setdefault("tags", []).append(f"hide-{part}")
            cell["metadata"]["mystnb"] = {"code_prompt_show": title, "code_prompt_hide": title}
        cell["outputs"] = [one for one in cell["outputs"] if not shows_progress(one)]
    return notebook


def shows_progress(output: dict) -> bool:
    """Whether an output is a progress bar, which is of no use once its cell has run."""
    return "".join(output.get("data", {}).get("text/plain", "")).startswith("[progress bar:")


if __name__ == "__main__":
    sys.exit(main())
