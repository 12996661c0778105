"""Why short trainings collapsed, and what mends it: one recipe of notebook 06, changed in one thing at a time.

    python -m studies.collapse    # writes studies/results/collapse.csv and .md

Each variant trains from ten seeds, which fix the split and the first weights. What counts is the best validation F1.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.cohorts import open_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.models import MODELS
from covidlab.progress import progress_bar
from covidlab.tables import mean_and_range, write_table
from covidlab.training.fit import train
from studies.lessons import CONTEST

ROOT = Path(__file__).resolve().parents[1]
SEEDS = range(10)
# What differs: fields of the recipe, the output's first bias, whether the normalised twin learns.
VARIANTS = {
    "as it was": ({"learning_rate": 5e-3}, None, False),
    "normalised": ({"learning_rate": 5e-3}, None, True),
    "a lower rate": ({"learning_rate": 2e-3}, None, False),
    "cross-entropy alone": ({"learning_rate": 5e-3, "loss": "cross_entropy"}, None, False),
    "output from one half": ({"learning_rate": 5e-3}, 0.0, False),
    "normalised, a lower rate": ({"learning_rate": 2e-3}, None, True),
}


def best_f1(variant: str, seed: int, cache) -> float:
    """Train once; the best validation F1 of its epochs."""
    changes, bias, normalised = VARIANTS[variant]
    config = replace(CONTEST["as many negative"], seed=seed)
    recipe = replace(config.recipe, **changes)
    keras.utils.set_random_seed(seed)
    model = MODELS[config.model](**config.options)
    twin = MODELS[config.model](**config.options, normalised=True) if normalised else None
    if bias is not None:
        model.get_layer("probability").bias.assign([bias])
    with tempfile.TemporaryDirectory() as folder:
        history = train(model, cache, config.split(cache), recipe, Path(folder), lambda epoch: None, twin)
    return max(epoch.validation_f1 for epoch in history)


def main() -> None:
    cache = open_slice_cache(open_cohort(), size=64)
    rows = []
    with progress_bar("trainings") as progress:
        for variant in VARIANTS:
            f1 = []
            for seed in SEEDS:
                progress(len(rows) * len(SEEDS) + seed, len(VARIANTS) * len(SEEDS), variant)
                f1.append(best_f1(variant, seed, cache))
            nothing = sum(value < 0.35 for value in f1)
            rows.append({"variant": variant, "below 0.35": f"{nothing} of {len(f1)}", "median": f"{np.median(f1):.2f}",
                         "mean and range": mean_and_range(f1, 2)})  # fmt: skip
            write_table(
                ROOT / "studies" / "results" / "collapse", "Short trainings that collapse", rows,
                "Best validation F1 of the light U-Net with three levels, as many negative slices as positive ones, "
                "180 updates of 8 slices. 0.35 is half of what such trainings reach where none collapses.",
                command="python -m studies.collapse", data="phantom-lesson", protocol="slice", grid="64",
                seeds="0 to 9",
            )  # fmt: skip


if __name__ == "__main__":
    main()
