"""Draw the house: the wings of covidlab, from the roof to the ground, and who imports whom, read from the code.

    python -m tools.house    # writes docs/house.png
"""

import ast
import tomllib
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "house.png"
GROUND = "errors, files, paper, progress, tables, weights"
COLOURS = {"studies": "#E69F00", "tools": "#E69F00", GROUND: "#999999"}


def wing_of(module: str) -> str:
    """The wing that a module belongs to; what all stand on is one."""
    package, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    if package != "covidlab":
        return package
    if (ROOT / "covidlab" / name).is_dir() and name != "weights":
        return name
    return "cli" if name in ("cli", "commands", "cluster", "__main__") else "nano" if name == "nano" else GROUND


def wings() -> list[str]:
    """From the roof to the ground, in the order that import-linter holds."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    names = [name.strip() for layer in layers for name in layer.split("|")]
    return list(dict.fromkeys(map(wing_of, names)))


def imports() -> tuple[set[tuple[str, str]], dict[str, int]]:
    """Pairs of wings, the one that imports first; and the lines of each wing."""
    pairs, lines = set(), {}
    for path in sorted(file for package in ("covidlab", "studies", "tools") for file in (ROOT / package).rglob("*.py")):
        wing, text = wing_of(".".join(path.relative_to(ROOT).with_suffix("").parts)), path.read_text(encoding="utf-8")
        lines[wing] = lines.get(wing, 0) + len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("covidlab", "studies")):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                pairs |= {(wing, wing_of(name if node.module == "covidlab" else node.module)) for name in names}
    return {(one, other) for one, other in pairs if one != other}, lines


def draw() -> Figure:
    """A floor a wing, as wide as it has lines; beside it the wings that it imports. All stand on the ground."""
    order, (pairs, lines) = wings(), imports()
    figure = Figure(figsize=(8, 0.42 * len(order) + 0.4), layout="constrained")
    axes = figure.subplots()
    most = max(lines[wing] for wing in order)
    for floor, wing in enumerate(order):
        wide = 4.0 if wing == GROUND else 1.2 + 2.4 * lines[wing] / most
        axes.add_patch(Rectangle((0, -floor - 0.4), wide, 0.8, color=COLOURS.get(wing, "#56B4E9"), linewidth=0))
        axes.text(0.06, -floor, wing, ha="left", va="center", fontsize=9)
        used = [other for other in order if (wing, other) in pairs and other != GROUND]
        if used:
            axes.text(wide + 0.1, -floor, "\u2193 " + ", ".join(used), va="center", fontsize=8, color="0.35")
    axes.set(xlim=(-0.1, 8), ylim=(-len(order) + 0.4, 0.6))
    axes.set_axis_off()
    title = "Imports go down only. A wing is the wider the more lines it has; beside it what it imports, but the ground"
    axes.set_title(title, fontsize=9, loc="left")
    return figure


if __name__ == "__main__":
    draw().savefig(PICTURE, dpi=110)
    print(PICTURE.relative_to(ROOT))
