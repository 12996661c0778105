"""The house as docs/architecture.md describes it, and as it stands."""

import re
from pathlib import Path

from tools.house import imports, wings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_wing_is_in_the_picture_and_none_imports_upwards():
    order, (pairs, lines) = wings(), imports()
    assert set(lines) - {"nano"} == set(order)
    assert not [(one, other) for one, other in pairs if order.index(one) > order.index(other)]


def test_the_page_names_every_wing_and_no_file_that_is_not_there():
    for wing in wings():
        assert all(f"`{name}`" in PAGE or f"`{name}/`" in PAGE for name in wing.split(", ")), wing
    named = re.findall(r"`((?:covidlab|tests|studies|tools)/[\w/]*(?:\.py)?)`", PAGE)
    assert len(named) > 20 and not [name for name in named if not (ROOT / name).exists()]
