"""The weights that come with the package, by name; their model cards lie beside them."""

from pathlib import Path

NETWORKS = ("patch_cnn", "fcn8s", "light_unet", "nano_unet")  # what weights may be of; `covidlab.models` builds them
FOLDER = Path(__file__).parent
SHIPPED = {
    "light_unet": FOLDER / "light_unet_real_128.weights.h5",
    "nano_unet": FOLDER / "nano_unet_real_128.weights.h5",
    "phantom": FOLDER / "light_unet_phantom_128.weights.h5",
}
DEFAULT = "light_unet"
BEST = "best.weights.h5"  # of a run


def find_weights(named: str | Path | None = None) -> Path:
    """The file that is meant: a shipped one by its name, any other by its path or by the folder of its run.

    >>> find_weights("phantom").name, find_weights("runs/x/best.weights.h5").name
    ('light_unet_phantom_128.weights.h5', 'best.weights.h5')
    """
    path = SHIPPED.get(str(named or DEFAULT)) or Path(named)
    return path / BEST if path.is_dir() else path


def licence_of(path: Path) -> str | None:
    """The licence of a shipped file; None for any other."""
    if path.resolve() not in {shipped.resolve() for shipped in SHIPPED.values()}:
        return None
    if path.resolve() == SHIPPED["phantom"].resolve():
        return "MIT: no patient's data went into them"
    return "CC BY-NC-SA 4.0, as the scans they were trained on (LICENSE-weights): no commercial use"
