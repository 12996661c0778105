"""Questions that the paper raises, each answered by runs that differ in one thing.

A study takes a run's config, changes it once for each variant, runs all of them on the same split seeds with the same
number of updates, and puts the scores side by side. It decides nothing: variants are compared on validation, and the
test column is for reading at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import PAPER_SCORES
from covidlab.tables import mean_and_range
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import OPTIONS, PATCHES, Config
from covidlab.training.runs import Run, run_experiment


@dataclass(frozen=True)
class Study:
    """A question, and the variants that answer it."""

    question: str
    paper: str  # What the paper says of it, with the section
    # By label, what is changed: fields of `Config`; under "recipe", fields of `covidlab.training.recipe.Recipe`.
    variants: Mapping[str, Mapping]


STUDIES = {
    "models": Study(
        "How do the models compare on training, validation and test slices?",
        "III.C, Figs. 5 and 6: the U-Net is below FCN-8s on training and validation slices and above it on test slices",
        {
            "patch_cnn": {"model": "patch_cnn", "options": {}, "recipe": {"batch_size": PATCHES}},
            "fcn8s": {"model": "fcn8s", "options": OPTIONS["lesson"]["fcn8s"]},
            "light_unet": {"model": "light_unet", "options": {}},
            "nano_unet": {"model": "nano_unet", "options": {}},
        },
    ),
    "negatives": Study(
        "What does leaving negative slices out of training gain, and what does it cost on negative slices?",
        "III.B: slices without positive annotations were excluded from training",
        {
            "none (the paper)": {"recipe": {"negatives_per_positive": 0.0}},
            "1 for 2 positive": {"recipe": {"negatives_per_positive": 0.5}},
            "all": {"recipe": {"negatives_per_positive": None}},
        },
    ),
    "losses": Study(
        "Which loss stands up to one lesion pixel in eighty?",
        "names no loss; III.B speaks of other performance metrics during training",
        {loss.replace("_", " "): {"recipe": {"loss": loss}} for loss in LOSSES},
    ),
    "annotated": Study(
        "How many annotated slices does it take?",
        "I.B: requires a limited annotated dataset",
        {str(number): {"recipe": {"annotated": number}} for number in (12, 25, 50, 100, 200, 400)},
    ),
    "widths": Study(
        "How small may the network be?",
        "III.B: building models of limited complexity",
        {
            "-".join(map(str, widths)): {"options": {"widths": widths}}
            for widths in ((2, 4, 8, 16, 32), (4, 8, 16, 32, 64), (8, 16, 32, 64, 128), (12, 24, 48, 96, 192))
        },
    ),
    "joins": Study(
        "Do skips that concatenate do better than skips that add?",
        "II.A.2: the U-Net concatenates where FCN-8s adds",
        {join: {"options": {"join": join}} for join in ("concatenate", "sum")},
    ),
    "symmetry": Study(
        "Does the way up need as many feature maps as the way down?",
        "II.A.2: the U-Net is symmetric, with a large number of feature maps in the upsampling path",
        {  # the last has 123,233 weights, the first 121,089: it does not fall behind for want of weights
            "symmetric": {"model": "nano_unet", "options": {}},
            "half up": {"model": "nano_unet", "options": {"up_widths": (4, 8, 16)}},
            "a quarter up": {"model": "nano_unet", "options": {"up_widths": (2, 4, 8)}},
            "a quarter up and wider down": {
                "model": "nano_unet", "options": {"widths": (10, 20, 40, 80), "up_widths": (2, 4, 8)}
            },
        },
    ),
    "borders": Study(
        "What do wrong borders in the annotations of the training slices do?",
        "III.B: man-made annotations are prone to errors on boundaries",
        {f"{pixels} px": {"recipe": {"border_error": float(pixels)}} for pixels in (0, 1, 2)},
    ),
}


def find_study(name: str) -> Study:
    """The study of a name; a `CovidlabError` if there is none."""
    if name not in STUDIES:
        raise CovidlabError("study", repr(name), f"one of {', '.join(STUDIES)}", "`study list` shows them")
    return STUDIES[name]


def choose(study: Study, names: Sequence[str]) -> Mapping[str, Mapping]:
    """Some variants of a study, in its order; all if none is named. A `CovidlabError` if it has none of a name."""
    if unknown := [name for name in names if name not in study.variants]:
        raise CovidlabError("--variants", repr(unknown[0]), f"names among {', '.join(study.variants)}", "correct it")
    return {label: changes for label, changes in study.variants.items() if not names or label in names}


def change(config: Config, changes: Mapping) -> Config:
    """A config with one variant's changes."""
    changes = dict(changes)
    recipe = replace(config.recipe, **changes.pop("recipe", {}))
    return replace(config, recipe=recipe, **changes)


def run_variants(
    variants: Mapping[str, Mapping], base: Config, cache: SliceCache, folder: Path, seeds: Sequence[int]
) -> dict[str, list[Run]]:
    """Run every variant of a study on every seed, each in a folder of its own; what is finished is read, what was
    interrupted goes on."""
    return {
        label: [
            run_experiment(replace(change(base, changes), seed=seed), cache, folder / label.replace(" ", "-"))
            for seed in seeds
        ]
        for label, changes in variants.items()
    }


def study_table(found: Mapping[str, Sequence[Run]]) -> list[dict[str, str]]:
    """A line for each variant and part, as column -> text: the paper's four scores, mean of the seeds with the range.

    Scores are pooled over all pixels of a part, negative slices included.
    """
    return [
        {"variant": label, "part": part}
        | {score: mean_and_range([run.scores[part][score] for run in runs]) for score in PAPER_SCORES}
        for label, runs in found.items()
        for part in PARTS
    ]
