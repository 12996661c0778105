"""One network from several trainings of a recipe: the mean of their weights, which costs no more to run than one.

    python -m studies.average OUT.weights.h5 A.weights.h5 B.weights.h5 C.weights.h5

All have to have begun with the same weights (M. Wortsman et al., "Model soups", 2022, https://arxiv.org/abs/2203.05482);
of trainings from fresh weights it was not tried. The mean looks at mirror images, too, and a light U-Net's sees lungs
at one size (`FILL`); it still has the first one's threshold and no calibration: `studies.calibration` gives it both.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from covidlab.models.networks import save_weights
from covidlab.models.segmenter import open_segmenter

FILL = 7 / 8  # of the grid's side; 0.78 to 0.92 give as much (studies/results/other-sources.md#nearer)


def average(paths: list[Path], out: Path) -> None:
    """Write the mean of the networks in some weights files; it has seen what any of them has."""
    networks = [open_segmenter(path) for path in paths]
    first, *others = networks
    about = first.info
    if other := [one.info for one in others if (one.info.model, one.info.options) != (about.model, about.options)]:
        raise SystemExit(f"{other[0].model} {other[0].options} beside {about.model} {about.options}: name one kind")
    weights = [sum(same) / len(networks) for same in zip(*(one.network.get_weights() for one in networks))]
    first.network.set_weights(weights)
    seen = sorted({case for one in networks for case in one.info.seen})
    told = f"{about.trained_on}; the weights averaged with those of {len(others)} more, of other seeds"
    fill = FILL if about.model == "light_unet" else None
    about = replace(about, trained_on=told, seen=seen, mirror=True, fill=fill, calibration=None)
    save_weights(out, first.network, about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("weights", type=Path, nargs="+")
    options = parser.parse_args()
    average(options.weights, options.out)


if __name__ == "__main__":
    main()
