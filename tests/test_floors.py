"""The imports of the package against the floors that docs/architecture.md gives its modules."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for path in (ROOT / "covidlab").rglob("*.py") if path.name != "__main__.py")
RULE = "A module imports only from floors below its own, and from modules named before it on its own floor."


def module_of(path):
    """A file's module, or the package that it belongs to: `models` is one module with several files."""
    return path.relative_to(ROOT / "covidlab").parts[0].removesuffix(".py")


def places(page):
    """Module -> (floor, how manieth name on it); rows of one floor are read on from each other."""
    rows = re.findall(r"^\| (\d) \| (.*) \|$", page, re.MULTILINE)
    named = [(int(floor), name) for floor, text in rows for name in re.findall(r"`([a-z_]+)`", text)]
    assert len({name for _, name in named}) == len(named), "a module has one place"
    return {name: (floor, place) for place, (floor, name) in enumerate(named)}


def imported(path):
    """The modules of the package that a file imports, at its head or within a function, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports name the package in full"
            names = [node.module] if "." in node.module else [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("covidlab."):
                yield name.split(".")[1], node.lineno


PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = places(PAGE)


def test_every_module_has_a_floor_and_every_name_on_a_floor_is_a_module():
    assert set(PLACES) == {module_of(path) for path in MODULES} - {"__init__"}
    assert RULE in PAGE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "covidlab")))
def test_a_module_imports_from_what_stands_below_it(path):
    module = module_of(path)
    floor, place = PLACES.get(module, (0, 0))  # the package itself, which every module may import, imports none
    wrong = [
        f"{path.name}:{line} imports {name}"
        for name, line in imported(path)
        if name in PLACES and name != module and not (PLACES[name][0] < floor or floor == PLACES[name][0]
                                                      and PLACES[name][1] < place)
    ]  # fmt: skip
    assert not wrong, f"{module} stands on floor {floor}; {'; '.join(wrong)}"


def test_an_import_from_above_would_be_found(tmp_path):
    page = "| 2 | `top`: x; `second` |\n| 2 | `third` |\n| 1 | `low` |\n"
    assert places(page) == {"top": (2, 0), "second": (2, 1), "third": (2, 2), "low": (1, 3)}
    text = "import covidlab.top\nfrom covidlab import low, second\n\ndef f():\n    from covidlab.third.deep import x\n"
    (tmp_path / "one.py").write_text(text)
    assert list(imported(tmp_path / "one.py")) == [("top", 1), ("low", 2), ("second", 2), ("third", 5)]
