"""One run: a cohort, a protocol, a model and a seed in; a folder with everything that came of it out.

    config.json       what was asked for; a folder with another config is refused
    history.csv       a line an epoch
    best.weights.h5   the epoch that validation chose, with its grid and threshold, without optimiser state
    scores.json       train, validation and test by the paper's four scores, and the counts they come from
    figures/          history.png, scores.png

A finished run is read, not repeated; an interrupted one goes on.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from covidlab import __version__, figures, paper
from covidlab.errors import CovidlabError
from covidlab.imbalance import LOSSES
from covidlab.metrics import PAPER_SCORES, Counts
from covidlab.models import MODELS
from covidlab.progress import Progress, silent
from covidlab.slice_cache import SliceCache
from covidlab.splits import PARTS, PROTOCOLS, Split, leak_sentence, patient_folds, split_by_patient, split_by_slice
from covidlab.tensorflow_quiet import keras
from covidlab.training import THRESHOLDS, Epoch, Recipe, best_threshold, count_slices, read_history, train
from covidlab.weights_file import WeightsInfo, load_model, save_weights

# The phantom is easier than patients and a lesson is short; on real slices more updates come before anything clever.
PHANTOM_UPDATES, REAL_UPDATES = 1000, 7500
WEIGHTS = "best.weights.h5"
# A window costs about a five-hundredth of what a slice of 128 px costs the U-Net.
WINDOWS = 512
# Pixels a side. The record's own 630 is no multiple of 16: the U-Net pads it to 640 inside.
GRIDS = {"lesson": 128, "paper": paper.SLICE_SIZE}
# FCN-8s at its published width has 134 million parameters; at a quarter, 8 million, a CPU can train it.
OPTIONS = {"lesson": {"fcn8s": {"width": 0.25}}, "paper": {}}


def recipe_for(is_phantom: bool, updates: int | None = None, model: str = "light_unet") -> Recipe:
    """The default recipe for a cohort and a model, at the cohort's own number of updates or at another."""
    if model == "patch_cnn":
        return replace(recipe_for(is_phantom, updates), batch_size=WINDOWS)
    if is_phantom:
        # Few updates: small batches, and some negative slices, since there is no time to learn from positive ones alone
        # what is no lesion.
        updates = updates or PHANTOM_UPDATES
        return Recipe(
            updates=updates, updates_per_epoch=min(updates, 100), batch_size=4, negatives_per_positive=0.3
        )
    updates = updates or REAL_UPDATES
    return Recipe(updates=updates, updates_per_epoch=min(updates, 250))


def change_recipe(recipe: Recipe, loss: str | None = None, negatives: str | None = None) -> Recipe:
    """A recipe with another loss, or another number of negative slices for each positive one; None leaves either.

    Parameters
    ----------
    recipe : Recipe
    loss : str, optional
    negatives : str, optional
        A number in words of a command line, or "all".

    Raises
    ------
    CovidlabError
        If there is no such loss or no such number.
    """
    if loss is not None:
        if loss not in LOSSES:
            raise CovidlabError("--loss", repr(loss), f"one of {', '.join(LOSSES)}", "correct the name")
        recipe = replace(recipe, loss=loss)
    if negatives is not None:
        recipe = replace(recipe, negatives_per_positive=_ratio(negatives))
    return recipe


def _ratio(word: str) -> float | None:
    """A number of 0 or more; None for "all"."""
    try:
        ratio = None if word == "all" else float(word)
        if ratio is not None and not 0 <= ratio < float("inf"):
            raise ValueError
    except ValueError as error:
        raise CovidlabError("--negatives", repr(word), "a number of 0 or more, or `all`", "correct it") from error
    return ratio


def check_models(names: Sequence[str]) -> list[str]:
    """The named models, if all exist.

    Raises
    ------
    CovidlabError
        If one does not.
    """
    for name in names:
        if name not in MODELS:
            raise CovidlabError("--models", repr(name), f"names among {', '.join(MODELS)}", "correct the name")
    return list(names)


