"""One run: a cohort, a protocol, a model and a seed in; a folder with everything that came of it out.

    config.json       what was asked for, of which slices; a folder with another config, or of other slices, is refused
    history.csv       a line an epoch
    best.weights.h5   the epoch that validation chose, with its grid and threshold, without optimiser state
    scores.json       train, validation and test by the paper's four scores, and the counts they come from

A finished run is read, not repeated; an interrupted one goes on.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from covidlab import __version__
from covidlab._tensorflow import keras
from covidlab.data.folders import patient_of
from covidlab.data.slices import SliceCache
from covidlab.data.splits import PARTS, Split, leak_sentence
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import Counts, count
from covidlab.files import whole_file
from covidlab.models.builders import MODELS
from covidlab.models.inference import predict_cached
from covidlab.models.specks import choose_smallest, drop_specks
from covidlab.models.weights_file import WeightsInfo, give_neighbours, load_model, save_weights
from covidlab.progress import Progress, silent
from covidlab.training.batches import training_slices
from covidlab.training.configs import Config, config_of
from covidlab.training.fit import read_history, train
from covidlab.training.recipe import Epoch
from covidlab.training.thresholds import THRESHOLDS, best_threshold, count_slices, portions

WEIGHTS = "best.weights.h5"


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
        return self.folder / WEIGHTS

    def model(self) -> tuple[keras.Model, WeightsInfo]:
        """The trained model, with what its weights say of themselves."""
        return load_model(self.weights)


def _told(run: Run) -> Run:
    """The run, with a warning if it has learnt nothing: such a one is never kept, nor read, in silence."""
    if run.warning:
        warnings.warn(run.warning, RuntimeWarning, stacklevel=3)
    return run


def run_experiment(
    config: Config, cache: SliceCache, folder: Path, progress: Progress = silent, start: Path | None = None
) -> Run:
    """Train, choose on validation, score all three parts, and keep everything in a folder.

    Parameters
    ----------
    config : Config
    cache : SliceCache
        Of the cohort and the grid that the config names.
    folder : Path
        Made if missing. Holding a finished run of the same config and slices, it is read; an interrupted one, gone on
        with.
    progress : callable (done, total, text)
    start : Path, optional
        Weights of the same model to start from, instead of fresh ones. They may know no neighbouring slices.

    Returns
    -------
    Run

    Raises
    ------
    CovidlabError
        If the folder holds a run of another config or of other slices, if another process is at work in it, or it
        cannot be written; if weights to start from are another model's; if a patient would be trained and tested on
        under the protocol "patient"; if no training slice shows a lesion.
    """
    first, known, described = _pretrained(config, start) if start else (None, (), "")
    config = replace(config, pretrained=described)
    config = replace(config, cases=tuple(dict.fromkeys(cache.cases.tolist())))
    split = config.split(cache)
    try:
        leak = leak_sentence(split, cache.patients)
    except ValueError as problem:
        raise CovidlabError(
            f"protocol {config.protocol}", str(problem), "patients on one side only", "change --extra-train"
        ) from problem
    met = sorted({patient_of(case) for case in known} & set(cache.patients[split.test].tolist()))
    if met and config.protocol == "patient":
        raise CovidlabError(
            start, f"weights that have seen the test patients {', '.join(met)}", "weights that have not",
            "start from others, or hold out other patients with --test-patients",
        )  # fmt: skip
    try:
        training_slices(cache, split, config.recipe)
    except ValueError as problem:
        raise CovidlabError(
            config.sentence, str(problem), "slices with lesion in the training part",
            "change --cases, --protocol, --test-patients or --seed, or add some with --extra-train",
        ) from problem
    if (folder / "scores.json").exists():  # reading it needs no right to write there
        return _finished(folder, config, cache, split)
    with _claimed(folder, config, cache):
        # Whoever was at work a moment ago may have finished it.
        if (folder / "scores.json").exists():
            return _finished(folder, config, cache, split)
        return _train_and_score(config, cache, split, folder, first, known, leak, progress)


def _finished(folder: Path, config: Config, cache: SliceCache, split: Split) -> Run:
    """Read a finished run, if it is what this version would make."""
    _check_same(folder, config, cache)
    run = read_run(folder)
    same_split = all(run.counts[part].total == len(split.part(part)) * cache.size**2 for part in PARTS)
    # Updates were once rounded to whole epochs.
    same_updates = not run.history or run.history[-1].updates == config.recipe.updates
    if not (same_split and same_updates):
        raise CovidlabError(
            folder, f"a run of another {'number of updates' if same_split else 'split'}, made by an older covidlab",
            "one of this version's", "name another folder with --out, or delete this one",
        )  # fmt: skip
    return run


def _train_and_score(
    config: Config, cache: SliceCache, split: Split, folder: Path, first: keras.Model | None, known: Sequence[str],
    leak: str, progress: Progress,
) -> Run:
    """Train from a first model, that has seen the known cases, or from fresh weights; score, and write it all down."""
    weights = folder / WEIGHTS
    keras.utils.set_random_seed(config.seed)
    model = first or MODELS[config.model](**config.options)
    # Weights that another training has folded go on as they are. The patch CNN has no twin, and needs none.
    twin = None if first or config.model == "patch_cnn" else MODELS[config.model](**config.options, normalised=True)

    seen = sorted({*known, *cache.cases[np.concatenate([split.train, split.validation])].tolist()})

    def save_best(epoch: Epoch) -> None:
        info = WeightsInfo(
            model=config.model, options=dict(config.options), grid=config.grid, threshold=epoch.threshold,
            trained_on=config.sentence, seen=seen,
        )  # fmt: skip
        save_weights(weights, model, info)

    history = train(model, cache, split, config.recipe, folder, save_best, progress, twin)
    best, info = load_model(weights)
    if config.pool_threshold:
        info = replace(info, threshold=_choose_threshold(best, cache, split, config))
    info, counts = _count_parts(best, info, cache, split, config.drop_specks)
    if config.drop_specks or config.pool_threshold:
        save_weights(weights, best, info)
    run = _told(Run(folder, config, counts, info.threshold, tuple(history), leak))
    # Last, since it says that the run is finished.
    write_json(folder / "scores.json", _as_json(run))
    return run


def _choose_threshold(
    model: keras.Model, cache: SliceCache, split: Split, config: Config, mirror: bool = False
) -> float:
    """The threshold with the best pooled F1 on validation, and on the cohort's training slices where a run asks so."""
    slices = split.validation
    if config.pool_threshold:
        own = split.train[~np.isin(cache.cases[split.train], list(config.extra_train))]
        slices = np.concatenate([own, slices])
    return best_threshold(count_slices(model, cache, slices, THRESHOLDS, mirror), THRESHOLDS)[0]


