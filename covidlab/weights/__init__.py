"""The weights that come with the package, by name; their model cards lie beside them."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent

REAL_LICENCE = "CC BY-NC-SA 4.0, as the scans they were trained on (LICENSE-weights): no commercial use"


@dataclass(frozen=True)
class ShippedWeights:
    """A weights file that comes with the package."""

    path: Path
    licence: str  # Of the weights, in words


SHIPPED = {
    "light_unet": ShippedWeights(FOLDER / "light_unet_real_128.weights.h5", REAL_LICENCE),
    "nano_unet": ShippedWeights(FOLDER / "nano_unet_real_128.weights.h5", REAL_LICENCE),
    "phantom": ShippedWeights(FOLDER / "light_unet_phantom_128.weights.h5", "MIT: no patient's data went into them"),
}

DEFAULT = "light_unet"


def find_weights(named: str | Path | None = None) -> Path:
    """The file that is meant: a shipped one by its name, or any other by its path.

    Examples
    --------
    >>> find_weights("phantom").name, find_weights("runs/x/best.weights.h5").name
    ('light_unet_phantom_128.weights.h5', 'best.weights.h5')
    """
    named = named or DEFAULT
    return SHIPPED[str(named)].path if str(named) in SHIPPED else Path(named)


def licence_of(path: Path) -> str | None:
    """The licence of a shipped file; None for any other."""
    return next((one.licence for one in SHIPPED.values() if one.path.resolve() == path.resolve()), None)