@dataclass(frozen=True)
class Config:
    """What a run is asked to do.

    Parameters
    ----------
    cohort : str
    grid : int
        Pixels a side.
    protocol : "slice" or "patient"
    seed : int
        Of the split and of the training.
    model : str
        A name in `covidlab.models.MODELS`.
    options : mapping
        What the model's function is called with.
    test_patients : sequence of str
        Who is held out under the protocol "patient"; empty means fold `seed` of four (`patient_folds`).
    recipe : Recipe
    cases : sequence of str
        Names of the cases used, so that a subset is never taken for the whole.
    """

    cohort: str
    grid: int
    protocol: str
    seed: int
    model: str = "light_unet"
    options: Mapping = field(default_factory=dict)
    test_patients: Sequence[str] = ()
    recipe: Recipe = field(default_factory=Recipe)
    cases: Sequence[str] = ()

    def split(self, cache: SliceCache) -> Split:
        """The split of this run's cohort."""
        return make_split(cache, self.protocol, self.seed, self.test_patients)

    @property
    def sentence(self) -> str:
        """Data, protocol, grid and seed: what every score must be read with."""
        return f"{self.cohort}, protocol {self.protocol}, {self.grid} px, seed {self.seed}"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    folder : Path
    config : Config
    counts : mapping of part name -> Counts
        Pooled over all slices of the part, negative slices included, at `threshold`.
    threshold : float
    history : tuple of Epoch
    leak : str
        What the leak check said.
    """

    folder: Path
    config: Config
    counts: Mapping[str, Counts]
    threshold: float
    history: tuple[Epoch, ...]
    leak: str

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Part -> the paper's four scores."""
        return {part: counts.scores() for part, counts in self.counts.items()}

    @property
    def weights(self) -> Path:
        """The file of the epoch that validation chose."""
        return self.folder / WEIGHTS

    def model(self) -> tuple[keras.Model, WeightsInfo]:
        """The trained model, with what its weights say of themselves."""
        return load_model(self.weights)


def make_split(cache: SliceCache, protocol: str, seed: int, test_patients: Sequence[str] = ()) -> Split:
    """The split that a protocol and a seed mean for a cohort.

    Raises
    ------
    CovidlabError
        If the protocol is unknown, or the cohort has too few patients or none of the named ones.
    """
    try:
        if protocol == "slice":
            if test_patients:
                raise ValueError("test patients are named, which only the protocol patient can hold out")
            return split_by_slice(len(cache), seed)
        if protocol == "patient":
            folds = patient_folds(cache.patients, folds=min(4, len(set(cache.patients)))) if not test_patients else ()
            return split_by_patient(cache.patients, test_patients or folds[seed % len(folds)], seed)
    except ValueError as problem:
        raise CovidlabError(
            f"protocol {protocol}",
            str(problem),
            "a split with slices in all three parts",
            "change --protocol or --test-patients",
        ) from problem
    raise CovidlabError("protocol", repr(protocol), " or ".join(PROTOCOLS), "choose one of them")


def run_experiment(config: Config, cache: SliceCache, folder: Path, progress: Progress = silent) -> Run:
    """Train, choose on validation, score all three parts, and keep everything in a folder.

    Parameters
    ----------
    config : Config
    cache : SliceCache
        Of the cohort and the grid that the config names.
    folder : Path
        Made if missing. Holding a finished run of the same config, it is read; an interrupted one, gone on with.
    progress : callable (done, total, text)

    Returns
    -------
    Run

    Raises
    ------
    CovidlabError
        If the folder holds a run of another config, or cannot be written.
    """
    config = replace(config, cases=tuple(dict.fromkeys(cache.cases.tolist())))
    split = config.split(cache)
    leak = leak_sentence(split, cache.patients)
    _claim(folder, config)
    if (folder / "scores.json").exists():
        return read_run(folder)

    weights = folder / WEIGHTS
    keras.utils.set_random_seed(config.seed)
    model = MODELS[config.model](**config.options)

    def save_best(epoch: Epoch) -> None:
        info = WeightsInfo(
            model=config.model, options=dict(config.options), grid=config.grid, threshold=epoch.threshold,
            trained_on=config.sentence,
        )  # fmt: skip
        save_weights(weights, model, info)

    history = train(model, cache, split, config.recipe, folder, save_best, progress)
    best, info = load_model(weights)
    counts = {
        part: count_slices(best, cache, split.part(part), np.array([info.threshold]))[0] for part in PARTS
    }  # fmt: skip
    run = Run(folder, config, counts, info.threshold, tuple(history), leak)
    (folder / "figures").mkdir(exist_ok=True)
    figures.save(figures.history_figure(history, config.sentence), folder / "figures" / "history.png")
    figures.save(figures.scores_figure(counts, f"{config.model}: {config.sentence}"), folder / "figures" / "scores.png")
    # Last, since it says that the run is finished.
    write_json(folder / "scores.json", _as_json(run))
    return run