def _count_parts(
    model: keras.Model, info: WeightsInfo, cache: SliceCache, split: Split, without_specks: bool
) -> tuple[WeightsInfo, dict[str, Counts]]:
    """Count each part, if asked for without specks; how small one is, is chosen on validation and told by the info."""
    info = replace(info, smallest=1)  # an interrupted run may have chosen it already
    marked = {part: _marked(model, info, cache, split.part(part)) for part in PARTS}
    if without_specks:
        info = replace(info, smallest=choose_smallest(cache.masks[split.validation], marked["validation"]))
        marked = {part: drop_specks(found, info.smallest) for part, found in marked.items()}
    return info, {part: count(cache.masks[split.part(part)], found) for part, found in marked.items()}


def _marked(model: keras.Model, info: WeightsInfo, cache: SliceCache, slices: np.ndarray) -> np.ndarray:
    """What a model marks on slices of a cache."""
    return np.concatenate([
        info.mark(predict_cached(model, cache, portion, info.mirror)) for portion in portions(slices)
    ])  # fmt: skip


def _pretrained(config: Config, start: Path) -> tuple[keras.Model, Sequence[str], str]:
    """The model with the weights that a file holds, the cases they have seen, and what they are: trained on what, and
    a digest of the numbers."""
    model, info = load_model(start)
    there, wanted = (info.model, dict(info.options)), (config.model, dict(config.options))
    digest = hashlib.sha256(b"".join(weights.tobytes() for weights in model.get_weights())).hexdigest()
    alone = {name: value for name, value in wanted[1].items() if name != "channels"}
    if json.dumps(there) == json.dumps((wanted[0], alone)) != json.dumps(wanted):
        narrow, model = model, MODELS[config.model](**config.options)
        give_neighbours(narrow, model)
    elif json.dumps(there) != json.dumps(wanted):
        raise CovidlabError(
            start, f"weights of {there[0]} {there[1] or ''}".rstrip(), f"of {wanted[0]} {wanted[1] or ''}".rstrip(),
            "name weights of the same model, or train from fresh ones",
        )  # fmt: skip
    return model, info.seen, f"{info.trained_on} ({digest[:8]})"


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
    threshold = _choose_threshold(model, cache, split, run.config, mirror=True)
    info = replace(info, mirror=True, threshold=threshold)
    info, counts = _count_parts(model, info, cache, split, run.config.drop_specks)
    save_weights(run.folder / "mirrored.weights.h5", model, info)
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
        config = config_of(_read_config(folder))
        found = json.loads((folder / "scores.json").read_text())
        counts = {part: Counts(**values["counts"]) for part, values in found["parts"].items()}
        history = tuple(read_history(folder / "history.csv"))
        return _told(Run(folder, config, counts, found["threshold"], history, found["leak"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CovidlabError(
            folder,
            "no finished run",
            "a folder with config.json and scores.json",
            _runs_below(folder) or "name the folder of a run, or finish it with `covidlab train`",
        ) from error


def _runs_below(folder: Path) -> str:
    """Where finished runs lie in a folder of runs, as words of advice; empty if there are none."""
    found = sorted(path.parent for path in folder.glob("**/scores.json") if (path.parent / "config.json").exists())
    return f"name one of those in it, such as {found[0]}" if found else ""


@contextmanager
def _claimed(folder: Path, config: Config, cache: SliceCache) -> Iterator[None]:
    """Make a run's folder, or see that it goes on as it began; keep other processes out of it, since two trainings
    would write the same files."""
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(folder / ".run.lock", timeout=0, mode=0o666))
            if not (folder / "config.json").exists():
                about = {"slices": cache.content, "covidlab": __version__}
                write_json(folder / "config.json", {**asdict(config), **about})
        except Timeout as problem:
            raise CovidlabError(
                folder, "a run that another process is at work on", "one at a time",
                "wait until it has ended and give the same command again, or name another folder with --out",
            ) from problem
        except OSError as error:
            raise CovidlabError(
                folder, f"a folder that cannot be written ({error.strerror})", "room for a run",
                "choose another folder with --out",
            ) from error
        _check_same(folder, config, cache)
        yield


def _check_same(folder: Path, config: Config, cache: SliceCache) -> None:
    """Refuse a folder whose run was asked for something else, or made of other slices."""
    try:
        found = _read_config(folder)
        # Compared as JSON keeps them: a tuple of widths comes back as a list.
        there, wanted = (json.loads(json.dumps(asdict(one))) for one in (config_of(found), config))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CovidlabError(
            folder / "config.json", "a file that no run of covidlab wrote", "an empty folder or a run's",
            "name another folder with --out",
        ) from error
    different = [key for key, value in wanted.items() if there[key] != value]
    if different:
        raise CovidlabError(
            folder,
            f"a run with another {', '.join(different)}",
            "an empty folder or a run of the same config",
            "name another folder with --out, or delete this one",
        )
    # Runs from before it was written down are not checked.
    if found.get("slices") not in (None, cache.content):
        raise CovidlabError(
            folder, "a run of other slices, though of the same names",
            f"the images, masks and patients of {config.cohort} as they are now, and as this version reads them",
            "name another folder with --out, delete this one, or bring the former files back",
        )  # fmt: skip


def _read_config(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def _as_json(run: Run) -> dict:
    return {
        "data": run.config.cohort,
        "protocol": run.config.protocol,
        "seed": run.config.seed,
        "grid": run.config.grid,
        "threshold": run.threshold,
        "leak": run.leak,
        "training_seconds": round(run.history[-1].seconds, 1),
        "warning": run.warning,
        "parts": {part: {**rounded(run.scores[part]), "counts": asdict(counts)} for part, counts in run.counts.items()},
    }


def rounded(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores for JSON, which knows no nan: a score that is not defined is null."""
    return {name: None if np.isnan(value) else round(value, 6) for name, value in scores.items()}


def write_json(path: Path, content: dict) -> None:
    """Write JSON, whole or not at all: see `covidlab.files`."""
    with whole_file(path) as scratch:
        scratch.write_text(json.dumps(content, indent=2) + "\n")
