"""The weights that come with the package, by name; their model cards lie beside them."""

from pathlib import Path

from covidlab.errors import CovidlabError

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
    """The file that is meant: a shipped one by its name, any other by its path or by its run's folder, no other folder.

    >>> find_weights("phantom").name, find_weights("runs/x/best.weights.h5").name
    ('light_unet_phantom_128.weights.h5', 'best.weights.h5')
    """
    path = SHIPPED.get(str(named or DEFAULT)) or Path(named)
    if path.is_dir() and not (path / BEST).is_file():
        raise CovidlabError(path, "a folder that is no run", f"{BEST} in it", "name a run's folder, or a weights file")
    return path / BEST if path.is_dir() else path


def licence_of(path: Path) -> str | None:
    """The licence of a shipped file; None for any other."""
    stems = {stem(shipped): name for name, shipped in SHIPPED.items()}
    if stem(path) not in stems:
        return None
    if stems[stem(path)] == "phantom":
        return "MIT: no patient's data went into them"
    return "CC BY-NC-SA 4.0, as the scans they were trained on (LICENSE-weights): no commercial use"


def stem(path: Path) -> Path:
    """What a `.weights.h5` file and the `.onnx` file beside it have in common: the path without its ending.

    >>> stem(Path("/runs/x/best.weights.h5")).as_posix()
    '/runs/x/best'
    """
    return path.resolve().with_name(path.name.removesuffix(".onnx").removesuffix(".weights.h5"))
