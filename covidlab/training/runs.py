"""One run: a cohort, a protocol, a model and a seed in; a folder with everything that came of it out.

    config.json       what was asked for
    history.csv       a line an epoch
    best.weights.h5   the epoch that validation chose, with its grid and threshold, without optimiser state
    scores.json       train, validation and test by the paper's four scores, and the counts they come from

The folder is named by a digest of what was asked and of the slices. So a finished run is read, not repeated; an
interrupted one goes on; and what is asked otherwise lands elsewhere.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from covidlab import __version__
from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS, Split, leak_sentence
from covidlab.errors import CovidlabError, reason
from covidlab.evaluation.counts import Counts
from covidlab.files import claim, from_json, whole_file
from covidlab.models.networks import MODELS, save_weights
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.models.weights_file import LARGEST_GRID, WeightsInfo
from covidlab.training.batches import training_slices
from covidlab.training.fit import HISTORY, read_history, train
from covidlab.training.recipe import Config, Epoch, Recipe
from covidlab.training.thresholds import count_slices
from covidlab.weights import BEST


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    config: Config
    counts: Mapping[str, Counts]  # By part, pooled over all its slices, negative ones included, at `threshold`
    threshold: float
    history: tuple[Epoch, ...]
    leak: str  # What the leak check said

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Part -> the paper's four scores."""
        return {part: counts.scores() for part, counts in self.counts.items()}

    @property
    def warning(self) -> str:
        """One line on a network that has learnt nothing, with what to do; empty for all others.

        Nothing is what an empty mask knows, whose F1 is 0, or one that marks every pixel: it has a recall of 1, and
        for precision the share of lesion.
        """
        found = self.counts["validation"]
        lesion = found.tp + found.fn
        if not lesion or found.f1 > 2 * lesion / (lesion + found.total):
            return ""
        return (
            f"{self.folder}: found a network that has learnt nothing (validation F1 {found.f1:.3f}, no better than an "
            "empty mask or one that marks everything); expected more: train it with more updates, another seed or a "
            "lower learning rate, and do not use its weights."
        )

    @property
    def weights(self) -> Path:
        """The file of the epoch that validation chose."""
        return self.folder / BEST

    @property
    def segmenter(self) -> Segmenter:
        """The trained network with its threshold, read from `weights` anew each time."""
        return open_segmenter(self.weights)


def asked_for(config: Config, cache: SliceCache) -> dict:
    """A config with the cases of a cache, as config.json keeps it: lists in place of tuples."""
    return json.loads(json.dumps(asdict(replace(config, cases=tuple(dict.fromkeys(cache.cases.tolist()))))))


def run_name(config: Config, cache: SliceCache) -> str:
    """The name of a run's folder: for people, then a digest of all that decides how it ends."""
    asked = json.dumps([asked_for(config, cache), cache.content, __version__], sort_keys=True)
    digest = hashlib.sha256(asked.encode()).hexdigest()[:8]
    return f"{config.model}-{config.protocol}-seed{config.seed}-{digest}"


def run_experiment(config: Config, cache: SliceCache, home: Path) -> Run:
    """Train, choose on validation, score all three parts, and keep everything in a folder of its own below `home`.

    The cache is of the cohort and the grid that the config names. Asked the same again, a finished run is read, and an
    interrupted one gone on with. One that has learnt nothing is never kept, nor read, without a `RuntimeWarning`.

    Raises CovidlabError: if the folder cannot be written, or another process is at work in it; if no training slice
    shows a lesion.
    """
    split = config.split(cache)
    try:
        training_slices(cache, split, config.recipe)
    except ValueError as problem:
        raise CovidlabError(
            config.sentence, str(problem), "slices with lesion in the training part",
            "change the cases, the protocol, the test patients or the seed",
        ) from problem  # fmt: skip
    folder = home / run_name(config, cache)
    if not (folder / "scores.json").exists():  # reading needs no right to write
        with claim(folder / ".run.lock"):
            if not (folder / "scores.json").exists():  # whoever was at work a moment ago may have finished it
                write_json(folder / "config.json", asked_for(config, cache))
                _train_and_score(config, cache, split, folder)
    return read_run(folder)


def _train_and_score(config: Config, cache: SliceCache, split: Split, folder: Path) -> None:
    """Train from fresh weights, score, and write it all down."""
    keras.utils.set_random_seed(config.seed)
    model = MODELS[config.model](**config.options)
    # The patch CNN has no twin, and needs none.
    twin = None if config.model == "patch_cnn" else MODELS[config.model](**config.options, normalised=True)
    seen = sorted(set(cache.cases[np.concatenate([split.train, split.validation])].tolist()))

    def save_best(epoch: Epoch) -> None:
        about = {"trained_on": config.sentence, "seen": seen, "options": dict(config.options)}
        save_weights(folder / BEST, model, WeightsInfo(config.model, config.grid, epoch.threshold, **about))

    history = train(model, cache, split, config.recipe, folder, save_best, twin)
    best, counts = open_segmenter(folder / BEST), {}
    for part in PARTS:
        (counts[part],) = count_slices(best.network, cache, split.part(part), np.array([best.threshold]))
    run = Run(folder, config, counts, best.threshold, tuple(history), leak_sentence(split, cache.patients))
    # Last, since it says that the run is finished.
    write_json(folder / "scores.json", {
        "data": config.cohort, "protocol": config.protocol, "seed": config.seed, "grid": config.grid,
        "threshold": run.threshold, "leak": run.leak, "training_seconds": round(history[-1].seconds, 1),
        "warning": run.warning,
        "parts": {part: {**rounded(run.scores[part]), "counts": asdict(counts[part])} for part in PARTS},
    })  # fmt: skip


def read_run(folder: Path) -> Run:
    """Read a finished run; a `RuntimeWarning` says of one that it has learnt nothing.

    Raises CovidlabError: if the folder holds none.
    """
    try:
        asked = json.loads((folder / "config.json").read_text())
        found = json.loads((folder / "scores.json").read_text())
        config = from_json(Config, asked | {"recipe": from_json(Recipe, asked["recipe"])})
        if not 0 < config.grid <= LARGEST_GRID:
            raise ValueError(f"a grid of {config.grid}")
        counts = {part: from_json(Counts, found["parts"][part]["counts"]) for part in PARTS}
        history = tuple(read_history(folder / HISTORY))
        run = Run(folder, config, counts, float(found["threshold"]), history, str(found["leak"]))
        learnt_nothing = run.warning
    except Exception as error:  # whatever is in these files
        others = sorted(path.parent for path in folder.glob("**/scores.json") if path.with_name("config.json").exists())
        raise CovidlabError(
            folder, f"no finished run ({reason(error)})", "a folder with config.json and scores.json",
            f"name one of those in it, such as {others[0]}" if others else
            "name the folder of a run, or finish it with `covidlab train`",
        ) from error  # fmt: skip
    if learnt_nothing:
        warnings.warn(learnt_nothing, RuntimeWarning, stacklevel=2)
    return run


def rounded(values):
    """For JSON, which knows no nan: numbers to six places, and null where not defined or infinite."""
    if isinstance(values, Mapping):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [rounded(value) for value in values]
    return (round(values, 6) if np.isfinite(values) else None) if isinstance(values, float) else values


def write_json(path: Path, content: dict) -> None:
    """Write JSON, whole or not at all: see `covidlab.files`."""
    with whole_file(path) as scratch:
        scratch.write_text(json.dumps(content, indent=2) + "\n")
