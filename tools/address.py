"""The repository's address, and its change in every file that names it: `make address REPO=owner/name`.

The one place that holds the address is `Homepage` in pyproject.toml. Badges, set-up cells and links repeat it, because
code hosts and Colab show files as they stand. While the address is a placeholder, notebooks have no badge.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

from covidlab.errors import CovidlabError
from tools.told import told

HOST = "https://github.com/"

# What GitHub lets an owner and a repository be called.
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)(?!.*\.git$)[A-Za-z0-9._-]{1,100}")

# Where an owner and a repository follow: the code host itself, Colab and Binder.
PLACES = (
    r"github\.com",
    r"raw\.githubusercontent\.com",
    r"colab\.research\.google\.com/github",
    r"mybinder\.org/v2/gh",
)

# The owner in a copy that has no address yet.
PLACEHOLDER = "OWNER/"

# A Colab badge with the address that it leads to, as a cell holds it.
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\(([^)]*)\)\n*")

# The same and the empty line below it, at the top of a notebook's file.
BADGE_IN_FILE = re.compile(r' *"\[!\[Open in Colab\].*\n *"\\n",\n')

# Files that may name the address; everything else in the repository must not.
FILES = (
    "pyproject.toml",
    "CITATION.cff",
    "*.md",
    "docs/*.md",
    "data/*.md",
    "notebooks/*.ipynb",
)


def current_address(root: Path) -> str:
    """The "owner/name" of the repository, from pyproject.toml; a `CovidlabError` if `Homepage` has none."""
    path = root / "pyproject.toml"
    homepage = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["urls"]["Homepage"]
    name = homepage.removeprefix(HOST)
    if not homepage.startswith(HOST) or not NAME.fullmatch(name):
        raise CovidlabError(path, f"Homepage {homepage!r}", f"{HOST}owner/name", "mend it by hand")
    return name


def with_badge(notebook: str, address: str, name: str) -> str:
    """A notebook's file as text, with the Colab badge of its address on top, or with none for the placeholder's."""
    bare = BADGE_IN_FILE.sub("", notebook, count=1)
    if address.startswith(PLACEHOLDER):
        return bare
    colab = "https://colab.research.google.com"
    badge = f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{address}/blob/main/notebooks/{name})"
    return re.sub(r'("source": \[\n)( *)', rf'\g<1>\g<2>"{badge}\\n",\n\g<2>"\\n",\n\g<2>', bare, count=1)


def set_address(root: Path, new: str) -> list[Path]:
    """Replace the repository's address by a new "owner/name" everywhere; returns the files that were changed.

    A `CovidlabError` if `new` is not owner/name; no file is changed then.
    """
    if not NAME.fullmatch(new):
        raise CovidlabError("REPO", repr(new), "owner/name as on the code host", "write it like REPO=someone/covidlab")
    old = current_address(root)
    address = re.compile(rf"(https?://(?:{'|'.join(PLACES)})/){re.escape(old)}(?![\w-]|\.(?!git\b)\w)")
    changed = []
    for path in sorted({path for pattern in FILES for path in root.glob(pattern)}):
        # Bytes, so that line ends stay as they are.
        before = path.read_bytes()
        text = address.sub(rf"\g<1>{new}", before.decode("utf-8"))
        after = (with_badge(text, new, path.name) if path.suffix == ".ipynb" else text).encode("utf-8")
        if after != before:
            path.write_bytes(after)
            changed.append(path)
    return changed


@told
def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.address OWNER/NAME`, in the repository's root."""
    parser = argparse.ArgumentParser(prog="python -m tools.address", description=__doc__)
    parser.add_argument("address", metavar="OWNER/NAME")
    changed = set_address(Path.cwd(), parser.parse_args(arguments).address)
    print(f"{len(changed)} files changed")
    for path in changed:
        print(f"  {path.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