def score_mirrored(run: Run, cache: SliceCache) -> Run:
    """The same weights, used with each slice's mirror image too: often better, at twice the time for a slice.

    Parameters
    ----------
    run : Run
        Finished. Its folder gains mirrored.json and mirrored.weights.h5, whose description makes `predict` do likewise.
    cache : SliceCache
        Of the run's cohort and grid.

    Returns
    -------
    Run
        With the counts and the threshold of mirrored prediction; the threshold is again chosen on validation.
    """
    path = run.folder / "mirrored.json"
    if path.exists():
        found = json.loads(path.read_text())
        counts = {part: Counts(**values) for part, values in found["counts"].items()}
        return replace(run, counts=counts, threshold=found["threshold"])
    model, info = run.model()
    split = run.config.split(cache)
    threshold, _ = best_threshold(count_slices(model, cache, split.validation, THRESHOLDS, mirror=True), THRESHOLDS)
    counts = {
        part: count_slices(model, cache, split.part(part), np.array([threshold]), mirror=True)[0] for part in PARTS
    }
    save_weights(run.folder / "mirrored.weights.h5", model, replace(info, mirror=True, threshold=threshold))
    write_json(path, {"threshold": threshold, "counts": {part: asdict(one) for part, one in counts.items()}})
    return replace(run, counts=counts, threshold=threshold)


def read_run(folder: Path) -> Run:
    """Read a finished run.

    Raises
    ------
    CovidlabError
        If the folder holds none.
    """
    try:
        config = _config_of(folder)
        found = json.loads((folder / "scores.json").read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CovidlabError(
            folder,
            "no finished run",
            "a folder with config.json and scores.json",
            "name the folder of a run, or finish it with `covidlab train`",
        ) from error
    counts = {part: Counts(**values["counts"]) for part, values in found["parts"].items()}
    history = tuple(read_history(folder / "history.csv"))
    return Run(folder, config, counts, found["threshold"], history, found["leak"])


def _claim(folder: Path, config: Config) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "config.json").exists():
            # Compared as JSON keeps them: a tuple of widths comes back as a list.
            there, wanted = (json.loads(json.dumps(asdict(one))) for one in (_config_of(folder), config))
            if there != wanted:
                different = [key for key, value in wanted.items() if there[key] != value]
                raise CovidlabError(
                    folder,
                    f"a run with another {', '.join(different)}",
                    "an empty folder or a run of the same config",
                    "name another folder with --out, or delete this one",
                )
        else:
            write_json(folder / "config.json", {**asdict(config), "covidlab": __version__})
    except OSError as error:
        raise CovidlabError(
            folder,
            f"a folder that cannot be written ({error.strerror})",
            "room for a run",
            "choose another folder with --out",
        ) from error


def _config_of(folder: Path) -> Config:
    found = json.loads((folder / "config.json").read_text())
    found.pop("covidlab")
    found["recipe"] = Recipe(**found["recipe"])
    for name in ("test_patients", "cases"):
        found[name] = tuple(found[name])
    return Config(**found)


def _as_json(run: Run) -> dict:
    return {
        "data": run.config.cohort,
        "protocol": run.config.protocol,
        "seed": run.config.seed,
        "grid": run.config.grid,
        "threshold": run.threshold,
        "leak": run.leak,
        "training_seconds": round(run.history[-1].seconds, 1),
        "parts": {part: {**rounded(run.scores[part]), "counts": asdict(counts)} for part, counts in run.counts.items()},
    }


def rounded(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores for JSON, which knows no nan: a score that is not defined is null."""
    return {name: None if np.isnan(value) else round(value, 6) for name, value in scores.items()}


def write_json(path: Path, content: dict) -> None:
    """Write JSON under a temporary name first, so that a reader never sees half of it."""
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(scratch, path)


def summary(runs: Mapping[str, Run]) -> dict:
    """What `covidlab reproduce` writes as scores.json: the setting, and each model's scores by part."""
    first = next(iter(runs.values())).config
    profile = next((name for name, grid in GRIDS.items() if grid == first.grid), f"{first.grid} px")
    return {
        "data": first.cohort,
        "cases": list(first.cases),
        "protocol": first.protocol,
        "profile": profile,
        "grid": first.grid,
        "seed": first.seed,
        "models": {name: {part: rounded(scores) for part, scores in run.scores.items()} for name, run in runs.items()},
    }


def score_table(runs: Mapping[str, Run]) -> str:
    """The scores of several models as a Markdown table, a row a model and part."""
    lines = ["| model | part | precision | recall | accuracy | F1 |", "|---|---|---|---|---|---|"]
    for name, run in runs.items():
        for part, scores in run.scores.items():
            lines.append(f"| {name} | {part} | " + " | ".join(f"{scores[key]:.3f}" for key in PAPER_SCORES) + " |")
    return "\n".join(lines)
